"""`spec.sampling`: which items people are asked about."""

from enum import StrEnum
from typing import Any, ClassVar

from labelplane_api.rules import Rule, not_above
from labelplane_api.schema import ApiModel, Float, Int, option


class Strategy(StrEnum):
    """How the items of a round are chosen."""

    RANDOM = "Random"
    ENTROPY = "Entropy"
    LEAST_CONFIDENCE = "LeastConfidence"
    MARGIN = "Margin"
    DENSITY_WEIGHTED = "DensityWeighted"
    CORE_SET = "CoreSet"
    EXPECTED_GRADIENT_LENGTH = "ExpectedGradientLength"
    BALD = "Bald"
    BADGE = "Badge"


class ColdStart(StrEnum):
    """How items are chosen before a model exists."""

    K_CENTER = "KCenter"
    RANDOM = "Random"


def _shares_fill_the_batch(sampling: Any) -> str | None:
    together = sampling.gold_share + sampling.check_share
    if together < 1:
        return None
    return f" ({sampling.gold_share}) and checkShare ({sampling.check_share}) leave nothing to label: lower one"


class Sampling(ApiModel):
    """The choice of the items of each round."""

    strategy: Strategy = option(
        "strategy is how items are chosen: Random, Entropy, LeastConfidence, Margin, DensityWeighted, CoreSet, "
        "ExpectedGradientLength, Bald or Badge.",
        Strategy.MARGIN,
    )
    cold_start: ColdStart = option(
        "coldStart is how items are chosen while there is no model: KCenter (spread over the features) or Random.",
        ColdStart.K_CENTER,
    )
    initial_batch_size: Int = option(
        "initialBatchSize is how many items are chosen while there is no model.", 100, ge=1, le=1_000_000
    )
    batch_size: Int = option("batchSize is how many items each later round chooses.", 100, ge=1, le=1_000_000)
    candidate_pool: Int = option(
        "candidatePool is how many items the strategy looks at, half at random and half the most uncertain; it bounds "
        "memory and time.",
        200_000,
        ge=1,
        le=10_000_000,
    )
    min_per_class: Int = option(
        "minPerClass is how many labels every class needs before a model is trained.", 3, ge=0, le=100_000
    )
    density_weight: Float = option(
        "densityWeight is the exponent of the density in DensityWeighted; 0 leaves plain entropy.", 1.0, ge=0, le=10
    )
    gold_share: Float = option(
        "goldShare is the share of a batch that is gold, so that annotators are measured; it counts in the budget.",
        0.05,
        ge=0,
        le=1,
    )
    check_share: Float = option(
        "checkShare is the share of a batch drawn at random from accepted items, to measure what acceptance does.",
        0.05,
        ge=0,
        le=1,
    )

    checks: ClassVar[tuple[Rule, ...]] = (
        not_above("initialBatchSize", "candidatePool"),
        not_above("batchSize", "candidatePool"),
        Rule(
            field="goldShare",
            message="goldShare and checkShare together must be below 1",
            check=_shares_fill_the_batch,
            cel="self.goldShare + self.checkShare < 1.0",
        ),
    )
