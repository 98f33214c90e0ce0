"""A training image of the user's: what the plan asks for while it trains, and what its end means."""

from dataclasses import replace
from typing import Any

import grpc
import pytest
from cluster_jobs import in_own_store
from google.protobuf.json_format import Parse
from job_builder import make_cluster_job
from planned_world import CLUSTER, PlannedWorld
from played_channel import rpc_error
from reconciled_world import PATH, ReconciledWorld

from labelplane.aggregation.v1 import review_inbox_pb2
from labelplane.distillation.v1 import distillation_pb2
from labelplane_api.conditions import ConditionType
from labelplane_api.parts import Part
from labelplane_api.running import Profile
from labelplane_api.status import LabelingJobStatus, Stage
from labelplane_operator.child_views import pod_view, training_view
from labelplane_operator.observed import ContainerView, Observed, Problem, TrainingState, TrainingView
from labelplane_operator.plan import AWAITING_SECONDS, BLOCKED_SECONDS, RUNNING_SECONDS, Plan
from labelplane_operator.policies.training_image import failed_training, queued_training

IMAGE = "me/train:1"
JOB = make_cluster_job().with_storage(credentials_secret="keys").having("spec.model.image", IMAGE)
PEOPLE = frozenset({Part.AGGREGATION})
PROGRESSING = ConditionType.PROGRESSING
MOMENT = "2026-01-01T00:00:00Z"

Object = dict[str, Any]


def training(state: TrainingState = TrainingState.RUNNING, *, attempt: int = 1, **fields: Any) -> TrainingView:
    return TrainingView(f"digits/1/train/{attempt}", f"digits-train-1-{attempt}", state, **fields)


DONE, FAILED = training(TrainingState.SUCCEEDED), training(TrainingState.FAILED)


def waiting(world: PlannedWorld | None = None) -> PlannedWorld:
    """Return a job whose image is about to train."""
    world = world or PlannedWorld(JOB.build(), installation=CLUSTER)
    for _ in range(100):
        if world.step().training is not None:
            return world
    raise AssertionError(world.stages())


def the_plan(world: PlannedWorld) -> Plan:
    assert world.plan is not None
    return world.plan


# -- the plan ---------------------------------------------------------------------------------------------------------


def test_image_trains_before_train_is_started_and_no_trainer_of_ours_is_up() -> None:
    plan = the_plan(waiting())

    assert plan.start is None
    assert plan.parts == PEOPLE
    assert plan.training is not None
    assert (plan.training.image, plan.training.round, plan.training.attempt) == (IMAGE, 1, 1)
    assert '"posteriorsRef"' in plan.training.request
    assert "invocation" not in plan.training.request
    assert plan.requeue_after_seconds == AWAITING_SECONDS


def test_job_that_trains_is_named_with_its_image() -> None:
    world = waiting()

    world.step(Observed(training=training()))

    message = f"Train of round 1: Job digits-train-1-1 trains with image {IMAGE}"
    assert world.condition(PROGRESSING) == ("True", "StageRunning", message)


def test_train_takes_what_the_image_handed_over_and_its_job_stands_till_then() -> None:
    world = waiting()
    before = the_plan(world).training

    plan = world.step(Observed(training=DONE))

    assert plan.start is not None
    assert plan.start.message.image == IMAGE  # type: ignore[attr-defined]
    assert plan.parts == PEOPLE | {Part.DISTILLATION}
    assert plan.training == before
    following = world.step()
    assert following.training is None
    assert following.start is not None
    assert following.start.stage is Stage.SCORE


def test_image_is_told_the_very_message_that_train_is_started_with() -> None:
    odd = JOB.with_student(learning_rate=0.1 + 0.2).with_classes("zu\u0308", '"$(x)', "\u00e9\U0001f600").build()
    world = waiting(PlannedWorld(odd, installation=CLUSTER))
    run = the_plan(world).training
    assert run is not None
    assert run.request.isascii()

    start = world.step(Observed(training=DONE)).start

    assert start is not None
    start.message.ClearField("invocation")
    assert Parse(run.request, distillation_pb2.StartTrainRequest()) == start.message


def test_another_leader_asks_for_the_very_same_job() -> None:
    world = waiting()
    before = the_plan(world).training

    world.installation = replace(CLUSTER, leader_epoch=CLUSTER.leader_epoch + 1)

    assert world.step(Observed(training=training())).training == before


def test_job_of_another_try_starts_nothing() -> None:
    world = waiting()

    assert world.step(Observed(training=training(TrainingState.SUCCEEDED, attempt=2))).start is None


def test_failed_image_is_tried_again_later_by_a_job_of_its_own() -> None:
    world = waiting()

    plan = world.step(Observed(operation=failed_training(FAILED), training=FAILED))
    assert plan.training is None
    assert plan.parts == PEOPLE
    assert world.condition(PROGRESSING)[:2] == ("True", "StageRetrying")
    again = world.step(Observed())

    assert again.training is not None
    assert again.training.attempt == 2


def test_image_that_says_that_trying_again_is_of_no_use_fails_the_job() -> None:
    world = waiting()
    ended = ContainerView("train", image=IMAGE, exit_code=2, last_words="no GPU, no training\n")
    view = training(TrainingState.FAILED, ended=ended)

    plan = world.step(Observed(operation=failed_training(view), training=view))

    assert plan.is_final
    status, reason, message = world.condition(ConditionType.FAILED)
    assert (status, reason) == ("True", "TrainingImageFailed")
    assert message.startswith(f"Train of round 1: training image {IMAGE} ended with exit code 2: no GPU, no training")


def test_image_that_cannot_be_pulled_is_told_and_waited_for() -> None:
    world = waiting()
    problem = Problem("ImageUnavailable", f"image {IMAGE} cannot be pulled")

    plan = world.step(Observed(training=training(), problem=problem))

    assert world.condition(PROGRESSING) == ("False", "ImageUnavailable", problem.message)
    assert plan.training is not None
    assert plan.requeue_after_seconds == AWAITING_SECONDS


def test_service_that_does_not_answer_while_the_image_trains_is_asked_again_soon() -> None:
    world = waiting()

    silent = world.step(Observed(unavailable="UNAVAILABLE: no connection", training=training()))
    starting = world.step(Observed(unavailable="no pod is ready", awaits_pods=True, training=training()))

    assert (silent.requeue_after_seconds, starting.requeue_after_seconds) == (RUNNING_SECONDS, AWAITING_SECONDS)
    assert RUNNING_SECONDS < BLOCKED_SECONDS


def test_training_that_waits_for_its_queue_says_so_and_its_clock_stands() -> None:
    world = waiting()
    view = training(queue="team-a")

    world.step(Observed(training=view, problem=queued_training(view)))

    status, reason, message = world.condition(PROGRESSING)
    assert (status, reason) == ("False", "NotAdmitted")
    assert message == "Job digits-train-1-1 waits for LocalQueue team-a to admit it: it goes on by itself then"
    assert queued_training(training()) is None


def test_suspended_job_trains_nothing_and_goes_on_with_the_same_try() -> None:
    world = waiting()
    before = the_plan(world).training
    world.change(JOB.suspended())
    held = world.step(Observed())
    assert (held.training, held.parts) == (None, frozenset())

    world.change(JOB)
    again = world.step(Observed())

    assert again.training is not None
    assert before is not None
    assert (again.training.round, again.training.attempt) == (before.round, before.attempt)


def test_whole_job_asks_for_one_training_a_round() -> None:
    world = PlannedWorld(JOB.build(), installation=CLUSTER)
    asked = set()
    for _ in range(400):
        if (plan := world.step(_trained(world))).training is not None:
            asked.add((plan.training.round, plan.training.attempt))
        if plan.is_final:
            break

    assert the_plan(world).is_final
    trained = [each.round for each in world.job.status.rounds if Stage.TRAIN in each.stages]
    assert sorted(asked) == [(number, 1) for number in trained]
    assert trained


def _trained(world: PlannedWorld) -> Observed:
    """Return what is seen when every image has done its work at once."""
    named = world.job.status.operation
    if named is None or named.stage is not Stage.TRAIN:
        return world.observe()
    return replace(world.observe(), training=TrainingView(named.request_id, "a Job", TrainingState.SUCCEEDED))


# -- what its end means -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ended", "want_reason", "want_message", "want_retry"),
    [
        pytest.param(
            ContainerView("train", image=IMAGE, exit_code=3, last_words="epoch 1\n\n  CUDA  error\n"),
            "TrainingImageFailed",
            f"training image {IMAGE} ended with exit code 3: epoch 1 / CUDA error",
            True,
            id="its last lines",
        ),
        pytest.param(
            ContainerView("train", image=IMAGE, exit_code=1),
            "TrainingImageFailed",
            f"training image {IMAGE} ended with exit code 1: it said nothing",
            True,
            id="an image that says nothing",
        ),
        pytest.param(
            ContainerView("train", image=IMAGE, exit_code=137, ended_reason="Error"),
            "TrainingImageFailed",
            f"training image {IMAGE} ended with exit code 137: it was killed",
            True,
            id="killed",
        ),
        pytest.param(
            ContainerView("train", image=IMAGE, exit_code=137, ended_reason="OOMKilled"),
            "OutOfMemory",
            f"training image {IMAGE} used more memory than its limit and was killed: raise resources.limits.memory of "
            "distillation in podOverrides",
            True,
            id="out of memory",
        ),
        pytest.param(
            ContainerView("train", image=IMAGE, exit_code=1, last_words="\x1b[31mred\x1b[0m\tand\x07 loud\n\x1b\n"),
            "TrainingImageFailed",
            f"training image {IMAGE} ended with exit code 1: [31mred[0m and loud",
            True,
            id="words that a terminal would obey",
        ),
        pytest.param(
            ContainerView("collect", image="ours", exit_code=137, ended_reason="OOMKilled"),
            "OutOfMemory",
            "step collect used more memory than its limit and was killed: train on fewer items, or hand over a smaller "
            "model",
            True,
            id="a step out of memory",
        ),
        pytest.param(
            ContainerView("collect", image="ours", exit_code=2, last_words="labelplane collect: there is nothing\n"),
            "TrainingImageFailed",
            "step collect ended with exit code 2: labelplane collect: there is nothing",
            False,
            id="nothing to collect",
        ),
        pytest.param(
            ContainerView("stage", image="ours", exit_code=1, last_words="labelplane stage: the store is away"),
            "TrainingImageFailed",
            "step stage ended with exit code 1: labelplane stage: the store is away",
            True,
            id="a store that is away",
        ),
        pytest.param(
            None,
            "TrainingImageFailed",
            "Job digits-train-1-1 has failed: Job has reached the specified backoff limit",
            True,
            id="a pod that nobody saw end",
        ),
    ],
)
def test_failed_training_is_told_by_what_ended(
    ended: ContainerView | None, want_reason: str, want_message: str, *, want_retry: bool
) -> None:
    view = training(TrainingState.FAILED, ended=ended, message="Job has reached the specified backoff limit")

    failed = failed_training(view)

    assert failed is not None
    assert failed.error is not None
    assert (failed.error.reason, failed.error.is_retryable) == (want_reason, want_retry)
    assert failed.error.message == want_message


def test_long_words_keep_their_end() -> None:
    ended = ContainerView("train", image=IMAGE, exit_code=1, last_words="x" * 900 + " the end")
    failed = failed_training(training(TrainingState.FAILED, ended=ended))

    assert failed is not None
    assert failed.error is not None
    assert failed.error.message.endswith("x the end")
    assert len(failed.error.message) < 600


@pytest.mark.parametrize("view", [None, training(), DONE], ids=["none", "running", "done"])
def test_training_that_has_not_failed_is_no_failure(view: TrainingView | None) -> None:
    assert failed_training(view) is None


# -- what is seen -----------------------------------------------------------------------------------------------------


def batch_job(*conditions: str, **spec: Any) -> Object:
    told = [{"type": each, "status": "True", "message": "why"} for each in conditions]
    labels = {"kueue.x-k8s.io/queue-name": "team-a"}
    return {"metadata": {"name": "j", "labels": labels}, "spec": spec, "status": {"conditions": told}}


def pod(phase: str, **code: int) -> Object:
    ended = [
        {"name": name, "state": {"terminated": {"exitCode": number, "reason": "Error", "message": "words"}}}
        for name, number in code.items()
    ]
    spec = {"initContainers": [{"name": "train", "image": IMAGE}], "containers": [{"name": "collect", "image": "c"}]}
    metadata = {"name": "p", "labels": {}}
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase, "initContainerStatuses": ended}}


@pytest.mark.parametrize(
    ("job", "pods", "want"),
    [
        pytest.param(batch_job(), [], TrainingState.RUNNING, id="just made"),
        pytest.param(batch_job("FailureTarget"), [], TrainingState.RUNNING, id="about to fail"),
        pytest.param(batch_job("Complete"), [pod("Succeeded")], TrainingState.SUCCEEDED, id="done"),
        pytest.param(batch_job("Failed"), [pod("Failed", train=3)], TrainingState.FAILED, id="failed"),
        pytest.param(batch_job("Failed"), [], TrainingState.FAILED, id="failed and its pod gone"),
        pytest.param(batch_job("Failed"), [pod("Running")], TrainingState.RUNNING, id="failed and no pod seen to end"),
    ],
)
def test_training_is_as_far_as_its_job_and_pods_say(job: Object, pods: list[Object], want: TrainingState) -> None:
    assert training_view(job, pods, request_id="r").state is want


def test_container_that_ended_with_an_error_is_told_with_its_image() -> None:
    view = training_view(batch_job("Failed"), [pod("Failed", stage=0, train=3)], request_id="r")

    assert view.ended is not None
    assert (view.ended.name, view.ended.image, view.ended.exit_code) == ("train", IMAGE, 3)
    assert view.ended.last_words == "words"
    assert pod_view(pod("Failed", train=3)).containers[0].image == IMAGE


def test_pod_that_the_cluster_took_away_explains_no_failure() -> None:
    taken = pod("Failed", train=143)
    taken["status"]["conditions"] = [{"type": "DisruptionTarget", "status": "True"}]

    view = training_view(batch_job("Failed"), [taken, pod("Failed", train=2)], request_id="r")

    assert view.ended is not None
    assert view.ended.exit_code == 2
    assert training_view(batch_job("Failed"), [taken], request_id="r").ended is None


def test_job_that_is_held_waits_for_its_queue() -> None:
    assert training_view(batch_job(suspend=True), [], request_id="r").queue == "team-a"
    assert training_view(batch_job(), [], request_id="r").queue == ""


# -- on the API server ------------------------------------------------------------------------------------------------

TRAINING_PATH = "/apis/batch/v1/namespaces/team-a/jobs/digits-train-1-1"


def status_at_train(profile: Profile) -> LabelingJobStatus:
    return waiting().job.status.model_copy(update={"profile": profile})


@pytest.fixture(params=[Profile.SMALL, Profile.DISTRIBUTED], ids=lambda profile: profile.value)
async def world(request: pytest.FixtureRequest) -> ReconciledWorld:
    """A job on a cluster whose image is to train; the pods that are up are ready."""
    made = ReconciledWorld(in_own_store().having("spec.model.image", IMAGE))
    made.make_job()
    made.change_job(status=status_at_train(request.param).to_manifest())
    made.channel.answers["GetOperation"] = rpc_error(grpc.StatusCode.NOT_FOUND)
    made.channel.answers["GetProgress"] = review_inbox_pb2.GetProgressResponse()
    await made.reconcile()
    for path, each in list(made.api.objects.items()):
        if each["kind"] == "Deployment" and each["spec"]["replicas"]:
            made.api.put(path, {**each, "status": {"readyReplicas": 1}})
    made.see()
    return made


def _end(world: ReconciledWorld, kind: str) -> None:
    job = world.api.objects[TRAINING_PATH]
    world.api.put(TRAINING_PATH, {**job, "status": batch_job(kind)["status"]})
    world.see()


async def test_job_is_made_beside_the_pods_of_its_labeling_job(world: ReconciledWorld) -> None:
    assert TRAINING_PATH in world.api.objects
    assert world.job()["status"]["stage"] == "Train"
    assert not any("StartTrain" in each for each in world.channel.asked)


async def test_what_runs_costs_no_request(world: ReconciledWorld) -> None:
    await world.reconcile()
    world.api.asked()

    await world.reconcile()

    assert world.api.asked() == []


async def test_job_that_failed_is_a_failed_train_and_goes(world: ReconciledWorld) -> None:
    _end(world, "Failed")

    await world.reconcile()

    assert world.job()["status"]["operation"]["attempt"] == 2
    assert world.condition("Progressing")["reason"] == "StageRetrying"
    assert TRAINING_PATH not in world.api.objects


async def test_another_image_takes_the_place_of_one_that_trains(world: ReconciledWorld) -> None:
    spec = world.job()["spec"]
    world.change_job(spec={**spec, "model": {**spec["model"], "image": "me/train:2"}})

    await world.reconcile()
    assert TRAINING_PATH not in world.api.objects
    await world.reconcile()

    pod_spec = world.api.objects[TRAINING_PATH]["spec"]["template"]["spec"]
    assert pod_spec["initContainers"][1]["image"] == "me/train:2"
    assert PATH in world.api.objects
