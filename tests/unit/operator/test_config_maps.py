"""ConfigMaps that a job names: looked up while its pods do not start, and told when one is missing."""

from typing import Any

import grpc
import pytest
from cluster_jobs import in_own_store, with_rules
from job_builder import JobBuilder
from played_api import refusal
from played_channel import rpc_error
from reconciled_world import ReconciledWorld

from labelplane_operator.policies.config_maps import find_missing_key, named_keys

TEAM = "/api/v1/namespaces/team-a/configmaps/team-rules"
SHARED = "/api/v1/namespaces/team-a/configmaps/shared.rules"
CA = "/api/v1/namespaces/team-a/configmaps/s3-ca"

ALL_KEYS = {"team-rules": frozenset({"rules.yaml", "more.yaml"}), "shared.rules": frozenset({"rules.yaml"})}
IN_JOB = "or correct its name in the job"


@pytest.mark.parametrize(
    ("job", "there", "want"),
    [
        pytest.param(with_rules(), ALL_KEYS, None, id="all are there"),
        pytest.param(
            with_rules(),
            ALL_KEYS | {"team-rules": None},
            "no pod can start: there is no ConfigMap team-rules (spec.sources.rules[1].configMap): "
            f"create it in the job's namespace, {IN_JOB}",
            id="a ConfigMap of rules is missing",
        ),
        pytest.param(
            with_rules(),
            ALL_KEYS | {"team-rules": frozenset({"rules.yaml"})},
            "no pod can start: ConfigMap team-rules has no key more.yaml (spec.sources.rules[2].configMap): "
            f"add the key, {IN_JOB}",
            id="a key is missing",
        ),
        pytest.param(
            in_own_store(),
            {"s3-ca": None},
            "no pod can start: there is no ConfigMap s3-ca (spec.storage.caBundleConfigMap): "
            f"create it in the job's namespace, {IN_JOB}",
            id="the storage's certificates are missing",
        ),
        pytest.param(with_rules(), {}, None, id="nothing is known"),
    ],
)
def test_what_is_missing_is_named_with_the_field_that_names_it(
    job: JobBuilder, there: dict[str, frozenset[str] | None], want: str | None
) -> None:
    problem = find_missing_key(named_keys(job.build()), there)

    assert (problem.message if problem else None) == want
    assert problem is None or problem.reason == "MissingConfigMap"


def _config_map(name: str, *keys: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "team-a"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict.fromkeys(keys, "rules: []")}


def _lookups(world: ReconciledWorld) -> list[str]:
    return [line for line in world.api.asked() if "/configmaps" in line]


@pytest.fixture
def world() -> ReconciledWorld:
    """A job with rules in two ConfigMaps, of which one is there."""
    made = ReconciledWorld(with_rules())
    made.api.put(SHARED, _config_map("shared.rules", "rules.yaml"))
    made.make_job()
    return made


async def test_a_missing_config_map_is_told_at_once_and_once(world: ReconciledWorld) -> None:
    await world.reconcile()
    told = world.condition("Progressing")
    await world.reconcile()

    assert (told["status"], told["reason"]) == ("False", "MissingConfigMap")
    assert "ConfigMap team-rules (spec.sources.rules[1].configMap)" in told["message"]
    assert world.condition("Progressing") == told
    assert len(await world.recorded("MissingConfigMap")) == 1


async def test_nothing_is_asked_again_before_an_event_comes(world: ReconciledWorld) -> None:
    assert await world.reconcile() == 300.0
    assert _lookups(world) == [f"get {TEAM}", f"get {SHARED}"]


async def test_the_job_goes_on_when_the_config_map_is_made_and_its_pod_starts(world: ReconciledWorld) -> None:
    await world.reconcile()
    world.api.put(TEAM, _config_map("team-rules", "rules.yaml", "more.yaml"))
    await world.reconcile()
    assert world.condition("Progressing")["status"] == "True"

    world.have_ready_pod()
    world.channel.answers["GetOperation"] = rpc_error(grpc.StatusCode.NOT_FOUND)
    world.channel.answers["StartPrepare"] = rpc_error(grpc.StatusCode.UNAVAILABLE)
    world.api.asked()
    await world.reconcile()
    assert _lookups(world) == []
    assert world.condition("Progressing")["reason"] == "StageRunning"


@pytest.mark.parametrize("answer", [refusal(403, "no right"), refusal(503, "away")], ids=["no right", "away"])
async def test_what_cannot_be_looked_up_holds_nobody(world: ReconciledWorld, answer: Exception) -> None:
    world.api.fail("get", TEAM, answer)
    await world.reconcile()

    assert world.condition("Progressing")["status"] == "True"


async def test_a_job_that_names_none_is_not_asked_about() -> None:
    world = ReconciledWorld()
    world.make_job()
    await world.reconcile()

    assert _lookups(world) == []


async def test_a_cleanup_that_lacks_the_storage_s_certificates_says_so() -> None:
    world = ReconciledWorld(in_own_store().having("spec.output.deletionPolicy", "Delete"))
    world.make_job()
    await world.reconcile()
    world.change_job(metadata={**world.job()["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"})
    for _ in range(4):
        await world.reconcile()

    told = world.condition("Progressing")
    assert (told["reason"], "there is no ConfigMap s3-ca" in told["message"]) == ("CleanupFailed", True)
    world.api.put(CA, _config_map("s3-ca", "ca.crt"))
    await world.reconcile()
    assert world.condition("Progressing")["reason"] == "DeletingResults"
