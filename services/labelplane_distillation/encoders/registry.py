"""Which encoders there are, what they read, what must be installed for them, and how they are made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from labelplane_core.features import InputKind, InputSpec
from labelplane_core.tasks import DecodedItem, Modality
from labelplane_distillation.errors import EncoderMismatch, MissingExtra, MissingWeights, UnknownEncoder
from labelplane_distillation.learning import Learner, NetworkSettings

__all__ = ["ENCODERS", "Encoder", "LearnerParts", "find_encoder", "make_learner", "require_encoder", "resolve_encoder"]

AUTO = "Auto"
"""Leaves the choice to what is installed."""

MAX_SMALL_SIDE = 64
"""Longest side of an image in pixels that networks trained from nothing look at; larger images are shrunk to it."""

TEXT_DIMS = 4096
"""Features of a text for a linear head or an MLP."""

NGRAM_BUCKETS = 16_384
"""Rows of the n-gram table: 4 MB for each member at a width of 64."""

NGRAM_LENGTH = 1024
"""N-grams kept of a text."""


@dataclass(frozen=True, slots=True)
class LearnerParts:
    """What a learner is made from; `weights` is a local folder with pretrained weights, or None."""

    settings: NetworkSettings
    spec: InputSpec
    weights: Path | None
    is_deterministic: bool
    threads: int


SpecMaker = Callable[[Modality, Sequence[DecodedItem], Path | None], InputSpec]


@dataclass(frozen=True, slots=True)
class Encoder:
    """An entry of the registry.

    Attributes:
        name: as jobs spell it.
        modalities: what it reads.
        extra: the extra of the distribution to install; empty for the base install.
        packages: what that extra must have brought.
        needs_weights: whether it is useless without pretrained weights.
        make_spec: how items are encoded, from a sample of them and the folder of weights.
        make: builds the learner; heavy packages are imported here and not before.
    """

    name: str
    modalities: frozenset[Modality]
    make_spec: SpecMaker
    make: Callable[[LearnerParts], Learner]
    extra: str = ""
    packages: tuple[str, ...] = ()
    needs_weights: bool = False


def find_encoder(name: str, modality: Modality) -> Encoder:
    """Return the encoder of that name.

    Raises:
        UnknownEncoder: there is none; the message lists those for the modality.
        EncoderMismatch: it does not read that modality.
    """
    suited = ", ".join(each.name for each in ENCODERS if modality in each.modalities)
    for encoder in ENCODERS:
        if encoder.name == name:
            if modality not in encoder.modalities:
                raise EncoderMismatch(f"encoder {name} does not read items of kind {modality}: choose one of {suited}")
            return encoder
    raise UnknownEncoder(f"there is no encoder {name!r}: choose one of {suited}")


def resolve_encoder(name: str, modality: Modality, *, is_student: bool) -> str:
    """Return the encoder that `Auto` stands for here; any other name as it is.

    With torch a text's n-grams, and for images a small CNN as teacher and an MLP, which is faster, as student; without
    it the linear head.
    """
    if name != AUTO:
        return name
    if find_spec("torch") is None:
        return "Linear"
    if modality is Modality.TEXT:
        return "HashedNgrams"
    return "Mlp" if is_student else "SmallCnn"


def require_encoder(encoder: Encoder, *, has_weights: bool) -> None:
    """Return if the encoder can be used here.

    Raises:
        MissingExtra: a package is not installed.
        MissingWeights: it needs pretrained weights and none are named.
    """
    missing = [package for package in encoder.packages if find_spec(package) is None]
    if missing:
        raise MissingExtra(
            f"encoder {encoder.name} needs {', '.join(missing)}: install labelplane[{encoder.extra}], "
            "or choose encoder Linear, which needs nothing more"
        )
    if encoder.needs_weights and not has_weights:
        raise MissingWeights(
            f"encoder {encoder.name} needs pretrained weights: put config.json and model.safetensors in a folder, or "
            "under a prefix of the job's storage, and name it in `weights`; nothing is downloaded from a hub"
        )


def make_learner(encoder: Encoder, parts: LearnerParts) -> Learner:
    """Return what trains the encoder; errors as `require_encoder`."""
    require_encoder(encoder, has_weights=parts.weights is not None)
    return encoder.make(parts)


# How items are encoded.


def _image_size(items: Sequence[DecodedItem]) -> tuple[int, int, int]:
    """Return channels, height and width that keep a sample of images whole, as far as they are small."""
    images = [item for item in items if not isinstance(item, str)]
    if not images:
        raise EncoderMismatch("there is no image to learn the input's size from")
    height = max(image.shape[0] for image in images)
    width = max(image.shape[1] for image in images)
    shrink = min(1.0, MAX_SMALL_SIDE / max(height, width))
    is_grey = all(np.array_equal(image[..., 0], image[..., channel]) for image in images for channel in (1, 2))
    return (1 if is_grey else 3), max(1, round(height * shrink)), max(1, round(width * shrink))


def _image_spec(kind: InputKind, items: Sequence[DecodedItem]) -> InputSpec:
    channels, height, width = _image_size(items)
    return InputSpec(kind, height=height, width=width, channels=channels)


def _linear_spec(modality: Modality, items: Sequence[DecodedItem], _weights: Path | None) -> InputSpec:
    if modality is Modality.TEXT:
        return InputSpec(InputKind.HASHED_NGRAMS, dims=TEXT_DIMS)
    return _image_spec(InputKind.PIXELS, items)


def _mlp_spec(modality: Modality, items: Sequence[DecodedItem], _weights: Path | None) -> InputSpec:
    if modality is Modality.TEXT:
        return InputSpec(InputKind.HASHED_NGRAMS, dims=TEXT_DIMS)
    return _image_spec(InputKind.IMAGE, items)


def _cnn_spec(_modality: Modality, items: Sequence[DecodedItem], _weights: Path | None) -> InputSpec:
    return _image_spec(InputKind.IMAGE, items)


def _ngram_spec(_modality: Modality, _items: Sequence[DecodedItem], _weights: Path | None) -> InputSpec:
    return InputSpec(InputKind.NGRAM_IDS, dims=NGRAM_BUCKETS, length=NGRAM_LENGTH)


def _pretrained_spec(_modality: Modality, _items: Sequence[DecodedItem], weights: Path | None) -> InputSpec:
    from labelplane_distillation.encoders.weights import read_image_size

    side = read_image_size(weights)
    return InputSpec(InputKind.IMAGE, height=side, width=side, channels=3)


# How learners are made.


def _make_linear(parts: LearnerParts) -> Learner:
    from labelplane_distillation.linear import LinearLearner

    return LinearLearner(parts.settings)


def _make_small(parts: LearnerParts) -> Learner:
    from labelplane_distillation.neural.learner import small_learner

    return small_learner(
        parts.settings, spec=parts.spec, is_deterministic=parts.is_deterministic, threads=parts.threads
    )


def _make_pretrained(parts: LearnerParts) -> Learner:
    from labelplane_distillation.neural.pretrained import PretrainedLearner

    return PretrainedLearner(
        parts.settings,
        spec=parts.spec,
        weights=parts.weights,
        is_deterministic=parts.is_deterministic,
        threads=parts.threads,
    )


_IMAGE, _TEXT = frozenset({Modality.IMAGE}), frozenset({Modality.TEXT})

ENCODERS: tuple[Encoder, ...] = (
    Encoder("Linear", _IMAGE | _TEXT, _linear_spec, _make_linear),
    Encoder("Mlp", _IMAGE | _TEXT, _mlp_spec, _make_small, extra="local", packages=("torch",)),
    Encoder("SmallCnn", _IMAGE, _cnn_spec, _make_small, extra="local", packages=("torch",)),
    Encoder("HashedNgrams", _TEXT, _ngram_spec, _make_small, extra="local", packages=("torch",)),
    Encoder(
        "Torchvision",
        _IMAGE,
        _pretrained_spec,
        _make_pretrained,
        extra="encoders",
        packages=("torch", "torchvision"),
        needs_weights=True,
    ),
    Encoder(
        "HuggingFace",
        _IMAGE,
        _pretrained_spec,
        _make_pretrained,
        extra="encoders",
        packages=("torch", "transformers"),
        needs_weights=True,
    ),
)
"""Every encoder there is; the base install has the first alone."""
