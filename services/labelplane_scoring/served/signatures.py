"""What a model takes and gives, as its card says and as a server says, and whether the two agree. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from labelplane_core.features import InputSpec
from labelplane_core.models import ModelCard
from labelplane_scoring.served.errors import ModelDiffers

__all__ = ["Signature", "Tensor", "check_signature", "expected_signature"]

ANY: Final = -1
"""A size that is open, such as that of the batch."""

_TYPES: Final = {"float32": "FP32", "int64": "INT64"}


@dataclass(frozen=True, slots=True)
class Tensor:
    """A named tensor: its type as the v2 protocol writes it, and its shape, batch first."""

    name: str
    datatype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.datatype} {list(self.shape)}"

    def agrees(self, other: "Tensor") -> bool:
        """Return whether both may be one tensor; an open size goes with any."""
        return (
            self.datatype == other.datatype
            and len(self.shape) == len(other.shape)
            and all(ANY in (one, two) or one == two for one, two in zip(self.shape, other.shape, strict=True))
        )


@dataclass(frozen=True, slots=True)
class Signature:
    """Everything that a model takes and gives."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


def expected_signature(card: ModelCard) -> Signature:
    """Return what a model with this card takes and gives."""
    spec, n_classes = InputSpec.from_json(card.input), len(card.classes)
    shapes = {
        "logits": (ANY, n_classes),
        "embedding": (ANY, card.embedding_size),
        "samples": (ANY, card.members, n_classes),
    }
    return Signature(
        inputs=(Tensor("input", _TYPES[spec.dtype.name], (ANY, *spec.shape)),),
        outputs=tuple(Tensor(name, "FP32", shapes[name]) for name in card.outputs),
    )


def check_signature(served: Signature, expected: Signature, *, where: str) -> str:
    """Return the name of the served model's input.

    Raises:
        ModelDiffers: it is not what the card says; `where` names the model and its server.
    """
    if len(served.inputs) != 1:
        names = [each.name for each in served.inputs]
        raise ModelDiffers(f"{where} takes {len(names)} inputs {names}, the job's model one: serve the job's own model")
    _check(served.inputs[0], expected.inputs[0], f"{where}: its input {served.inputs[0].name}")
    for want in expected.outputs:
        found = _named(served.outputs, want.name)
        if found is None:
            names = [each.name for each in served.outputs]
            raise ModelDiffers(f"{where} gives {names} and no {want.name}: serve a model exported by this version")
        _check(found, want, f"{where}: its output {want.name}")
    return served.inputs[0].name


def _named(tensors: Iterable[Tensor], name: str) -> Tensor | None:
    return next((each for each in tensors if each.name == name), None)


def _check(found: Tensor, want: Tensor, what: str) -> None:
    if not found.agrees(want):
        raise ModelDiffers(f"{what} is {found}, the job's model has {want}: serve the job's own model")
