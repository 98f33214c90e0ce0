"""What the distillation service is asked, as its algorithms see it."""

from dataclasses import dataclass

from labelplane_core.tasks import TaskKind
from labelplane_distillation.learning import Mixing, NetworkSettings

__all__ = ["TrainRequest"]


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """Train a teacher on posteriors and distil a student from it; `distillation.proto` tells each value.

    Attributes:
        image: the user's training image that trains in place of this service; empty for none.
        digest: of all of the message but who asks; what an image handed over for one message counts for no other.
    """

    round_number: int
    attempt: int
    kind: TaskKind
    classes: tuple[str, ...]
    index_ref: str
    posteriors_ref: str
    standing_model_ref: str
    teacher: NetworkSettings
    student: NetworkSettings
    mixing: Mixing
    uses_unlabelled: bool
    validation_share: float
    seed: int
    is_deterministic: bool
    trains_on_gold: bool
    image: str = ""
    digest: str = ""
