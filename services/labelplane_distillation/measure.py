"""How often models are right, and where two of them differ."""

from dataclasses import dataclass

import numpy as np

from labelplane_distillation.learning import Rows
from labelplane_distillation.losses import Floats

__all__ = ["Comparison", "accuracy", "compare"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same items: the discordant counts are what a paired (McNemar) test needs."""

    student_accuracy: float
    standing_accuracy: float
    only_student_right: int
    only_standing_right: int


def accuracy(logits: Floats, classes: Rows) -> float:
    """Return the share of items whose highest logit is that of their class; 0 without items."""
    return float((logits.argmax(axis=-1) == classes).mean()) if len(classes) else 0.0


def compare(student: Floats, standing: Floats, classes: Rows) -> Comparison:
    """Return how student and standing model do on the same items, from their (N, K) logits."""
    student_right = student.argmax(axis=-1) == classes
    standing_right = standing.argmax(axis=-1) == classes
    return Comparison(
        student_accuracy=accuracy(student, classes),
        standing_accuracy=accuracy(standing, classes),
        only_student_right=int(np.count_nonzero(student_right & ~standing_right)),
        only_standing_right=int(np.count_nonzero(standing_right & ~student_right)),
    )
