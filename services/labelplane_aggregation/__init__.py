"""Truth inference from votes, and the service around it.

Names load on first use: `import labelplane_aggregation` costs nothing, and numba loads at the first fit.

Example:
    >>> from labelplane_aggregation import DawidSkene
    >>> fit = DawidSkene().fit({"item": ["a", "a"], "annotator": ["x", "y"], "label": ["cat", "cat"]})
    >>> fit.labels_.to_pylist()
    ['cat']
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labelplane_aggregation.agreement import (
        Agreement,
        Level,
        PairwiseKappas,
        cohen_kappa,
        cohen_kappas,
        fleiss_kappa,
        gwet_ac1,
        krippendorff_alpha,
    )
    from labelplane_aggregation.errors import AggregationError
    from labelplane_aggregation.models import (
        MODELS,
        Abstention,
        Auto,
        Blend,
        ClassPrior,
        DawidSkene,
        DuplicateVotes,
        Fit,
        Glad,
        LabelModel,
        Mace,
        MajorityVote,
        MinimaxEntropy,
        OneCoin,
        Reliabilities,
        Reliability,
        Selection,
        ShrinkTo,
        TruthModel,
        VariationalBayes,
        VoteMatrix,
        WeightedMajorityVote,
    )

__all__ = [
    "MODELS",
    "Abstention",
    "AggregationError",
    "Agreement",
    "Auto",
    "Blend",
    "ClassPrior",
    "DawidSkene",
    "DuplicateVotes",
    "Fit",
    "Glad",
    "LabelModel",
    "Level",
    "Mace",
    "MajorityVote",
    "MinimaxEntropy",
    "OneCoin",
    "PairwiseKappas",
    "Reliabilities",
    "Reliability",
    "Selection",
    "ShrinkTo",
    "TruthModel",
    "VariationalBayes",
    "VoteMatrix",
    "WeightedMajorityVote",
    "cohen_kappa",
    "cohen_kappas",
    "fleiss_kappa",
    "gwet_ac1",
    "krippendorff_alpha",
]


_OF_AGREEMENT = frozenset(
    {
        "Agreement",
        "Level",
        "PairwiseKappas",
        "cohen_kappa",
        "cohen_kappas",
        "fleiss_kappa",
        "gwet_ac1",
        "krippendorff_alpha",
    }
)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "agreement" if name in _OF_AGREEMENT else "errors" if name == "AggregationError" else "models"
    return getattr(import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
