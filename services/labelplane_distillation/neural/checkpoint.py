"""States of an unfinished training as bytes: safetensors with JSON in its header, never pickle."""

import json
from dataclasses import dataclass
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from labelplane_distillation.errors import BadCheckpoint

__all__ = ["TrainingState", "pack_state", "unpack_state"]

_FORMAT = "labelplane.checkpoint/1"
_KEY = "labelplane"


@dataclass(slots=True)
class TrainingState:
    """Everything that the next epoch depends on; random draws depend on the seed and the epoch's number alone.

    Attributes:
        fingerprint: of the problem and the settings; a state of another training is refused.
        epoch: epochs finished.
        stale_epochs: epochs since the last gain on the validation items.
        is_finished: whether training has ended.
        network: weights now.
        best: weights of each member's best epoch.
        best_losses: (S,) validation losses there.
        optimiser: moments and step count, by name; empty once training has ended.
    """

    fingerprint: str
    epoch: int
    stale_epochs: int
    is_finished: bool
    network: dict[str, Tensor]
    best: dict[str, Tensor]
    best_losses: Tensor
    optimiser: dict[str, Tensor]


def pack_state(state: TrainingState) -> bytes:
    """Return the state as bytes."""
    header = {
        "format": _FORMAT,
        "fingerprint": state.fingerprint,
        "epoch": state.epoch,
        "stale_epochs": state.stale_epochs,
        "is_finished": state.is_finished,
    }
    groups = {"network": state.network, "best": state.best, "optimiser": state.optimiser}
    tensors = {f"{group}/{name}": tensor for group, members in groups.items() for name, tensor in members.items()}
    tensors["best_losses"] = state.best_losses
    # Copies: safetensors refuses tensors that share memory.
    own = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    return save(own, metadata={_KEY: json.dumps(header, sort_keys=True)})


def unpack_state(data: bytes, *, fingerprint: str) -> TrainingState:
    """Return the state in `data`.

    Raises:
        BadCheckpoint: it is not a checkpoint of this version, or it belongs to another training.
    """
    try:
        header, tensors = _read_header(data), load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise BadCheckpoint("the checkpoint is damaged") from error
    if header.get("format") != _FORMAT or header.get("fingerprint") != fingerprint:
        raise BadCheckpoint("the checkpoint belongs to another training or version")

    def group(prefix: str) -> dict[str, Tensor]:
        return {
            name.removeprefix(f"{prefix}/"): each for name, each in tensors.items() if name.startswith(f"{prefix}/")
        }

    return TrainingState(
        fingerprint=fingerprint,
        epoch=int(header["epoch"]),
        stale_epochs=int(header["stale_epochs"]),
        is_finished=bool(header["is_finished"]),
        network=group("network"),
        best=group("best"),
        best_losses=tensors["best_losses"],
        optimiser=group("optimiser"),
    )


def _read_header(data: bytes) -> dict[str, Any]:
    length = int.from_bytes(data[:8], "little")
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    return dict(json.loads(metadata[_KEY]))
