"""Features without torch: what cold-start selection and the linear head use, and every model's preprocessing."""

from labelplane_core.features.ngrams import hashed_ngrams, ngram_ids
from labelplane_core.features.pixels import image_batch, pixels
from labelplane_core.features.spec import InputKind, InputSpec

__all__ = ["InputKind", "InputSpec", "hashed_ngrams", "image_batch", "ngram_ids", "pixels"]
