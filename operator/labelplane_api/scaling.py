"""`spec.scaling`: how many scoring workers run."""

from enum import StrEnum
from typing import ClassVar

from labelplane_api.rules import Rule, not_above
from labelplane_api.schema import ApiModel, Change, Int, option


class ScalingEngine(StrEnum):
    """Who changes the number of workers."""

    OPERATOR = "Operator"
    KEDA = "Keda"


class Scaling(ApiModel):
    """How the number of scoring workers follows the depth of the queue."""

    engine: ScalingEngine = option(
        "engine is who scales: Operator (needs nothing) or Keda (asks the operator's external scaler).",
        ScalingEngine.OPERATOR,
        change=Change.AT_ONCE,
    )
    min_replicas: Int = option(
        "minReplicas is the fewest workers while Score runs.", 0, ge=0, le=10_000, change=Change.AT_ONCE
    )
    max_replicas: Int = option("maxReplicas is the most workers.", 10, ge=1, le=10_000, change=Change.AT_ONCE)
    target_drain_seconds: Int = option(
        "targetDrainSeconds is the time in which the queue should be empty, in seconds; it decides how many workers "
        "are wanted.",
        300,
        ge=1,
        le=86_400,
        change=Change.AT_ONCE,
    )
    up_window_seconds: Int = option(
        "upWindowSeconds is how long more workers must be wanted before they come, in seconds.",
        0,
        ge=0,
        le=3600,
        change=Change.AT_ONCE,
    )
    down_window_seconds: Int = option(
        "downWindowSeconds is how long fewer workers must be wanted before they go, in seconds.",
        120,
        ge=0,
        le=3600,
        change=Change.AT_ONCE,
    )
    scale_down_delay_seconds: Int = option(
        "scaleDownDelaySeconds is how long an idle GPU is kept before it is given back, in seconds.",
        600,
        ge=0,
        le=86_400,
        change=Change.AT_ONCE,
    )

    checks: ClassVar[tuple[Rule, ...]] = (not_above("minReplicas", "maxReplicas"),)
