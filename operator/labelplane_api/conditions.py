"""Conditions: what `kubectl wait` and `kubectl describe` read, and the one way to set them.

The rules are those of Kubernetes: `lastTransitionTime` moves only when `status` does, `observedGeneration` always
says which spec the condition is about, and the list holds a type once.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

from labelplane_api.schema import REASON_PATTERN, ApiModel, Change, Int, LongText, Timestamp, option


class ConditionType(StrEnum):
    """What a condition is about."""

    ACCEPTED = "Accepted"
    DATASET_READY = "DatasetReady"
    PROGRESSING = "Progressing"
    WAITING_FOR_ANNOTATIONS = "WaitingForAnnotations"
    QUALITY_GATE_PASSED = "QualityGatePassed"
    MODEL_PROMOTED = "ModelPromoted"
    RULES_CHANGED = "RulesChanged"
    SUSPENDED = "Suspended"
    COMPLETE = "Complete"
    FAILED = "Failed"


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Reason(StrEnum):
    """Why a condition has its status; a constant that scripts may compare."""

    # Accepted
    SPEC_VALID = "SpecValid"
    SPEC_INVALID = "SpecInvalid"
    NOT_SUPPORTED = "NotSupported"
    PREFIX_TAKEN = "PrefixTaken"
    # DatasetReady
    PREPARING = "Preparing"
    PREPARED = "Prepared"
    DATASET_INVALID = "DatasetInvalid"
    TOO_MANY_ITEM_ERRORS = "TooManyItemErrors"
    # Progressing
    STAGE_RUNNING = "StageRunning"
    STAGE_RETRYING = "StageRetrying"
    ROUND_FINISHED = "RoundFinished"
    DEPENDENCY_UNAVAILABLE = "DependencyUnavailable"
    FINISHED = "Finished"
    MISSING_SECRET = "MissingSecret"  # noqa: S105 - a reason, no password
    MISSING_CONFIG_MAP = "MissingConfigMap"
    INVALID_POD_CONFIG = "InvalidPodConfig"
    IMAGE_UNAVAILABLE = "ImageUnavailable"
    UNSCHEDULABLE = "Unschedulable"
    QUOTA_EXCEEDED = "QuotaExceeded"
    POD_SECURITY = "PodSecurity"
    PODS_REFUSED = "PodsRefused"
    OUT_OF_MEMORY = "OutOfMemory"
    CRASH_LOOP = "CrashLoop"
    NAME_TAKEN = "NameTaken"
    CHILD_REFUSED = "ChildRefused"
    DELETING_RESULTS = "DeletingResults"
    CLEANUP_FAILED = "CleanupFailed"
    # WaitingForAnnotations
    VOTES_MISSING = "VotesMissing"
    VOTES_COMPLETE = "VotesComplete"
    DEADLINE_PASSED = "DeadlinePassed"
    # QualityGatePassed
    NO_GOLD = "NoGold"
    GATES_MET = "GatesMet"
    GATE_MISSED = "GateMissed"
    NO_GATES = "NoGates"
    NOT_MEASURED = "NotMeasured"
    # ModelPromoted
    FIRST_MODEL = "FirstModel"
    BETTER_MODEL = "BetterModel"
    NOT_BETTER = "NotBetter"
    NOT_ENOUGH_LABELS = "NotEnoughLabels"
    # RulesChanged
    RULES_MEASURED = "RulesMeasured"
    RULES_UNCHANGED = "RulesUnchanged"
    # Suspended
    SUSPENDED_BY_USER = "SuspendedByUser"
    RESUMED = "Resumed"
    NOT_ADMITTED = "NotAdmitted"
    # Complete
    MAX_ROUNDS_REACHED = "MaxRoundsReached"
    TARGET_REACHED = "TargetReached"
    BUDGET_SPENT = "BudgetSpent"
    GAIN_TOO_SMALL = "GainTooSmall"
    PREDICTIONS_AGREE = "PredictionsAgree"
    EVERYTHING_LABELLED = "EverythingLabelled"
    NOBODY_ASKED = "NobodyAsked"
    NO_VOTES = "NoVotes"
    # Failed
    BACKOFF_LIMIT_EXCEEDED = "BackoffLimitExceeded"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    INVALID_INPUT = "InvalidInput"
    TRAINING_IMAGE_FAILED = "TrainingImageFailed"


class Condition(ApiModel):
    """One thing that is, is not, or is not known to be the case."""

    # A status may have been written by a newer version: what it adds is ignored, not refused.
    model_config = ConfigDict(alias_generator=to_camel, extra="ignore")

    type: Annotated[str, StringConstraints(min_length=1, max_length=317)] = option(
        "type is what the condition is about, one of ConditionType.", change=Change.NONE
    )
    status: ConditionStatus = option("status is True, False or Unknown.", change=Change.NONE)
    reason: Annotated[str, StringConstraints(max_length=1024, pattern=REASON_PATTERN)] = option(
        "reason is a constant in PascalCase, one of Reason.", change=Change.NONE
    )
    message: LongText = option("message says for people what is the case and what to do.", "", change=Change.NONE)
    observed_generation: Int = option(
        "observedGeneration is the generation of the spec that the condition is about.", ge=0, change=Change.NONE
    )
    last_transition_time: Timestamp | None = option(
        "lastTransitionTime is when status last changed; set_condition sets it.", None, change=Change.NONE
    )


EXCLUSIVE: Final[Mapping[str, str]] = {
    ConditionType.COMPLETE: ConditionType.FAILED,
    ConditionType.FAILED: ConditionType.COMPLETE,
}
"""Types of which one at most is True: setting one to True turns the other, where it stands, to False."""


def find_condition(conditions: Sequence[Condition], condition_type: str) -> Condition | None:
    """Return the condition of a type, None when there is none."""
    return next((condition for condition in conditions if condition.type == condition_type), None)


def is_true(conditions: Sequence[Condition], condition_type: str) -> bool:
    """Tell whether the condition of a type stands and is True."""
    found = find_condition(conditions, condition_type)
    return found is not None and found.status is ConditionStatus.TRUE


def set_condition(conditions: Sequence[Condition], condition: Condition, *, now: datetime) -> tuple[Condition, ...]:
    """Return the conditions with this one in the place of the one of its type, or at the end.

    Args:
        conditions: the present conditions; they are not changed.
        condition: the new one; its `last_transition_time` is not read.
        now: the time of the transition, used only when the status differs from the present one.

    Returns:
        The new conditions. Equal to the present ones when nothing changed, so that a status is written only when it
        differs. A True `Complete` turns a standing `Failed` to False, and the other way round.
    """
    updated = _placed(conditions, condition, now=now)
    rival = find_condition(updated, EXCLUSIVE.get(condition.type, ""))
    if rival is None or not (is_true(updated, condition.type) and is_true(updated, rival.type)):
        return updated
    yielded = rival.model_copy(
        update={
            "status": ConditionStatus.FALSE,
            "reason": condition.reason,
            "message": f"{condition.type} is True",
            "observed_generation": condition.observed_generation,
        }
    )
    return _placed(updated, yielded, now=now)


def _placed(conditions: Sequence[Condition], condition: Condition, *, now: datetime) -> tuple[Condition, ...]:
    present = find_condition(conditions, condition.type)
    since: datetime | None = now.astimezone(UTC).replace(microsecond=0)
    if present is not None and present.status is condition.status:
        since = present.last_transition_time or since
    timed = condition.model_copy(update={"last_transition_time": since})
    if present is None:
        return (*conditions, timed)
    return tuple(timed if other is present else other for other in conditions)
