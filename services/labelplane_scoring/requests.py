"""What the scoring service is asked, as its algorithms see it."""

from dataclasses import dataclass

from labelplane_core.tasks import TaskKind

__all__ = ["ScoreRequest", "SelectRequest", "Serving"]


@dataclass(frozen=True, slots=True)
class Serving:
    """An inference server.

    Attributes:
        endpoint: host:port of its gRPC.
        model: the model's name there; empty for its digest.
    """

    endpoint: str
    model: str = ""


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Run a model over the index, in process or, where `serving` is there, by a server."""

    round_number: int
    attempt: int
    kind: TaskKind
    classes: tuple[str, ...]
    index_ref: str
    model_ref: str
    previous_scores_ref: str
    is_deterministic: bool
    serving: Serving | None = None


@dataclass(frozen=True, slots=True)
class SelectRequest:
    """Choose the items that people see next. References are empty where there is nothing yet."""

    round_number: int
    attempt: int
    kind: TaskKind
    classes: tuple[str, ...]
    index_ref: str
    scores_ref: str
    previous_selection_ref: str
    votes_ref: str
    strategy: str
    batch_size: int
    gold_share: float
    check_share: float
    candidate_pool: int
    density_weight: float
    seed: int
    review_shares_ref: str = ""
