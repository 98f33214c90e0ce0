"""`spec.aggregation`: how votes become posteriors."""

from enum import StrEnum

from labelplane_api.schema import ApiModel, Bool, Float, Int, group, option


class AggregationMethod(StrEnum):
    """The model of annotators behind the posteriors."""

    AUTO = "Auto"
    MAJORITY_VOTE = "MajorityVote"
    WEIGHTED_MAJORITY_VOTE = "WeightedMajorityVote"
    DAWID_SKENE = "DawidSkene"
    ONE_COIN = "OneCoin"
    GLAD = "Glad"
    MACE = "Mace"
    VARIATIONAL_BAYES = "VariationalBayes"
    MINIMAX_ENTROPY = "MinimaxEntropy"
    LABEL_MODEL = "LabelModel"


class ClassPrior(StrEnum):
    """What is known about the classes' frequencies before any vote."""

    LEARNED = "Learned"
    UNIFORM = "Uniform"


class DawidSkeneSettings(ApiModel):
    """Settings of method DawidSkene; they do nothing under another method."""

    max_iterations: Int = option("maxIterations is the most EM iterations.", 100, ge=1, le=10_000)
    tolerance: Float = option(
        "tolerance is the relative gain of the objective below which EM has converged.", 1e-6, gt=0, le=0.1
    )
    shrinkage_mass: Float = option(
        "shrinkageMass is the weight, in votes a row, of the pooled confusion in each annotator's own.",
        2.0,
        ge=0,
        le=1000,
    )
    class_prior: ClassPrior = option(
        "classPrior is Learned from the votes, or Uniform, which wins on balanced and fails on skewed classes.",
        ClassPrior.LEARNED,
    )


class Aggregation(ApiModel):
    """The inference from votes to posteriors and reliabilities."""

    method: AggregationMethod = option(
        "method is the model of annotators: MajorityVote, WeightedMajorityVote, DawidSkene, OneCoin, Glad, Mace, "
        "VariationalBayes, MinimaxEntropy, LabelModel, or Auto (several models, weighted by the held-out votes that "
        "each foretells; the status says how).",
        AggregationMethod.AUTO,
    )
    dawid_skene: DawidSkeneSettings = group(DawidSkeneSettings, "dawidSkene holds the settings of method DawidSkene.")
    model_prior: Bool = option(
        "modelPrior lets the model's out-of-fold probabilities be each item's prior (Raykar et al. 2010), instead of "
        "the class prior.",
        default=True,
    )
    workers: Int = option("workers is how many processes share one inference.", 1, ge=1, le=64)
