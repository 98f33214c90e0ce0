"""One reconcile after the other: what is written, what is told, and what is let go when a job ends."""

from typing import Any

import grpc
import pytest
from cluster_jobs import UID, in_bucket
from played_api import refusal
from played_channel import rpc_error
from reconciled_world import PATH, ReconciledWorld

from labelplane.aggregation.v1 import aggregation_pb2
from labelplane.operation.v1 import operation_pb2
from labelplane_operator.errors import ApiConflict, ApiUnavailable, Blocked
from labelplane_operator.policies.deletion import FINALIZER

SUCCEEDED = operation_pb2.OPERATION_STATE_SUCCEEDED
CLEANUP_PATH = "/apis/batch/v1/namespaces/team-a/jobs/digits-cleanup"
ACCOUNT_PATH = "/api/v1/namespaces/team-a/serviceaccounts/digits"


@pytest.fixture
def world() -> ReconciledWorld:
    """A job that was just applied."""
    made = ReconciledWorld()
    made.make_job()
    return made


def _prepare(state: "operation_pb2.OperationState", **fields: Any) -> operation_pb2.Operation:
    return operation_pb2.Operation(request_id=f"digits/prepare/{UID}", stage="Prepare", state=state, **fields)


def _operations(world: ReconciledWorld, stage: str, outcome: str) -> float:
    labels = {"stage": stage, "outcome": outcome}
    return world.registry.get_sample_value("labelplane_operator_operations_total", labels) or 0.0


async def test_a_job_that_waits_for_its_pods_costs_no_request(world: ReconciledWorld) -> None:
    await world.reconcile()
    assert world.condition("Accepted")["status"] == "True"
    world.api.asked()

    assert await world.reconcile() == 300.0
    assert world.api.asked() == []


async def test_a_ready_pod_is_told_to_start_and_its_end_is_counted_once(world: ReconciledWorld) -> None:
    await world.reconcile()
    world.have_ready_pod()
    done = _prepare(SUCCEEDED, results={"index": "i"}, figures={"items": 1000, "last_round": -1})
    world.channel.answers["GetOperation"] = rpc_error(grpc.StatusCode.NOT_FOUND)
    world.channel.answers["StartPrepare"] = aggregation_pb2.StartPrepareResponse(operation=done)
    world.api.fail("put", f"{PATH}/status", refusal(503, "away"))
    with pytest.raises(ApiUnavailable):
        await world.reconcile()
    assert world.woken == [], "a job whose status cannot be written must wait, not come again at once"
    assert await world.reconcile() == 0.0
    assert "StartPrepare" in world.channel.asked
    world.channel.answers["GetOperation"] = operation_pb2.GetOperationResponse(operation=done)
    world.channel.answers["StartVote"] = rpc_error(grpc.StatusCode.UNAVAILABLE)
    world.channel.answers["GetProgress"] = rpc_error(grpc.StatusCode.UNAVAILABLE)

    world.api.fail("put", f"{PATH}/status", refusal(409, "changed"), refusal(503, "away"))
    with pytest.raises(ApiConflict):
        await world.reconcile()
    with pytest.raises(ApiUnavailable):
        await world.reconcile()
    assert _operations(world, "Prepare", "Succeeded") == 0
    await world.reconcile()
    await world.reconcile()

    assert _operations(world, "Prepare", "Succeeded") == 1
    assert world.job()["status"]["prepare"]["items"] == 1000


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        pytest.param(refusal(403, "quota is used up"), "ChildRefused", id="a quota"),
        pytest.param(refusal(422, "no such field"), "ChildRefused", id="an object that is wrong"),
    ],
)
async def test_what_the_api_server_refuses_is_told_in_the_status(
    world: ReconciledWorld, error: Exception, reason: str
) -> None:
    world.api.fail("patch", ACCOUNT_PATH, error, error)
    with pytest.raises(Blocked):
        await world.reconcile()
    assert world.condition("Progressing")["reason"] == reason
    version = world.job()["metadata"]["resourceVersion"]
    with pytest.raises(Blocked):
        await world.reconcile()
    assert world.job()["metadata"]["resourceVersion"] == version
    world.pass_time(1)
    await world.reconcile()

    assert world.condition("Progressing")["reason"] != reason


async def test_a_refusal_that_is_longer_than_a_status_takes_is_cut(world: ReconciledWorld) -> None:
    await world.reconcile()
    world.have_ready_pod()
    world.channel.answers["GetOperation"] = rpc_error(grpc.StatusCode.INVALID_ARGUMENT, "x" * 50_000)
    world.channel.answers["StartPrepare"] = rpc_error(grpc.StatusCode.UNAVAILABLE)
    await world.reconcile()

    assert 8_000 < len(world.condition("Progressing")["message"]) < 32_768


async def test_an_object_that_is_no_valid_job_runs_nothing_and_says_why(world: ReconciledWorld) -> None:
    await world.reconcile()
    spec = world.job()["spec"]
    world.change_job(spec={**spec, "task": {"type": "ImageClassification", "classes": []}})
    await world.reconcile()

    assert world.condition("Accepted")["reason"] == "SpecInvalid"
    assert [each.split()[0] for each in world.standing()] == ["Secret"]
    world.api.asked()
    await world.reconcile()
    assert world.api.asked() == []


async def test_labels_that_no_job_may_have_are_told_too() -> None:
    world = ReconciledWorld()
    world.make_job(labels={f"label-{number}": "" for number in range(300)})
    await world.reconcile()

    assert "labels" in world.condition("Accepted")["message"]


async def test_a_status_that_cannot_be_read_is_written_anew(world: ReconciledWorld) -> None:
    world.change_job(status={"conditions": "none"})
    await world.reconcile()

    assert world.condition("Accepted")["status"] in {"True", "False"}


async def test_a_job_that_ends_lets_its_services_go(world: ReconciledWorld) -> None:
    await _fail(world)

    assert world.closed == [UID]
    assert _operations(world, "Prepare", "Failed") == 1


async def test_a_job_that_is_gone_is_forgotten(world: ReconciledWorld) -> None:
    await world.reconcile()
    world.api.objects.clear()
    world.see()

    assert await world.reconcile() is None
    assert world.closed == [UID]
    await world.reconcile()
    assert world.closed == [UID]


async def test_a_successor_of_the_same_name_begins_anew(world: ReconciledWorld) -> None:
    await world.reconcile()
    world.make_job(uid="another")
    await world.reconcile()

    assert world.closed == [UID]
    assert len([each for each in world.standing() if each.startswith("Secret")]) == 2


async def test_a_job_that_vanishes_while_it_is_looked_at_is_no_error(world: ReconciledWorld) -> None:
    world.api.fail("put", f"{PATH}/status", refusal(404, "gone"))

    await world.reconcile()


async def test_a_deleted_job_that_nothing_holds_is_let_go(world: ReconciledWorld) -> None:
    world.make_job(deletionTimestamp="2026-01-01T00:00:00Z", finalizers=[FINALIZER])
    await world.reconcile()

    assert PATH not in world.api.objects


async def test_a_finished_job_that_has_outlived_its_time_is_deleted_once() -> None:
    world = ReconciledWorld(in_bucket().with_run(ttlSecondsAfterFinished=60))
    world.make_job()
    await _fail(world)
    assert await world.reconcile() == 60
    world.pass_time(61)
    world.api.fail("delete", PATH, refusal(404, "somebody was faster"))
    await world.reconcile()
    await world.reconcile()

    assert PATH not in world.api.objects


async def test_the_name_of_a_child_that_is_taken_is_told(world: ReconciledWorld) -> None:
    metadata = {"name": "digits", "namespace": "team-a"}
    world.api.put(ACCOUNT_PATH, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    with pytest.raises(Blocked):
        await world.reconcile()

    assert world.condition("Progressing")["reason"] == "NameTaken"


async def test_a_deleted_job_waits_until_its_results_are_removed() -> None:
    world = ReconciledWorld(in_bucket().with_output(deletionPolicy="Delete"))
    world.make_job()
    await world.reconcile()
    assert world.job()["metadata"]["finalizers"] == [FINALIZER]
    world.change_job(metadata={**world.job()["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"})
    await world.reconcile()
    await world.reconcile()
    assert world.condition("Progressing")["reason"] == "DeletingResults"
    cleanup = world.api.objects[CLEANUP_PATH]
    world.api.put(CLEANUP_PATH, {**cleanup, "status": {"conditions": [{"type": "Complete", "status": "True"}]}})
    world.see()
    await world.reconcile()

    assert PATH not in world.api.objects


async def _fail(world: ReconciledWorld) -> None:
    """Have the job fail for good."""
    await world.reconcile()
    world.have_ready_pod()
    world.channel.answers["GetOperation"] = rpc_error(grpc.StatusCode.NOT_FOUND)
    world.channel.answers["StartPrepare"] = rpc_error(grpc.StatusCode.INVALID_ARGUMENT, reason="BadManifest")
    await world.reconcile()
    await world.reconcile()
    assert world.condition("Failed")["status"] == "True"
