"""`spec.stop`, `spec.budget` and `spec.quality`: when it is enough, what it may cost, what is accepted."""

from typing import Annotated

from pydantic import Field

from labelplane_api.schema import ApiModel, Bool, Currency, FieldName, Float, Int, group, mapping, option

_Share = Annotated[float, Field(strict=True, ge=0, le=1)]


class Stop(ApiModel):
    """When the rounds end; the first condition that holds ends them."""

    max_rounds: Int = option("maxRounds is the most rounds.", 20, ge=1, le=1000)
    target_accuracy: Float | None = option(
        "targetAccuracy is the student's share of right answers on gate gold that is enough.",
        None,
        otherwise="no target",
        gt=0,
        le=1,
    )
    minimum_gain: Float | None = option(
        "minimumGain is the gain of accuracy a round, as a share (0.001 is a tenth of a point), below which a round "
        "counts as without gain.",
        None,
        otherwise="rounds without gain go on",
        ge=0,
        le=1,
    )
    patience: Int = option("patience is how many rounds in a row without gain end the job.", 2, ge=1, le=100)
    prediction_agreement: Float | None = option(
        "predictionAgreement is Cohen's kappa between the predictions of two rounds at which they count as settled.",
        None,
        otherwise="agreement does not end the job",
        gt=0,
        le=1,
    )


class Prices(ApiModel):
    """What computing costs, in the budget's currency. Numbers, not decimal strings: they make estimates, not bills."""

    cpu_second: Float = option("cpuSecond is the price of one CPU for one second.", 0.0, ge=0, le=1_000_000)
    gpu_second: Float = option("gpuSecond is the price of one GPU for one second.", 0.0, ge=0, le=1_000_000)


class Budget(ApiModel):
    """What the job may use up; no round begins that would go beyond it."""

    votes: Int | None = option("votes is the most votes of people.", None, otherwise="no bound", ge=1, le=1_000_000_000)
    money: Float | None = option(
        "money is the most that votes and computing may cost together, in currency. A number, not a decimal string: "
        "it bounds an estimate by stated prices and is not booked.",
        None,
        otherwise="no bound",
        gt=0,
        le=1_000_000_000,
    )
    currency: Currency = option("currency is the unit of money and of all prices, three letters.", "USD")
    cpu_seconds: Float | None = option(
        "cpuSeconds is the most CPU time, in seconds of one CPU.", None, otherwise="no bound", gt=0, le=1e12
    )
    gpu_seconds: Float | None = option(
        "gpuSeconds is the most GPU time, in seconds of one GPU.", None, otherwise="no bound", gt=0, le=1e12
    )
    prices: Prices = group(Prices, "prices say what computing costs.")


class Acceptance(ApiModel):
    """Which labels the machine may decide alone; it needs gate gold."""

    enabled: Bool = option("enabled lets the machine accept labels inside the bound.", default=True)
    maximum_risk: Float = option(
        "maximumRisk is the largest share of wrong labels among those the machine accepts.", 0.05, gt=0, lt=1
    )
    confidence: Float = option("confidence is the probability with which that bound holds.", 0.95, gt=0, lt=1)


class Gates(ApiModel):
    """What must hold before labels are accepted, exported and served; decides the condition QualityGatePassed."""

    minimum_alpha: Float | None = option("minimumAlpha is the least Krippendorff alpha.", None, ge=-1, le=1)
    minimum_ac1: Float | None = option("minimumAc1 is the least Gwet AC1.", None, ge=-1, le=1)
    maximum_estimated_error: Float | None = option(
        "maximumEstimatedError is the largest share of wrong labels that the posteriors imply.", None, ge=0, le=1
    )
    minimum_gold_accuracy: Float | None = option(
        "minimumGoldAccuracy is the least share of right labels on gate gold.", None, ge=0, le=1
    )
    minimum_class_accuracy: dict[FieldName, _Share] = mapping(
        "minimumClassAccuracy is the same for single classes, by their name.", max_length=1000
    )


class Quality(ApiModel):
    """What is accepted and what holds the results back."""

    acceptance: Acceptance = group(Acceptance, "acceptance is what the machine may decide alone.")
    gates: Gates = group(Gates, "gates hold acceptance, export and serving until they are met, never a round.")
