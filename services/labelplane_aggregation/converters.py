"""From the messages of the aggregation service to its requests."""

from collections.abc import Iterable, Sequence

from labelplane.aggregation.v1 import aggregation_pb2 as pb
from labelplane.task.v1 import task_pb2
from labelplane_aggregation.models import MODELS
from labelplane_aggregation.requests import (
    Acceptance,
    AggregateRequest,
    Dataset,
    DatasetFormat,
    FinalizeRequest,
    FurtherVotes,
    Inference,
    Ownership,
    Predictions,
    PrepareRequest,
    Provenance,
    ReviewRequest,
    RoundRefs,
    StageRef,
    Task,
    VoteRequest,
)
from labelplane_aggregation.source_converters import knowledge_base_specs, rule_entries
from labelplane_core.errors import InvalidInput
from labelplane_core.task_messages import classes_from_proto, kind_from_proto, share_from_proto
from labelplane_report.export import export_format

__all__ = ["aggregate_request", "finalize_request", "prepare_request", "review_request", "vote_request"]

_MAX_VOTES_PER_ITEM = 25
_MAX_ITERATIONS = 10_000
_MAX_METADATA_FIELDS = 32
_MAX_CLASS_MINIMUMS = 1000
_CLASS_PRIORS = {"": "learned", "Learned": "learned", "Uniform": "uniform"}


def prepare_request(message: pb.StartPrepareRequest) -> PrepareRequest:
    """Return the request, or raise `InvalidInput` naming the field that is wrong."""
    owner = message.ownership
    if not owner.name:
        raise InvalidInput("ownership.name must be set: it claims the output prefix")
    return PrepareRequest(
        task=_task(message.task),
        dataset=_dataset(message.dataset),
        ownership=Ownership(owner.installation, owner.namespace, owner.name, adopt=owner.adopt),
        seed=message.seed,
    )


def vote_request(message: pb.StartVoteRequest) -> VoteRequest:
    """Return the request, or raise `InvalidInput` naming the field that is wrong."""
    return VoteRequest(
        round_number=message.round.number,
        attempt=message.round.attempt,
        task=_task(message.task),
        index_ref=_reference("index_ref", message.index_ref),
        previous_votes_ref=message.previous_votes_ref,
        rules=rule_entries(message.rules),
        knowledge_bases=knowledge_base_specs(message.knowledge_bases),
        metadata_fields=_metadata_fields("metadata_fields", message.metadata_fields),
    )


def aggregate_request(message: pb.StartAggregateRequest) -> AggregateRequest:
    """Return the request, or raise `InvalidInput` naming the field that is wrong."""
    has_model = message.HasField("model_predictions")
    task = _task(message.task)
    return AggregateRequest(
        round_number=message.round.number,
        attempt=message.round.attempt,
        task=task,
        index_ref=_reference("index_ref", message.index_ref),
        votes_ref=_reference("votes_ref", message.votes_ref),
        inference=_inference(message.inference),
        predictions=_predictions(message.model_predictions) if has_model else None,
        class_minimums=_class_minimums(message.class_minimums, task.classes),
    )


def review_request(message: pb.StartReviewRequest) -> ReviewRequest:
    """Return the request, or raise `InvalidInput` naming the field that is wrong."""
    if not 1 <= message.votes_per_item <= _MAX_VOTES_PER_ITEM:
        raise InvalidInput(f"votes_per_item must be from 1 to {_MAX_VOTES_PER_ITEM}, got {message.votes_per_item}")
    return ReviewRequest(
        round_number=message.round.number,
        attempt=message.round.attempt,
        task=_task(message.task),
        index_ref=_reference("index_ref", message.index_ref),
        selection_ref=_reference("selection_ref", message.selection_ref),
        votes_per_item=message.votes_per_item,
        suggestion_hidden_share=share_from_proto("suggestion_hidden_share", message.suggestion_hidden_share),
        seed=message.seed,
        stages=_stages(message.stages),
        further=_further(message) if message.HasField("further") else None,
    )


def _further(message: pb.StartReviewRequest) -> FurtherVotes:
    further = message.further
    if not message.votes_per_item <= further.most_votes_per_item <= _MAX_VOTES_PER_ITEM:
        raise InvalidInput(
            f"further.most_votes_per_item must be from {message.votes_per_item} to {_MAX_VOTES_PER_ITEM}, "
            f"got {further.most_votes_per_item}"
        )
    if not 0 < further.least_gain < 1:
        raise InvalidInput(f"further.least_gain must be above 0 and below 1, got {further.least_gain}")
    return FurtherVotes(
        posteriors_ref=_reference("further.posteriors_ref", further.posteriors_ref),
        reliabilities_ref=_reference("further.reliabilities_ref", further.reliabilities_ref),
        votes_ref=_reference("further.votes_ref", further.votes_ref),
        most_votes_per_item=further.most_votes_per_item,
        least_gain=further.least_gain,
        at_most=further.at_most,
    )


def finalize_request(message: pb.StartFinalizeRequest) -> FinalizeRequest:
    """Return the request, or raise `InvalidInput` naming the field that is wrong."""
    has_model = message.HasField("model_predictions")
    for name in message.formats:
        export_format(name)
    return FinalizeRequest(
        round_number=message.round.number,
        attempt=message.round.attempt,
        task=_task(message.task),
        dataset=_dataset(message.dataset),
        index_ref=_reference("index_ref", message.index_ref),
        votes_ref=_reference("votes_ref", message.votes_ref),
        inference=_inference(message.inference),
        predictions=_predictions(message.model_predictions) if has_model else None,
        model_ref=message.model_ref,
        acceptance=_acceptance(message.acceptance),
        formats=tuple(message.formats),
        rounds=tuple(
            RoundRefs(each.number, each.votes, each.posteriors_ref, each.scores_ref) for each in message.rounds
        ),
        provenance=_provenance(message.provenance),
        stages=_stages(message.stages),
    )


def _task(message: task_pb2.Task) -> Task:
    return Task(kind=kind_from_proto(message), classes=classes_from_proto(message))


def _reference(name: str, value: str) -> str:
    if not value:
        raise InvalidInput(f"{name} must be set")
    return value


def _dataset(message: pb.Dataset) -> Dataset:
    known = {each.value for each in DatasetFormat}
    if (message.format or "Auto") not in known:
        raise InvalidInput(f"dataset.format {message.format!r} is none of {', '.join(sorted(known))}")
    return Dataset(
        format=DatasetFormat(message.format or "Auto"),
        index=message.index,
        id_field=message.id_field,
        item_field=message.item_field,
        gold_field=message.gold_field,
        gold_gate_share=share_from_proto("dataset.gold_gate_share", message.gold_gate_share),
        metadata_fields=_metadata_fields("dataset.metadata_fields", message.metadata_fields),
        max_item_errors=message.max_item_errors,
    )


def _metadata_fields(name: str, fields: Sequence[str]) -> tuple[str, ...]:
    if len(fields) > _MAX_METADATA_FIELDS:
        raise InvalidInput(f"{name} must be at most {_MAX_METADATA_FIELDS}")
    return tuple(fields)


def _inference(message: pb.Inference) -> Inference:
    if message.method not in MODELS:
        raise InvalidInput(f"inference.method {message.method!r} is none of {', '.join(MODELS)}")
    parameters: dict[str, object] = {}
    if message.method == "DawidSkene":
        parameters = _dawid_skene(message.dawid_skene)
    elif message.method == "LabelModel":
        # The method fits people's votes; who was asked about an item says nothing of its class.
        parameters = {"abstention": "ignored"}
    return Inference(method=message.method, parameters=parameters, seed=message.seed)


def _dawid_skene(message: pb.DawidSkene) -> dict[str, object]:
    where = "inference.dawid_skene"
    if not 1 <= message.max_iterations <= _MAX_ITERATIONS:
        raise InvalidInput(f"{where}.max_iterations must be from 1 to {_MAX_ITERATIONS}, got {message.max_iterations}")
    if not (message.tolerance >= 0 and message.shrinkage_mass >= 0):
        raise InvalidInput(f"{where}.tolerance and shrinkage_mass must be at least 0")
    if message.class_prior not in _CLASS_PRIORS:
        raise InvalidInput(f"{where}.class_prior {message.class_prior!r} must be Learned or Uniform")
    return {
        "max_iterations": message.max_iterations,
        "tolerance": message.tolerance,
        "shrinkage_mass": message.shrinkage_mass,
        "class_prior": _CLASS_PRIORS[message.class_prior],
    }


def _predictions(message: pb.ModelPredictions) -> Predictions:
    return Predictions(out_of_fold_ref=message.out_of_fold_ref, scores_ref=message.scores_ref)


def _class_minimums(messages: Sequence[pb.ClassMinimum], classes: Sequence[str]) -> dict[str, float]:
    names = [each.class_name for each in messages]
    if len(names) > _MAX_CLASS_MINIMUMS or len(set(names)) != len(names):
        raise InvalidInput(f"class_minimums must be at most {_MAX_CLASS_MINIMUMS}, each of another class")
    unknown = sorted(set(names) - set(classes))
    if unknown:
        raise InvalidInput(f"class_minimums: {unknown[0]!r} is none of the task's classes: name one of them")
    return {each.class_name: share_from_proto("class_minimums.accuracy", each.accuracy) for each in messages}


def _stages(messages: Iterable[pb.StageOperation]) -> tuple[StageRef, ...]:
    return tuple(StageRef(stage=each.stage, request_id=each.request_id) for each in messages)


def _acceptance(message: pb.Acceptance) -> Acceptance:
    if message.enabled and not 0 < message.confidence < 1:
        raise InvalidInput(f"acceptance.confidence must lie between 0 and 1, got {message.confidence}")
    return Acceptance(
        is_enabled=message.enabled,
        maximum_risk=share_from_proto("acceptance.maximum_risk", message.maximum_risk),
        confidence=message.confidence,
    )


def _provenance(message: pb.Provenance) -> Provenance:
    return Provenance(
        job_yaml=message.job_yaml,
        truth_field=message.truth_field,
        currency=message.currency,
        price_per_vote=message.price_per_vote,
        cpu_seconds=message.cpu_seconds,
        gpu_seconds=message.gpu_seconds,
        money=message.money,
        stop_reason=message.stop_reason,
        stop_message=message.stop_message,
    )
