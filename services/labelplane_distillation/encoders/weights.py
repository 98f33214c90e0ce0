"""Folders of pretrained weights: from the machine or the store, weights only."""

import asyncio
import json
from pathlib import Path
from typing import Any

from labelplane_core.storage import ObjectStore
from labelplane_distillation.errors import MissingWeights

__all__ = ["CONFIG_FILE", "SAFE_FILES", "fetch_weights", "read_config", "read_image_size"]

CONFIG_FILE = "config.json"
SAFE_FILES = frozenset({CONFIG_FILE, "model.safetensors", "preprocessor_config.json"})
"""What is read of a folder: formats that hold data and cannot run code."""

_DEFAULT_SIDE = 224


async def fetch_weights(store: ObjectStore, address: str, *, folder: Path) -> Path | None:
    """Return a local folder with the weights at `address`.

    The address is a folder itself, or a prefix of the store, which is then copied to `folder`.

    Returns:
        None for an empty address.

    Raises:
        MissingWeights: there is nothing, or no safetensors file.
    """
    if not address:
        return None
    if (local := Path(address)).is_absolute():
        _require_files(local, address)
        return local
    prefix = address.rstrip("/")
    async for item in store.list(prefix):
        name = item.key.removeprefix(f"{prefix}/")
        if name in SAFE_FILES:
            data = (await store.get(item.key)).data
            await asyncio.to_thread((folder / name).write_bytes, data)
    _require_files(folder, address)
    return folder


def _require_files(folder: Path, address: str) -> None:
    missing = [name for name in (CONFIG_FILE, "model.safetensors") if not (folder / name).is_file()]
    if missing:
        raise MissingWeights(
            f"weights {address!r}: {' and '.join(missing)} not found: save the weights as safetensors with their "
            "config.json there (pickled weights are refused, since reading them can run code)"
        )


def read_config(folder: Path | None) -> dict[str, Any]:
    """Return `config.json` of a folder of weights; empty without one.

    Raises:
        MissingWeights: it is no JSON object.
    """
    if folder is None:
        return {}
    try:
        config = json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MissingWeights(f"{CONFIG_FILE} of the weights cannot be read: {error}") from error
    if not isinstance(config, dict):
        raise MissingWeights(f"{CONFIG_FILE} of the weights must be a JSON object")
    return config


def read_image_size(folder: Path | None) -> int:
    """Return the side in pixels of the images that the weights were trained on; 224 when the folder does not say."""
    size = read_config(folder).get("image_size", _DEFAULT_SIDE)
    side = size[0] if isinstance(size, list) and size else size
    return side if isinstance(side, int) and side > 0 else _DEFAULT_SIDE
