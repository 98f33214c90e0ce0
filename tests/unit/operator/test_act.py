"""Acting on a plan: what stands is left alone, what differs is put right, and what is somebody else's is named."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from cluster_jobs import ALL_PARTS, UID, in_bucket
from played_api import Object, PlayedApi, refusal
from reconciled_world import ReconciledWorld

from labelplane_api.parts import Part
from labelplane_operator.act import APPLIED
from labelplane_operator.errors import ApiConflict, ApiForbidden, NameTaken
from labelplane_operator.plan import Plan
from labelplane_operator.policies.deletion import FINALIZER

DEPLOYMENT_PATH = "/apis/apps/v1/namespaces/team-a/deployments/digits"
ACCOUNT_PATH = "/api/v1/namespaces/team-a/serviceaccounts/digits"
SERVICE_PATH = "/api/v1/namespaces/team-a/services/digits"
CLEANUP_PATH = "/apis/batch/v1/namespaces/team-a/jobs/digits-cleanup"


@pytest.fixture
def world() -> ReconciledWorld:
    """A job of which nothing stands yet."""
    made = ReconciledWorld()
    made.make_job()
    return made


async def _act(world: ReconciledWorld, parts: frozenset[Part] | None = ALL_PARTS, **plan: Any) -> list[str]:
    """Act, have the watches show what came of it, and return the requests."""
    job = world.builder.with_uid(UID).build()
    world.api.asked()
    try:
        await world.actor.act(job, Plan(job.status, parts=parts, **plan))
    finally:
        world.see()
    return world.api.asked()


def _edit(world: ReconciledWorld, path: str, **fields: Any) -> None:
    world.api.put(path, {**world.api.objects[path], **fields})
    world.see()


def _have_finalizers(world: ReconciledWorld, *finalizers: str) -> None:
    world.change_job(metadata={**world.job()["metadata"], "finalizers": list(finalizers)})
    world.builder = world.builder.having("metadata.finalizers", list(finalizers))


def _owned(uid: str) -> dict[str, Any]:
    return {"ownerReferences": [{"apiVersion": "v1", "kind": "x", "name": "x", "uid": uid, "controller": True}]}


async def test_a_deployment_is_born_without_pods_and_then_the_scaler_has_its_replicas(world: ReconciledWorld) -> None:
    job = world.builder.build()
    await world.actor.act(job, Plan(job.status, parts=ALL_PARTS))

    applied = [each for each in world.api.requests if each.path == DEPLOYMENT_PATH and each.method == "patch"]
    told = [(each.words["field_manager"], each.body["spec"]["replicas"]) for each in applied]
    assert told == [("labelplane", 0), ("labelplane-scaler", 1)]


async def test_what_stands_as_wanted_costs_no_request(world: ReconciledWorld) -> None:
    assert await _act(world) != []
    assert await _act(world) == []


async def test_a_new_leader_asks_for_the_secret_alone(world: ReconciledWorld) -> None:
    await _act(world)
    successor = ReconciledWorld(api=world.api)
    successor.see()

    assert await _act(successor) == ["post /api/v1/namespaces/team-a/secrets"]
    assert await _act(successor) == []


async def test_replicas_alone_are_scaled(world: ReconciledWorld) -> None:
    await _act(world)

    assert await _act(world, frozenset()) == [f"patch {DEPLOYMENT_PATH}/scale"]
    assert world.api.objects[DEPLOYMENT_PATH]["spec"]["replicas"] == 0


async def test_a_field_that_somebody_edits_is_put_right(world: ReconciledWorld) -> None:
    await _act(world)
    _edit(world, ACCOUNT_PATH, automountServiceAccountToken=True)

    assert await _act(world) == [f"patch {ACCOUNT_PATH}"]
    assert world.api.objects[ACCOUNT_PATH]["automountServiceAccountToken"] is False


async def test_a_field_that_somebody_adds_is_left_alone(world: ReconciledWorld) -> None:
    await _act(world)
    _edit(world, ACCOUNT_PATH, imagePullSecrets=[{"name": "theirs"}])

    assert await _act(world) == []


class _Normalising(PlayedApi):
    """Writes half a CPU as Kubernetes does."""

    def _stored(self, path: str, manifest: Mapping[str, Any]) -> Object:
        return super()._stored(path, json.loads(json.dumps(manifest).replace('"0.5"', '"500m"')))


async def test_what_the_server_writes_in_its_own_way_is_applied_once_a_leader() -> None:
    half = {"small": {"resources": {"requests": {"cpu": "0.5"}}}}
    world = ReconciledWorld(in_bucket().having("spec.podOverrides", half), api=_Normalising())
    world.make_job()
    await _act(world)
    assert "500m" in json.dumps(world.api.objects[DEPLOYMENT_PATH])
    assert await _act(world) == []
    assert await _act(world, frozenset()) == [f"patch {DEPLOYMENT_PATH}/scale"]
    assert await _act(world, frozenset()) == []
    await _act(world)

    successor = ReconciledWorld(world.builder, api=world.api)
    successor.see()
    assert f"patch {DEPLOYMENT_PATH}" in await _act(successor)
    assert await _act(successor) == []


async def test_an_object_that_is_being_deleted_is_left_until_it_is_gone(world: ReconciledWorld) -> None:
    await _act(world)
    service = world.api.objects[SERVICE_PATH]
    deleted = {**service["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    _edit(world, SERVICE_PATH, metadata=deleted, spec={})
    assert await _act(world) == []
    assert await _act(world, None) != []
    assert SERVICE_PATH in world.api.objects

    del world.api.objects[SERVICE_PATH]
    world.see()
    assert f"patch {SERVICE_PATH}" in await _act(world)


async def test_an_object_of_somebody_else_is_named_and_left_alone(world: ReconciledWorld) -> None:
    theirs = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "digits", "namespace": "team-a"}}
    before = world.api.put(ACCOUNT_PATH, theirs)
    with pytest.raises(NameTaken, match="ServiceAccount digits exists and is not this job's: rename the job"):
        await _act(world)

    assert world.api.objects[ACCOUNT_PATH] == before


async def test_an_object_that_somebody_makes_in_the_same_moment_is_no_casualty(world: ReconciledWorld) -> None:
    world.api.fail("patch", ACCOUNT_PATH, refusal(409, "a field of another manager"))
    with pytest.raises(ApiConflict):
        await _act(world)

    assert world.standing() == []


async def test_own_objects_that_no_watch_has_shown_are_found(world: ReconciledWorld) -> None:
    await _act(world)
    before = {path: dict(each) for path, each in world.api.objects.items()}
    blind = ReconciledWorld(api=world.api)
    calls = await _act(blind)

    assert world.api.objects == before
    assert [call for call in calls if call.startswith("delete")] == []
    assert await _act(blind) == []


async def test_a_first_write_is_refused_by_what_stands_there_and_costs_no_lookup(world: ReconciledWorld) -> None:
    job = world.builder.build()
    await world.actor.act(job, Plan(job.status, parts=ALL_PARTS))

    made = [
        each for each in world.api.requests if each.method == "patch" and each.words["field_manager"] == "labelplane"
    ]
    assert [(each.body["metadata"]["resourceVersion"], each.words["force_conflicts"]) for each in made] == [
        ("1", False)
    ] * 5
    assert [each.path for each in world.api.requests if each.method == "get"] == []


async def test_what_a_job_of_the_same_name_has_left_goes_first(world: ReconciledWorld) -> None:
    await _act(world)
    service = world.api.objects[SERVICE_PATH]
    _edit(world, SERVICE_PATH, metadata={**service["metadata"], **_owned("before")})
    assert await _act(world) == [f"delete {SERVICE_PATH}"]

    assert f"patch {SERVICE_PATH}" in await _act(world)


async def test_a_job_that_needs_nothing_keeps_the_secret_alone(world: ReconciledWorld) -> None:
    await _act(world)
    await _act(world, None)

    assert [each.split()[0] for each in world.standing()] == ["Secret"]


async def test_what_is_gone_already_is_forgotten(world: ReconciledWorld) -> None:
    await _act(world)
    del world.api.objects[SERVICE_PATH]

    assert f"delete {SERVICE_PATH}" in await _act(world, None)
    assert "Service digits" not in world.standing()


async def test_a_successor_of_the_same_name_is_not_deleted_in_its_place(world: ReconciledWorld) -> None:
    await _act(world)
    successor = world.api.objects[SERVICE_PATH]
    world.api.objects[SERVICE_PATH] = {**successor, "metadata": {**successor["metadata"], "uid": "another"}}
    with pytest.raises(ApiConflict):
        await _act(world, None)

    assert SERVICE_PATH in world.api.objects


async def test_the_cleanup_begins_when_no_pod_is_left(world: ReconciledWorld) -> None:
    await _act(world)
    await _act(world, None, cleanup=True)
    assert CLEANUP_PATH not in world.api.objects
    await _act(world, None, cleanup=True)
    assert CLEANUP_PATH in world.api.objects
    assert DEPLOYMENT_PATH not in world.api.objects

    other = ReconciledWorld()
    other.make_job()
    await _act(other)
    other.api.fail("delete", DEPLOYMENT_PATH, refusal(503, "away"))
    with pytest.raises(Exception, match="503: away"):
        await _act(other, None, cleanup=True)
    assert CLEANUP_PATH not in other.api.objects


async def test_a_cleanup_that_is_not_as_wanted_is_replaced(world: ReconciledWorld) -> None:
    await _act(world, None, cleanup=True)
    cleanup = world.api.objects[CLEANUP_PATH]
    annotations = {**cleanup["metadata"]["annotations"], APPLIED: "other"}
    _edit(world, CLEANUP_PATH, metadata={**cleanup["metadata"], "annotations": annotations})

    assert await _act(world, None, cleanup=True) == [f"delete {CLEANUP_PATH}"]
    assert f"patch {CLEANUP_PATH}" in await _act(world, None, cleanup=True)


async def test_the_finalizer_is_set_and_taken_away_beside_those_of_others(world: ReconciledWorld) -> None:
    await _act(world, None, finalizer=True)
    assert world.job()["metadata"]["finalizers"] == [FINALIZER]
    _have_finalizers(world, FINALIZER, "example.com/theirs")
    await _act(world, None, finalizer=False)

    assert world.job()["metadata"]["finalizers"] == ["example.com/theirs"]


async def test_results_stay_when_their_namespace_ends_before_they_can_be_removed(world: ReconciledWorld) -> None:
    _have_finalizers(world, FINALIZER)
    ends = refusal(403, "ends", causes=("NamespaceTerminating",))
    world.api.fail("patch", ACCOUNT_PATH, ends)
    await _act(world, None, cleanup=True, finalizer=True)
    assert world.job()["metadata"]["finalizers"] == []

    other = ReconciledWorld()
    other.make_job()
    other.api.fail("patch", ACCOUNT_PATH, ends)
    with pytest.raises(ApiForbidden):
        await _act(other)
