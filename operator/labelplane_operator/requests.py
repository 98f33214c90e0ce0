"""From a job and its status to the message that starts a stage. Pure: messages are values."""

from collections.abc import Callable
from dataclasses import dataclass

import yaml
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from labelplane.aggregation.v1 import aggregation_pb2 as aggregation
from labelplane.distillation.v1 import distillation_pb2 as distillation
from labelplane.operation.v1 import operation_pb2
from labelplane.scoring.v1 import scoring_pb2 as scoring
from labelplane.task.v1 import task_pb2 as task
from labelplane_api.job import LabelingJob
from labelplane_api.status import LabelingJobStatus, OperationStatus, RoundStatus, Stage
from labelplane_api.training import Student, Teacher, TrainingMode
from labelplane_operator.history import current_round, figure, last_reference
from labelplane_operator.policies.batches import batch_items, further_votes
from labelplane_operator.policies.quality import may_accept, may_export
from labelplane_operator.policies.stopping import Stop
from labelplane_operator.training_run import TrainingRun
from labelplane_operator.vote_sources import knowledge_base_message, rule_message

__all__ = ["Installation", "StageRequest", "build_request", "request_id", "training_run"]

MAX_YAML_LENGTH = 65_536


@dataclass(frozen=True, slots=True)
class Installation:
    """Who asks.

    Attributes:
        id: of the installation.
        leader_epoch: the epoch of its leader.
        is_cluster: whether the job's services are pods.
        review_address: where people go to vote, on a cluster the front of all jobs; empty when there is no one place.
        has_keda: whether jobs may be scaled by KEDA.
    """

    id: str
    leader_epoch: int
    is_cluster: bool = False
    review_address: str = ""
    has_keda: bool = False


@dataclass(frozen=True, slots=True)
class StageRequest:
    """A stage to start, and the message that starts it."""

    stage: Stage
    request_id: str
    message: Message


@dataclass(frozen=True, slots=True)
class _Case:
    """Everything that a message is made of."""

    job: LabelingJob
    status: LabelingJobStatus
    installation: Installation
    operation: OperationStatus
    stop: Stop | None

    @property
    def invocation(self) -> operation_pb2.Invocation:
        return operation_pb2.Invocation(
            request_id=self.operation.request_id, leader_epoch=self.installation.leader_epoch
        )

    @property
    def round(self) -> task.Round:
        return task.Round(number=self.operation.round, attempt=self.operation.attempt)

    @property
    def task(self) -> task.Task:
        return task.Task(type=self.job.spec.task.type.value, classes=self.job.spec.task.classes)

    @property
    def seed(self) -> int:
        return self.job.spec.run.seed

    def newest(self, stage: Stage, name: str) -> str:
        return last_reference(self.status, stage, name)


def request_id(job: LabelingJob, *, round_number: int, stage: Stage, attempt: int) -> str:
    """Return the id that a stage is started under; Prepare runs once for each object, so its id has the uid."""
    name = job.metadata.name
    if stage is Stage.PREPARE:
        uid = job.metadata.uid or "none"
        return f"{name}/prepare/{uid}" if attempt == 1 else f"{name}/prepare/{uid}/{attempt}"
    return f"{name}/{round_number}/{stage.value.lower()}/{attempt}"


def build_request(
    job: LabelingJob,
    status: LabelingJobStatus,
    *,
    installation: Installation,
    stop: Stop | None,
) -> StageRequest:
    """Return the message for the operation that the status names."""
    assert status.operation is not None
    case = _Case(job, status, installation, status.operation, stop)
    message = _BUILDERS[status.operation.stage](case)
    return StageRequest(stage=status.operation.stage, request_id=status.operation.request_id, message=message)


def training_run(job: LabelingJob, request: StageRequest) -> TrainingRun | None:
    """Return the try of the user's training image that goes before a stage; None when none does."""
    message = request.message
    if not isinstance(message, distillation.StartTrainRequest) or not message.image:
        return None
    told = distillation.StartTrainRequest()
    told.CopyFrom(message)
    told.ClearField("invocation")
    return TrainingRun(
        image=message.image,
        round=message.round.number,
        attempt=message.round.attempt,
        seed=job.spec.run.seed,
        request=MessageToJson(told, indent=None),
    )


def _prepare(case: _Case) -> Message:
    metadata = case.job.metadata
    return aggregation.StartPrepareRequest(
        invocation=case.invocation,
        task=case.task,
        dataset=_dataset(case.job),
        ownership=aggregation.Ownership(
            installation=case.installation.id,
            namespace=metadata.namespace,
            name=metadata.name,
            adopt=case.job.spec.output.adopt,
        ),
        seed=case.seed,
    )


def _vote(case: _Case) -> Message:
    return aggregation.StartVoteRequest(
        invocation=case.invocation,
        round=case.round,
        task=case.task,
        index_ref=case.newest(Stage.PREPARE, "index"),
        previous_votes_ref=case.newest(Stage.VOTE, "votes"),
        rules=[rule_message(rule) for rule in case.job.spec.sources.rules],
        knowledge_bases=[knowledge_base_message(each) for each in case.job.spec.sources.knowledge_bases],
        metadata_fields=case.job.spec.dataset.metadata_fields,
    )


def _aggregate(case: _Case) -> Message:
    return aggregation.StartAggregateRequest(
        invocation=case.invocation,
        round=case.round,
        task=case.task,
        index_ref=case.newest(Stage.PREPARE, "index"),
        votes_ref=case.newest(Stage.VOTE, "votes"),
        inference=_inference(case.job),
        model_predictions=_model_predictions(case),
        class_minimums=[
            aggregation.ClassMinimum(class_name=name, accuracy=accuracy)
            for name, accuracy in sorted(case.job.spec.quality.gates.minimum_class_accuracy.items())
        ],
    )


def _train(case: _Case) -> Message:
    model = case.job.spec.model
    return distillation.StartTrainRequest(
        invocation=case.invocation,
        round=case.round,
        task=case.task,
        index_ref=case.newest(Stage.PREPARE, "index"),
        posteriors_ref=case.newest(Stage.AGGREGATE, "posteriors"),
        standing_model_ref=case.status.model.reference if case.status.model else "",
        teacher=_network(model.teacher),
        student=_network(model.student),
        distillation=distillation.Distillation(
            **{"lambda": model.distillation.lambda_},
            temperature=model.distillation.temperature,
            unlabelled=model.distillation.unlabelled,
        ),
        validation_share=model.validation_share,
        seed=case.seed,
        deterministic=case.job.spec.run.deterministic,
        train_on_gold=case.job.spec.dataset.train_on_gold,
        image=model.image or "",
    )


def _score(case: _Case) -> Message:
    assert case.status.model is not None
    return scoring.StartScoreRequest(
        invocation=case.invocation,
        round=case.round,
        task=case.task,
        index_ref=case.newest(Stage.PREPARE, "index"),
        model_ref=case.status.model.reference,
        previous_scores_ref=case.newest(Stage.SCORE, "scores"),
        deterministic=case.job.spec.run.deterministic,
    )


def _select(case: _Case) -> Message:
    sampling = case.job.spec.sampling
    current = current_round(case.status)
    scores_ref = case.newest(Stage.SCORE, "scores") if current is not None and Stage.SCORE in current.stages else ""
    return scoring.StartSelectRequest(
        invocation=case.invocation,
        round=case.round,
        task=case.task,
        index_ref=case.newest(Stage.PREPARE, "index"),
        scores_ref=scores_ref,
        previous_selection_ref=case.newest(Stage.SELECT, "selection"),
        strategy=sampling.strategy.value if scores_ref else sampling.cold_start.value,
        batch_size=batch_items(case.job, case.status, is_cold_start=not scores_ref),
        gold_share=sampling.gold_share,
        check_share=sampling.check_share,
        candidate_pool=sampling.candidate_pool,
        density_weight=sampling.density_weight,
        seed=case.seed,
        votes_ref=case.newest(Stage.VOTE, "votes"),
        review_shares_ref=_review_shares(current),
    )


def _review_shares(current: RoundStatus | None) -> str:
    """Return the round's own shares: those of an earlier one were of rules as they were then."""
    return (
        current.stages[Stage.VOTE].results.get("review_shares", "") if current and Stage.VOTE in current.stages else ""
    )


def _review(case: _Case) -> Message:
    humans = case.job.spec.sources.humans
    return aggregation.StartReviewRequest(
        invocation=case.invocation,
        round=case.round,
        task=case.task,
        index_ref=case.newest(Stage.PREPARE, "index"),
        selection_ref=case.newest(Stage.SELECT, "selection"),
        votes_per_item=humans.votes_per_item if humans else 1,
        suggestion_hidden_share=case.job.spec.review.suggestion_hidden_share,
        seed=case.seed,
        stages=_stage_operations(case.status),
        further=_further(case),
    )


def _further(case: _Case) -> aggregation.FurtherVotes | None:
    """Return when items are asked about again; None where the budget or the job allows no vote beyond the batch."""
    humans, current = case.job.spec.sources.humans, current_round(case.status)
    if humans is None or humans.max_votes_per_item is None or current is None:
        return None
    at_most = further_votes(case.job, case.status, selected=int(figure(current.stages[Stage.SELECT], "selected")))
    if at_most == 0:
        return None
    return aggregation.FurtherVotes(
        posteriors_ref=case.newest(Stage.AGGREGATE, "posteriors"),
        reliabilities_ref=case.newest(Stage.AGGREGATE, "reliabilities"),
        votes_ref=case.newest(Stage.VOTE, "votes"),
        most_votes_per_item=humans.max_votes_per_item,
        least_gain=humans.least_gain,
        at_most=at_most,
    )


def _finalize(case: _Case) -> Message:
    acceptance = case.job.spec.quality.acceptance
    formats = case.job.spec.output.formats if may_export(case.job, case.status) else ()
    return aggregation.StartFinalizeRequest(
        invocation=case.invocation,
        round=case.round,
        task=case.task,
        dataset=_dataset(case.job),
        index_ref=case.newest(Stage.PREPARE, "index"),
        votes_ref=case.newest(Stage.VOTE, "votes"),
        inference=_inference(case.job),
        model_predictions=_model_predictions(case),
        model_ref=case.status.model.reference if case.status.model else "",
        acceptance=aggregation.Acceptance(
            enabled=may_accept(case.job, case.status),
            maximum_risk=acceptance.maximum_risk,
            confidence=acceptance.confidence,
        ),
        formats=[each.value for each in formats],
        rounds=[_round_refs(each) for each in case.status.rounds],
        provenance=_provenance(case),
        stages=_stage_operations(case.status),
    )


_BUILDERS: dict[Stage, Callable[[_Case], Message]] = {
    Stage.PREPARE: _prepare,
    Stage.VOTE: _vote,
    Stage.AGGREGATE: _aggregate,
    Stage.TRAIN: _train,
    Stage.SCORE: _score,
    Stage.SELECT: _select,
    Stage.REVIEW: _review,
    Stage.FINALIZE: _finalize,
}


def _dataset(job: LabelingJob) -> aggregation.Dataset:
    dataset = job.spec.dataset
    return aggregation.Dataset(
        format=dataset.format.value,
        index=dataset.index or "",
        id_field=dataset.id_field or "",
        item_field=dataset.item_field or "",
        gold_field=dataset.gold_field or "",
        gold_gate_share=dataset.gold_gate_share,
        metadata_fields=dataset.metadata_fields,
        max_item_errors=dataset.max_item_errors,
    )


def _inference(job: LabelingJob) -> aggregation.Inference:
    settings = job.spec.aggregation.dawid_skene
    return aggregation.Inference(
        method=job.spec.aggregation.method.value,
        dawid_skene=aggregation.DawidSkene(
            max_iterations=settings.max_iterations,
            tolerance=settings.tolerance,
            shrinkage_mass=settings.shrinkage_mass,
            class_prior=settings.class_prior.value,
        ),
        seed=job.spec.run.seed,
    )


def _model_predictions(case: _Case) -> aggregation.ModelPredictions | None:
    """Return the standing model's predictions, None while there are none or the job does not want them."""
    scores_ref = case.newest(Stage.SCORE, "scores")
    if case.status.model is None or not scores_ref or not case.job.spec.aggregation.model_prior:
        return None
    return aggregation.ModelPredictions(out_of_fold_ref=case.status.model.out_of_fold, scores_ref=scores_ref)


def _network(network: Teacher | Student) -> distillation.Network:
    return distillation.Network(
        encoder=network.encoder.value,
        weights=network.weights or "",
        fine_tune=isinstance(network, Teacher) and network.mode is TrainingMode.FINE_TUNING,
        members=network.members,
        hidden_size=network.hidden_size,
        epochs=network.epochs,
        learning_rate=network.learning_rate,
        weight_decay=network.weight_decay,
        batch_size=network.batch_size,
        dropout=network.dropout,
        augment=network.augmentation,
        patience=network.patience,
    )


def _stage_operations(status: LabelingJobStatus) -> list[aggregation.StageOperation]:
    current = current_round(status)
    finished = current.stages if current else {}
    # In the stages' own order: an API server returns a map's keys sorted, and the same Start must be the same message.
    return [
        aggregation.StageOperation(stage=stage.value, request_id=finished[stage].request_id)
        for stage in Stage
        if stage in finished
    ]


def _round_refs(each: RoundStatus) -> aggregation.RoundRefs:
    def reference(stage: Stage, name: str) -> str:
        return each.stages[stage].results.get(name, "") if stage in each.stages else ""

    votes = int(figure(each.stages[Stage.VOTE], "people_votes")) if Stage.VOTE in each.stages else 0
    return aggregation.RoundRefs(
        number=each.round,
        votes=votes,
        posteriors_ref=reference(Stage.AGGREGATE, "posteriors"),
        scores_ref=reference(Stage.SCORE, "scores"),
        selection_ref=reference(Stage.SELECT, "selection"),
        out_of_fold_ref=reference(Stage.TRAIN, "out_of_fold"),
    )


def _provenance(case: _Case) -> aggregation.Provenance:
    job, cost = case.job, case.status.cost
    humans = job.spec.sources.humans
    return aggregation.Provenance(
        job_yaml=_job_yaml(job),
        truth_field=job.spec.dataset.truth_field or "",
        currency=job.spec.budget.currency,
        price_per_vote=humans.price_per_vote if humans else 0.0,
        cpu_seconds=cost.cpu_seconds,
        gpu_seconds=cost.gpu_seconds,
        money=cost.money,
        stop_reason=case.stop.reason.value if case.stop else "",
        stop_message=case.stop.message if case.stop else "",
    )


def _job_yaml(job: LabelingJob) -> str:
    """Return the job as YAML without its status; it holds no Secret, only the names of some.

    What may change without a change of what is wanted is left out: the message of an operation must stay the same.
    """
    fields = job.model_dump(
        mode="json",
        by_alias=True,
        exclude={
            "status": True,
            "metadata": {"generation", "deletion_timestamp", "finalizers"},
            "spec": {"run": {"suspend"}},
        },
        exclude_unset=True,
    )
    if not fields["spec"].get("run", True):
        del fields["spec"]["run"]  # it held suspend alone
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)[:MAX_YAML_LENGTH]
