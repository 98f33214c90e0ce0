"""Truth inference: votes in, posteriors and reliabilities out. Pure: no storage, no network, no clock."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from labelplane_aggregation.models._class_rows import ClassPrior
from labelplane_aggregation.models._copies import Copies
from labelplane_aggregation.models._em import ClimbingModel
from labelplane_aggregation.models.auto import Auto
from labelplane_aggregation.models.blend import Blend
from labelplane_aggregation.models.dawid_skene import DawidSkene, ShrinkTo
from labelplane_aggregation.models.fit import Fit, Reliabilities, Reliability, TruthModel
from labelplane_aggregation.models.glad import Glad
from labelplane_aggregation.models.label_model import Abstention, LabelModel
from labelplane_aggregation.models.mace import Mace
from labelplane_aggregation.models.majority import MajorityVote
from labelplane_aggregation.models.minimax_entropy import MinimaxEntropy
from labelplane_aggregation.models.one_coin import OneCoin
from labelplane_aggregation.models.selection import Selection
from labelplane_aggregation.models.variational_bayes import VariationalBayes
from labelplane_aggregation.models.votes import DuplicateVotes, VoteMatrix
from labelplane_aggregation.models.weighted_majority import WeightedMajorityVote

__all__ = [
    "MODELS",
    "Abstention",
    "Auto",
    "Blend",
    "ClassPrior",
    "Copies",
    "DawidSkene",
    "DuplicateVotes",
    "Fit",
    "Glad",
    "LabelModel",
    "Mace",
    "MajorityVote",
    "MinimaxEntropy",
    "OneCoin",
    "Reliabilities",
    "Reliability",
    "Selection",
    "ShrinkTo",
    "TruthModel",
    "VariationalBayes",
    "VoteMatrix",
    "WeightedMajorityVote",
]

MODELS: Mapping[str, type[MajorityVote | WeightedMajorityVote | DawidSkene | ClimbingModel | Auto]] = MappingProxyType(
    {
        "Auto": Auto,
        "MajorityVote": MajorityVote,
        "WeightedMajorityVote": WeightedMajorityVote,
        "DawidSkene": DawidSkene,
        "OneCoin": OneCoin,
        "Glad": Glad,
        "Mace": Mace,
        "VariationalBayes": VariationalBayes,
        "MinimaxEntropy": MinimaxEntropy,
        "LabelModel": LabelModel,
    }
)
"""Every aggregator by the name a job gives it; each is a `TruthModel` and takes `seed`."""
