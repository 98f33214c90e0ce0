"""The loss of teachers and students, exactly, without torch.

Every network minimises the mean over items of

    L = (1 - lambda) w CE(y, p) + lambda T^2 v KL(q_T || p_T)

with y the soft label, p = softmax(z), q_T and p_T the teacher's and the student's distributions at temperature T, and
w, v the weights of the item in either part. T^2 keeps the size of the second gradient independent of T (Hinton,
Vinyals, Dean: Distilling the Knowledge in a Neural Network, 2015, section 2.1). lambda = 0 is plain training on soft
labels, so a teacher is the same problem without a teacher of its own.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Floats", "LossTerms", "distillation_loss", "log_softmax", "logsumexp", "normalised_entropy"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LossTerms:
    """What the loss compares logits with.

    Attributes:
        targets: (N, K) soft labels; each row sums to 1.
        weights: (N,) weight w of the task's part; 0 where nobody has voted.
        teacher_logits: (N, K) the teacher's logits or log-probabilities; None when there is no teacher.
        teacher_weights: (N,) weight v of the teacher's part.
        temperature: T, above 0.
        mixing: lambda, from 0 to 1; without a teacher it must be 0.
    """

    targets: Floats
    weights: Floats
    teacher_logits: Floats | None = None
    teacher_weights: Floats | None = None
    temperature: float = 1.0
    mixing: float = 0.0


def logsumexp(values: Floats, axis: int = -1) -> Floats:
    """Return log(sum(exp(values))) along `axis`, kept as an axis of length 1, without overflow."""
    highest = values.max(axis=axis, keepdims=True)
    return np.asarray(highest + np.log(np.exp(values - highest).sum(axis=axis, keepdims=True)))


def log_softmax(logits: Floats) -> Floats:
    """Return the log-probabilities of logits along the last axis, exact for logits of any size."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def distillation_loss(logits: Floats, terms: LossTerms) -> tuple[float, Floats]:
    """Return the mean loss over the rows of `logits` (N, K), and its gradient of the same shape."""
    log_p = log_softmax(logits)
    task = -np.where(terms.targets > 0, terms.targets * log_p, 0.0).sum(axis=-1)
    task_share = (1.0 - terms.mixing) * terms.weights / len(logits)
    value = float(task_share @ task)
    gradient = task_share[:, None] * (np.exp(log_p) * terms.targets.sum(axis=-1, keepdims=True) - terms.targets)
    if terms.teacher_logits is None or terms.teacher_weights is None or terms.mixing == 0.0:
        return value, gradient
    log_q_t = log_softmax(terms.teacher_logits / terms.temperature)
    log_p_t = log_softmax(logits / terms.temperature)
    q_t = np.exp(log_q_t)
    divergence = (q_t * (log_q_t - log_p_t)).sum(axis=-1)
    teacher_share = terms.mixing * terms.temperature**2 * terms.teacher_weights / len(logits)
    gradient += (teacher_share / terms.temperature)[:, None] * (np.exp(log_p_t) - q_t)
    return value + float(teacher_share @ divergence), gradient


def normalised_entropy(probabilities: Floats) -> Floats:
    """Return each row's entropy over that of the uniform distribution: 0 for a sure row, 1 for a uniform one."""
    positive = np.clip(probabilities, np.finfo(np.float64).tiny, None)
    entropy = -(probabilities * np.log(positive)).sum(axis=-1)
    return np.asarray(np.clip(entropy / np.log(probabilities.shape[-1]), 0.0, 1.0))
