"""`LabelingJob.status`: everything that the planner knows about a job, and what people are shown.

A finished operation is copied in and trusted from there, so a job whose pods are gone is still fully known. Unlike
the spec, a status with fields of a newer version is read, without them: a rollback must not strand a job.
"""

from enum import StrEnum
from typing import Annotated, Any

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from labelplane_api.conditions import Condition
from labelplane_api.running import Profile
from labelplane_api.schema import ApiModel, Change, Float, Int, Timestamp, group, mapping, option

_Short = Annotated[str, StringConstraints(max_length=253)]
_Reference = Annotated[str, StringConstraints(max_length=1024)]
_Figure = Annotated[float, Field(allow_inf_nan=False)]
_Count = Annotated[int, Field(strict=True, ge=0)]


def _keyed_by(name: str) -> dict[str, Any]:
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [name]}


class Stage(StrEnum):
    """One step of a round, in their order."""

    PREPARE = "Prepare"
    VOTE = "Vote"
    AGGREGATE = "Aggregate"
    TRAIN = "Train"
    SCORE = "Score"
    SELECT = "Select"
    REVIEW = "Review"
    FINALIZE = "Finalize"


class StatusModel(ApiModel):
    """The base of the status's types: fields of a newer version are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, extra="ignore")


class StageResult(StatusModel):
    """A finished operation."""

    request_id: _Short = option("requestId names the operation: name/round/stage/attempt.", change=Change.NONE)
    attempt: Int = option("attempt counts the tries of the stage in its round, from 1.", 1, ge=1, change=Change.NONE)
    results: dict[_Short, _Reference] = mapping(
        "results are references to what it wrote, by name.", max_length=64, change=Change.NONE
    )
    figures: dict[_Short, _Figure] = mapping(
        "figures are the numbers it measured, by name; CPU and GPU seconds among them.",
        max_length=64,
        change=Change.NONE,
    )
    started_at: Timestamp | None = option("startedAt is when it began.", None, change=Change.NONE)
    finished_at: Timestamp | None = option("finishedAt is when it ended.", None, change=Change.NONE)


class PrepareStatus(StatusModel):
    """What Prepare found; it runs once for an object."""

    result: StageResult = option("result is the finished operation.", change=Change.NONE)
    items: Int = option("items is how many items the data set has.", 0, ge=0, change=Change.NONE)
    gold_gate: Int = option("goldGate is how many gold items decide.", 0, ge=0, change=Change.NONE)
    gold_audit: Int = option("goldAudit is how many gold items are only reported.", 0, ge=0, change=Change.NONE)
    item_errors: Int = option("itemErrors is how many items cannot be read.", 0, ge=0, change=Change.NONE)
    data_hash: _Short = option("dataHash identifies the items and their order.", "", change=Change.NONE)
    finished_rounds: Int = option(
        "finishedRounds is how many rounds of an earlier object of this prefix stand in the store; the job goes on "
        "after them.",
        0,
        ge=0,
        change=Change.NONE,
    )
    attempts: dict[Stage, _Count] = mapping(
        "attempts are the highest attempts of that object's unfinished round, by stage.",
        max_length=8,
        change=Change.NONE,
    )


class RoundStatus(StatusModel):
    """One pass of the loop; it does not change once it is finished."""

    round: Int = option("round is its number, from 0.", ge=0, change=Change.NONE)
    stages: dict[Stage, StageResult] = mapping("stages are its finished stages.", max_length=8, change=Change.NONE)
    skipped: dict[Stage, _Short] = mapping(
        "skipped are stages that this round does without, with the reason.", max_length=8, change=Change.NONE
    )
    votes: Int = option("votes is how many votes of people there were at its end.", 0, ge=0, change=Change.NONE)
    labelled: Int = option("labelled is how many items had a vote of a person at its end.", 0, ge=0, change=Change.NONE)
    accuracy: Float | None = option(
        "accuracy is the student's share of right answers on gate gold.", None, ge=0, le=1, change=Change.NONE
    )
    prediction_agreement: Float | None = option(
        "predictionAgreement is Cohen's kappa with the round before.", None, ge=-1, le=1, change=Change.NONE
    )
    started_at: Timestamp | None = option("startedAt is when it began.", None, change=Change.NONE)
    finished_at: Timestamp | None = option("finishedAt is when it ended.", None, change=Change.NONE)


class EarlierRounds(StatusModel):
    """What stays of the finished rounds that are no longer listed: all that a decision or a forecast needs of them."""

    rounds: Int = option("rounds is how many they are.", 0, ge=0, change=Change.NONE)
    batches: Int = option("batches is how many of them asked people.", 0, ge=0, change=Change.NONE)
    asked: Int = option("asked is how many items their batches had.", 0, ge=0, change=Change.NONE)
    accuracy: Float | None = option(
        "accuracy is the best of their students on gate gold.", None, ge=0, le=1, change=Change.NONE
    )
    stages: dict[Stage, StageResult] = mapping(
        "stages are the newest of their finished stages, by name.", max_length=8, change=Change.NONE
    )


class OperationStatus(StatusModel):
    """The operation that runs, or waits to be tried again."""

    request_id: _Short = option("requestId names the operation: name/round/stage/attempt.", change=Change.NONE)
    stage: Stage = option("stage is what it does.", change=Change.NONE)
    round: Int = option("round is the round it belongs to; 0 for Prepare.", 0, ge=0, change=Change.NONE)
    attempt: Int = option("attempt counts the tries, from 1.", 1, ge=1, change=Change.NONE)
    not_before: Timestamp | None = option(
        "notBefore is when it may be tried again.", None, otherwise="it runs", change=Change.NONE
    )
    started_at: Timestamp | None = option("startedAt is when it began.", None, change=Change.NONE)
    done: Int = option("done is how much of it is done, in unit.", 0, ge=0, change=Change.NONE)
    total: Int = option("total is how much there is to do, in unit; 0 while unknown.", 0, ge=0, change=Change.NONE)
    unit: _Short = option("unit is what done and total count, as in items.", "", change=Change.NONE)


class ModelStatus(StatusModel):
    """The model that stands."""

    promoted: _Short = option("promoted is the digest of the student that scores.", change=Change.NONE)
    round: Int = option("round is the round that trained it.", ge=0, change=Change.NONE)
    accuracy: Float | None = option(
        "accuracy is its share of right answers on gate gold.", None, ge=0, le=1, change=Change.NONE
    )
    reference: _Reference = option("reference is the folder of the model in the store.", "", change=Change.NONE)
    out_of_fold: _Reference = option(
        "outOfFold is its predictions for the items that it was trained on, each by members that never saw it.",
        "",
        change=Change.NONE,
    )


class CostStatus(StatusModel):
    """What the job has used up."""

    votes: Int = option("votes is how many votes of people were paid.", 0, ge=0, change=Change.NONE)
    cpu_seconds: Float = option("cpuSeconds is the CPU time, in seconds.", 0.0, ge=0, change=Change.NONE)
    gpu_seconds: Float = option("gpuSeconds is the GPU time, in seconds.", 0.0, ge=0, change=Change.NONE)
    money: Float = option("money is the cost by the stated prices.", 0.0, ge=0, change=Change.NONE)
    currency: _Short = option("currency is the unit of money.", "USD", change=Change.NONE)


class ProgressStatus(StatusModel):
    """How far the labels are."""

    items: Int = option("items is how many items the data set has.", 0, ge=0, change=Change.NONE)
    labelled: Int = option("labelled is how many items people decided.", 0, ge=0, change=Change.NONE)
    accepted: Int = option(
        "accepted is how many items the machine decided inside the risk bound.", 0, ge=0, change=Change.NONE
    )
    votes: Int = option("votes is how many votes of people have come.", 0, ge=0, change=Change.NONE)
    votes_pending: Int = option("votesPending is how many of them no round has read yet.", 0, ge=0, change=Change.NONE)
    votes_wanted: Int = option("votesWanted is how many the present round still lacks.", 0, ge=0, change=Change.NONE)
    votes_set_aside: Int = option(
        "votesSetAside is how many could not be read (unknown item, class or annotator).", 0, ge=0, change=Change.NONE
    )


class LabelingJobStatus(StatusModel):
    """What is the case."""

    observed_generation: Int = option(
        "observedGeneration is the generation of the spec that this status is about; 0 before the first.",
        0,
        ge=0,
        change=Change.NONE,
    )
    stage: _Short = option(
        "stage says in one word where the job stands: the stage that runs, or Waiting (for people), Suspended, "
        "Complete, Failed, Refused or Deleting. Nothing is decided by it.",
        "",
        change=Change.NONE,
    )
    profile: Profile | None = option(
        "profile is the topology, fixed for the life of the job: Small or Distributed.", None, change=Change.NONE
    )
    started_at: Timestamp | None = option("startedAt is when the job began.", None, change=Change.NONE)
    finished_at: Timestamp | None = option("finishedAt is when it was Complete or Failed.", None, change=Change.NONE)
    active_seconds: Int = option(
        "activeSeconds is how long the job has worked, in seconds, up to activeSince: neither waiting for people nor "
        "suspended.",
        0,
        ge=0,
        change=Change.NONE,
    )
    active_since: Timestamp | None = option(
        "activeSince is since when it works without a pause on what runs now.",
        None,
        otherwise="it does not work",
        change=Change.NONE,
    )
    conditions: tuple[Condition, ...] = option(
        "conditions say what is the case, each type once.",
        (),
        max_length=32,
        change=Change.NONE,
        json_schema_extra=_keyed_by("type"),
    )
    prepare: PrepareStatus | None = option("prepare is what Prepare found.", None, change=Change.NONE)
    rounds: tuple[RoundStatus, ...] = option(
        "rounds are the last rounds by number: 10, or one more than stop.patience where that is more.",
        (),
        max_length=1000,
        change=Change.NONE,
        json_schema_extra=_keyed_by("round"),
    )
    earlier: EarlierRounds | None = option(
        "earlier is what stays of the rounds before those.", None, change=Change.NONE
    )
    operation: OperationStatus | None = option(
        "operation is the one that runs, or waits to be tried again.", None, change=Change.NONE
    )
    failures: dict[Stage, _Count] = mapping(
        "failures counts the failed tries since the stage last ended well.", max_length=8, change=Change.NONE
    )
    finalize: StageResult | None = option("finalize is the finished last stage.", None, change=Change.NONE)
    model: ModelStatus | None = option("model is the model that stands.", None, change=Change.NONE)
    cost: CostStatus = group(CostStatus, "cost is what the job has used up.")
    progress: ProgressStatus = group(ProgressStatus, "progress is how far the labels are.")
    artifacts: dict[_Short, _Reference] = mapping(
        "artifacts are the addresses of the results, by name.", max_length=64, change=Change.NONE
    )
