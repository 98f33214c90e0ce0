"""Images as arrays of one size."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

__all__ = ["image_batch", "pixels"]

_SMALLEST_DEVIATION = 1e-6


def image_batch(
    images: Sequence[npt.NDArray[np.uint8]], *, height: int, width: int, channels: int
) -> npt.NDArray[np.float32]:
    """Return images of shape (rows, columns, 3) as one float32 array (N, channels, height, width) in [0, 1].

    Each is resized (bilinear, over the area that shrinks into a pixel) without regard to its aspect; one that has the
    size already keeps its values. With one channel the luma (ITU-R 601) is taken before resizing.
    """
    batch = np.empty((len(images), height, width, channels), dtype=np.float32)
    for row, image in enumerate(images):
        batch[row] = _resized(image, height, width, channels)
    batch /= 255.0
    return np.ascontiguousarray(batch.transpose(0, 3, 1, 2))


def pixels(
    images: Sequence[npt.NDArray[np.uint8]], *, height: int, width: int, channels: int
) -> npt.NDArray[np.float32]:
    """Return each image as one row of float32 (N, channels * height * width) with mean 0 and standard deviation 1.

    Each image is standardised by itself, so brightness and contrast drop out and no statistic of the data set is
    needed. An image of one colour is all zeros.
    """
    rows = image_batch(images, height=height, width=width, channels=channels).reshape(
        len(images), channels * height * width
    )
    # In float64, so that an image of one colour comes out as zero and not as its own rounding.
    rows -= rows.mean(axis=1, keepdims=True, dtype=np.float64)
    rows /= np.maximum(rows.std(axis=1, keepdims=True), _SMALLEST_DEVIATION)
    return rows


def _resized(image: npt.NDArray[np.uint8], height: int, width: int, channels: int) -> npt.NDArray[np.uint8]:
    picture = Image.fromarray(image)
    if channels == 1:
        picture = picture.convert("L")
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture).reshape(height, width, channels)
