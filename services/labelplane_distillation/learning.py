"""What a learner is given, what it returns, and how it tells how far it is; nothing here knows how it learns."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from labelplane_distillation.losses import Floats

__all__ = [
    "CheckpointStore",
    "Examples",
    "Hooks",
    "Inputs",
    "Learner",
    "Mixing",
    "NetworkSettings",
    "Outputs",
    "Problem",
    "Rows",
    "TrainedEnsemble",
    "Training",
    "Unlabelled",
    "Window",
]

Inputs = npt.NDArray[Any]
"""(N, ...) items as `InputSpec.encode` makes them."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """What to train and how; `distillation.proto` (message Network) tells each value and its bounds."""

    encoder: str
    weights: str = ""
    fine_tune: bool = False
    members: int = 1
    hidden_size: int = 32
    epochs: int = 40
    learning_rate: float = 4e-3
    weight_decay: float = 1e-2
    batch_size: int = 64
    dropout: float = 0.2
    augment: bool = False
    patience: int = 0


@dataclass(frozen=True, slots=True)
class Mixing:
    """The teacher's temperature T and its share lambda of the loss."""

    temperature: float = 1.0
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Examples:
    """Labelled items, N of them, small enough to be held in memory.

    Attributes:
        inputs: (N, ...) encoded items.
        targets: (N, K) soft labels.
        weights: (N,) item weights; the mean over the items trained on should be near 1.
        teacher: (N, K) the teacher's log-probabilities; None for a teacher.
    """

    inputs: Inputs
    targets: Floats
    weights: Floats
    teacher: Floats | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Items without votes: (n, ...) inputs and the teacher's (n, K) log-probabilities for them."""

    inputs: Inputs
    teacher: Floats


class Unlabelled(Protocol):
    """The items without votes, of which a learner sees one bounded window at a time."""

    def window(self, epoch: int) -> Window:
        """Return the window of an epoch: always the same one for the same epoch."""
        ...


@dataclass(frozen=True, slots=True)
class Problem:
    """What to learn.

    Attributes:
        examples: the labelled items, validation items among them.
        member_rows: for each member, the rows of the items that it is trained on.
        validation_rows: rows that no member is trained on; training stops by their loss. May be empty.
        mixing: how teacher and task are mixed.
        unlabelled: items on which the teacher alone speaks.
        seed: entropy that all random draws of the training derive from.
    """

    examples: Examples
    member_rows: tuple[Rows, ...]
    validation_rows: Rows
    mixing: Mixing = field(default_factory=Mixing)
    unlabelled: Unlabelled | None = None
    seed: tuple[int, ...] = (0,)


class CheckpointStore(Protocol):
    """Keeps the last state of one training; safe to call from the training's thread."""

    def load(self) -> bytes | None:
        """Return what was saved last, or None."""
        ...

    def save(self, state: bytes) -> None:
        """Keep `state` instead of what was kept before."""
        ...


@dataclass(frozen=True, slots=True)
class Hooks:
    """How a training speaks with its surroundings.

    Attributes:
        check: raises when the training is to stop.
        after_epoch: is told how many epochs are finished.
        checkpoints: where states are kept; None keeps none.
        checkpoint_epochs: how many epochs lie between two checkpoints.
    """

    check: Callable[[], None] = lambda: None
    after_epoch: Callable[[int], None] = lambda _: None
    checkpoints: CheckpointStore | None = None
    checkpoint_epochs: int = 10


@dataclass(frozen=True, slots=True)
class Outputs:
    """What an exported model computes: (N, K) logits, (N, D) embedding, (N, S, K) samples for more than one member."""

    logits: Floats
    embedding: Floats
    samples: Floats | None


class TrainedEnsemble(Protocol):
    """An ensemble of S trained networks."""

    def predict(self, inputs: Inputs) -> Floats:
        """Return the (S, N, K) logits of every member, not yet divided by a temperature."""
        ...

    def outputs(self, inputs: Inputs, temperature: float) -> Outputs:
        """Return what the exported model must compute."""
        ...

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Return the weights by name."""
        ...

    def to_onnx(self, temperature: float) -> bytes:
        """Return the graph with inputs and outputs as `labelplane_core.models` tells them."""
        ...


@dataclass(frozen=True, slots=True)
class Training:
    """A finished training.

    Attributes:
        ensemble: the trained networks, each in its best state on the validation items.
        epochs: how many epochs (or iterations) were run.
        is_converged: False when it ended because there were no more epochs and the loss was still falling; None for
            learners that cannot tell.
        gpu_seconds: how long a graphics processor was used.
    """

    ensemble: TrainedEnsemble
    epochs: int
    is_converged: bool | None = None
    gpu_seconds: float = 0.0


class Learner(Protocol):
    """Trains an ensemble."""

    def fit(self, problem: Problem, hooks: Hooks) -> Training:
        """Train `len(problem.member_rows)` networks and return them; blocks for as long as it takes."""
        ...
