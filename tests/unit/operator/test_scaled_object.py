"""KEDA's ScaledObject of a job: when it stands, what it says, and that nobody else scales while it does."""

from dataclasses import replace
from typing import Any

import pytest
from cluster_jobs import PLATFORM, TOKEN, UID, in_bucket

from labelplane_api.job import LabelingJob
from labelplane_api.running import Profile
from labelplane_api.status import OperationStatus, Stage
from labelplane_operator.builders import Child, build_children
from labelplane_operator.builders.scaled_object import PAUSED, build_scaled_object
from labelplane_operator.policies.keda import ScalerMetadata
from labelplane_operator.policies.parts import wanted_parts

KEDA = replace(PLATFORM, scaler_address="labelplane-operator.labelplane-system.svc:6000")


def job_in(
    stage: Stage, *, engine: str = "Keda", is_suspended: bool = False, profile: Profile = Profile.DISTRIBUTED
) -> LabelingJob:
    builder = in_bucket().with_scaling(engine=engine, min_replicas=0, max_replicas=20)
    job = (builder.suspended() if is_suspended else builder).build()
    operation = OperationStatus(request_id="digits/1/x/1", stage=stage, round=1, attempt=1)
    return job.with_status(job.status.model_copy(update={"profile": profile, "operation": operation}))


def children(job: LabelingJob, platform: Any = KEDA) -> tuple[Child, ...]:
    parts = frozenset() if job.spec.run.suspend else wanted_parts(job.status)
    assert parts is not None
    return build_children(job, parts, platform, token=TOKEN, workers=7)


def scaled_objects(job: LabelingJob, platform: Any = KEDA) -> list[Any]:
    return [each.manifest for each in children(job, platform) if each.manifest["kind"] == "ScaledObject"]


def workers(job: LabelingJob, platform: Any = KEDA) -> int | None:
    name = "digits-scoring-worker"
    (found,) = [
        each
        for each in children(job, platform)
        if each.manifest["kind"] == "Deployment" and each.manifest["metadata"]["name"] == name
    ]
    return found.replicas


@pytest.mark.parametrize(
    ("job", "platform", "want", "want_workers"),
    [
        pytest.param(job_in(Stage.SCORE), KEDA, True, None, id="while Score runs KEDA alone scales"),
        pytest.param(job_in(Stage.SELECT), KEDA, False, 0, id="in another stage nobody works"),
        pytest.param(job_in(Stage.SCORE, is_suspended=True), KEDA, True, 0, id="suspended, it is paused at none"),
        pytest.param(job_in(Stage.SELECT, is_suspended=True), KEDA, False, 0, id="suspended in another stage"),
        pytest.param(job_in(Stage.SCORE, engine="Operator"), KEDA, False, 7, id="the operator scales"),
        pytest.param(job_in(Stage.SCORE), PLATFORM, False, 7, id="an installation without KEDA"),
        pytest.param(job_in(Stage.SCORE), replace(KEDA, queue=None), False, 0, id="an installation without a queue"),
    ],
)
def test_one_at_a_time_scales_the_workers(
    job: LabelingJob, platform: Any, *, want: bool, want_workers: int | None
) -> None:
    assert (len(scaled_objects(job, platform)), workers(job, platform)) == (int(want), want_workers)


def test_a_small_job_has_none() -> None:
    assert scaled_objects(job_in(Stage.SCORE, profile=Profile.SMALL)) == []


def test_it_is_paused_while_the_job_is_suspended_and_no_longer() -> None:
    (running,) = scaled_objects(job_in(Stage.SCORE))
    (suspended,) = scaled_objects(job_in(Stage.SCORE, is_suspended=True))
    assert PAUSED not in running["metadata"]["annotations"]
    assert suspended["metadata"]["annotations"][PAUSED] == "true"


def test_it_says_what_the_job_says() -> None:
    builder = in_bucket().with_scaling(
        engine="Keda",
        min_replicas=2,
        max_replicas=40,
        target_drain_seconds=60,
        up_window_seconds=5,
        down_window_seconds=90,
    )
    built = build_scaled_object(builder.build(), KEDA)
    spec, behavior = built["spec"], built["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert spec["scaleTargetRef"]["name"] == "digits-scoring-worker"
    assert (spec["minReplicaCount"], spec["maxReplicaCount"], spec["cooldownPeriod"]) == (2, 40, 90)
    assert behavior["scaleUp"]["stabilizationWindowSeconds"] == 5
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 90
    assert built["metadata"]["ownerReferences"][0]["uid"] == UID


def test_going_or_failing_it_takes_no_worker_away() -> None:
    spec = build_scaled_object(job_in(Stage.SCORE), KEDA)["spec"]
    assert spec["advanced"]["restoreToOriginalReplicaCount"] is False
    assert spec["fallback"]["behavior"] == "currentReplicasIfHigher"
    assert spec["fallback"]["replicas"] > 0, "KEDA takes 0 for no fallback, and scales to none"


def test_the_scaler_reads_the_metadata_that_the_trigger_has() -> None:
    (trigger,) = build_scaled_object(job_in(Stage.SCORE), KEDA, seconds_per_shard=10)["spec"]["triggers"]
    metadata = ScalerMetadata.read(trigger["metadata"], namespace="team-a")
    assert (trigger["type"], trigger["metadata"]["scalerAddress"]) == ("external-push", KEDA.scaler_address)
    assert metadata.subject == f"labelplane.team-a.{UID}.score"
    assert metadata.target_drain_seconds == 300
    assert metadata.seconds_per_shard is not None
    assert 8 < metadata.seconds_per_shard < 12


def test_a_time_that_wavers_does_not_change_the_object() -> None:
    job = job_in(Stage.SCORE)
    assert build_scaled_object(job, KEDA, seconds_per_shard=10.0) == build_scaled_object(
        job, KEDA, seconds_per_shard=12.0
    )
    assert build_scaled_object(job, KEDA, seconds_per_shard=10.0) != build_scaled_object(
        job, KEDA, seconds_per_shard=20.0
    )
