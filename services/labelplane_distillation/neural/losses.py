"""`labelplane_distillation.losses` for tensors, with every member's batch at once."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Batch", "member_losses", "weighted_cross_entropy"]


@dataclass(frozen=True, slots=True)
class Batch:
    """One step's items of S members.

    Attributes:
        inputs: (S, B, ...) items.
        targets: (S, B, K) soft labels; zeros where nobody has voted.
        weights: (S, B) weight of the task's part.
        teacher: (S, B, K) the teacher's log-probabilities; None without a teacher.
    """

    inputs: Tensor
    targets: Tensor
    weights: Tensor
    teacher: Tensor | None = None


def member_losses(logits: Tensor, batch: Batch, *, temperature: float = 1.0, mixing: float = 0.0) -> Tensor:
    """Return each member's mean loss (S,) of its (S, B, K) logits; `labelplane_distillation.losses` has the formula."""
    task = -(batch.targets * functional.log_softmax(logits, dim=-1)).sum(-1)
    losses = (1.0 - mixing) * (batch.weights * task).mean(-1)
    if batch.teacher is None or mixing == 0.0:
        return losses
    divergence = functional.kl_div(
        functional.log_softmax(logits / temperature, dim=-1),
        functional.log_softmax(batch.teacher / temperature, dim=-1),
        reduction="none",
        log_target=True,
    ).sum(-1)
    return losses + mixing * temperature**2 * divergence.mean(-1)


def weighted_cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return each member's (S,) mean cross-entropy to the (N, K) soft labels, weighted by (N,) weights."""
    task = -(targets * functional.log_softmax(logits, dim=-1)).sum(-1)
    return task @ weights / torch.clamp(weights.sum(), min=torch.finfo(weights.dtype).tiny)
