"""Classification of images."""

import base64
import io
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from labelplane_core.errors import CorruptItem, EmptyItem, ItemTooLarge, UnsupportedFormat
from labelplane_core.tasks.classification import ClassificationKind
from labelplane_core.tasks.kind import Modality, Presentation

__all__ = ["ImageClassification", "decode_image"]

MAX_IMAGE_BYTES = 64 << 20
MAX_IMAGE_PIXELS = 50_000_000
"""As much as a 50-megapixel camera gives; decoded at most 200 MB. What claims more is refused before it is decoded."""

_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
_SHOWN_AS_THEY_ARE = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "WEBP": "image/webp",
}
_WHITE = (255, 255, 255, 255)


class ImageClassification(ClassificationKind):
    """One class for every image."""

    type_name: ClassVar[str] = "ImageClassification"
    modality: ClassVar[Modality] = Modality.IMAGE
    suffixes: ClassVar[frozenset[str]] = frozenset(
        {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".pgm", ".ppm"}
    )

    browser_suffixes: ClassVar[frozenset[str]] = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"})

    def decode(self, raw: bytes | str) -> npt.NDArray[np.uint8]:
        """Return the image as (height, width, 3) RGB; see `decode_image`."""
        return np.asarray(decode_image(raw))

    def thumbnail(self, raw: bytes | str, *, size: int = 96) -> str:
        """Return a `data:` URI of a PNG of at most `size` pixels a side; small images are not enlarged."""
        image = decode_image(raw)
        image.thumbnail((size, size))
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"

    def present(self, raw: bytes | str) -> Presentation:
        """Return the file as it is where browsers know its format, and as PNG otherwise; its header is checked."""
        data = raw.encode() if isinstance(raw, str) else raw
        media_type = _media_type(data)
        if media_type is not None:
            return Presentation(media_type, data)
        buffer = io.BytesIO()
        decode_image(data).save(buffer, "PNG")
        return Presentation("image/png", buffer.getvalue())


def _media_type(data: bytes) -> str | None:
    """Return what browsers call the format of a file, from its first bytes; None for one that they do not know."""
    if len(data) > MAX_IMAGE_BYTES:
        return None
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            _check_pixels(image)
            return _SHOWN_AS_THEY_ARE.get(image.format or "")
    except (OSError, ItemTooLarge, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None  # decoding it says what is wrong


def decode_image(raw: bytes | str) -> Image.Image:
    """Return the first frame of an image file as RGB, turned as its EXIF says, over white where it is transparent.

    Raises:
        EmptyItem: There are no bytes.
        ItemTooLarge: More than 64 MiB, or 50 million pixels by its header; nothing has been decoded then.
        UnsupportedFormat: Not PNG, JPEG, GIF, BMP, WebP, TIFF or PPM.
        CorruptItem: The file is damaged or cut short.
    """
    data = raw.encode() if isinstance(raw, str) else raw
    if not data:
        raise EmptyItem("the image has no bytes")
    if len(data) > MAX_IMAGE_BYTES:
        raise ItemTooLarge(f"the image has {len(data)} bytes, more than {MAX_IMAGE_BYTES}")
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            _check_pixels(image)
            return _to_rgb(ImageOps.exif_transpose(image))
    except ItemTooLarge:
        raise
    except UnidentifiedImageError as error:
        raise UnsupportedFormat(f"the image is none of {', '.join(_FORMATS)}, or its header is damaged") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ItemTooLarge(f"the image claims more than {MAX_IMAGE_PIXELS} pixels") from error
    except Exception as error:  # Pillow's decoders raise whatever a damaged file makes of them.
        raise CorruptItem(f"the image cannot be decoded: {type(error).__name__}: {str(error)[:120]}") from error


def _check_pixels(image: Image.Image) -> None:
    if image.width * image.height > MAX_IMAGE_PIXELS:
        raise ItemTooLarge(f"the image has {image.width} x {image.height} pixels, more than {MAX_IMAGE_PIXELS}")


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # 16 bits a pixel; Pillow's own conversion would cut instead of scale
        return Image.fromarray((np.asarray(image).astype(np.int64).clip(0, 65_535) // 257).astype(np.uint8)).convert(
            "RGB"
        )
    if image.has_transparency_data:
        clear = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", clear.size, _WHITE), clear).convert("RGB")
    return image.convert("RGB")
