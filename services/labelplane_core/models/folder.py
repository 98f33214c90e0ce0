"""A model's folder in the store: written once, named by the digest of its content, checked whenever it is read."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from labelplane_core.models.card import ModelCard
from labelplane_core.models.errors import BadModel
from labelplane_core.storage import Layout, ObjectStore, put_once

__all__ = [
    "CARD_FILE",
    "CONFIG_FILE",
    "ONNX_FILE",
    "WEIGHTS_FILE",
    "StoredModel",
    "digest_files",
    "hash_file",
    "read_model",
    "write_model",
]

CARD_FILE = "model.json"
ONNX_FILE = "1/model.onnx"
WEIGHTS_FILE = "model.safetensors"
CONFIG_FILE = "config.pbtxt"


@dataclass(frozen=True, slots=True)
class StoredModel:
    """A model read from the store: its prefix, its card, and the bytes of its graph."""

    ref: str
    card: ModelCard
    onnx: bytes

    @property
    def digest(self) -> str:
        """The digest that names the model."""
        return self.ref.rsplit("/", 1)[-1]


def hash_file(data: bytes) -> str:
    """Return the sha256 of a file in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest_files(hashes: Mapping[str, str]) -> str:
    """Return the digest of a folder: sha256 over its sorted lines `sha256  path`."""
    lines = "".join(f"{hashes[path]}  {path}\n" for path in sorted(hashes))
    return hash_file(lines.encode())


async def write_model(
    store: ObjectStore, layout: Layout, *, card: ModelCard, files: Mapping[str, bytes]
) -> StoredModel:
    """Write a model under its digest and return it; files that are there already are kept, since they are the same.

    `card.files` is filled in here. The card is written last: a folder with a card is whole.
    """
    hashes = {path: hash_file(data) for path, data in files.items()}
    card = card.model_copy(update={"files": hashes})
    data = card.to_json()
    digest = digest_files({**hashes, CARD_FILE: hash_file(data)})
    await asyncio.gather(*(put_once(store, layout.model(digest, path), data) for path, data in files.items()))
    await put_once(store, layout.model(digest, CARD_FILE), data)
    return StoredModel(ref=layout.model_folder(digest), card=card, onnx=files[ONNX_FILE])


async def read_model(store: ObjectStore, ref: str) -> StoredModel:
    """Return the model under the prefix `ref`, after checking what is read against the digest.

    Raises:
        ObjectNotFound: there is no model.
        BadModel: the card or the graph is not what the digest says.
    """
    ref = ref.rstrip("/")
    card_data = (await store.get(f"{ref}/{CARD_FILE}")).data
    card = ModelCard.from_json(card_data, source=f"{ref}/{CARD_FILE}")
    if digest_files({**card.files, CARD_FILE: hash_file(card_data)}) != ref.rsplit("/", 1)[-1]:
        raise BadModel(f"{ref}/{CARD_FILE} does not match the digest in its folder's name: the model was changed")
    onnx = (await store.get(f"{ref}/{ONNX_FILE}")).data
    if hash_file(onnx) != card.files.get(ONNX_FILE):
        raise BadModel(f"{ref}/{ONNX_FILE} does not match its hash in {CARD_FILE}: the model was changed or cut off")
    return StoredModel(ref=ref, card=card, onnx=onnx)
