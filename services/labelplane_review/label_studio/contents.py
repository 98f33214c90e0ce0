"""What a task shows: a text as it is; an image as an address that a browser can open, or whole."""

import asyncio
import base64
import io
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from urllib.parse import parse_qs, urlsplit

import grpc
from PIL import Image

from labelplane_core.storage import AddressSigner
from labelplane_review.desk_client import DeskClient
from labelplane_review.inbox_client import OpenTask
from labelplane_review.label_studio.client import PAGE

__all__ = ["SIGNED_SECONDS", "Contents", "InlineContents", "SignedContents", "expires_at"]

SIGNED_SECONDS: Final = 7 * 24 * 3600.0
"""The longest that S3 lets an address be signed for."""
LARGEST_BYTES: Final = 256 * 1024
"""Bytes of an image that stand in a task; a larger one is made smaller."""
IMAGES_A_PAGE: Final = 50
"""Tasks a page where each holds an image: 17 MB at most."""
_SIDES: Final = (1600, 1200, 800, 400)


class Contents(Protocol):
    """Gives what a task shows; `tasks_a_page` is how many of them a listing may hold."""

    tasks_a_page: int

    async def show(self, task: OpenTask) -> str | None:
        """Return a text or an image's address; None when the item cannot be shown."""
        ...


class SignedContents:
    """Images as presigned addresses, which the annotators' browsers fetch from the bucket."""

    tasks_a_page = PAGE

    def __init__(self, signer: AddressSigner) -> None:
        self._signer = signer

    async def show(self, task: OpenTask) -> str | None:
        """Return an address that works for `SIGNED_SECONDS`."""
        return await self._signer.address(task.uri, seconds=SIGNED_SECONDS)


class InlineContents:
    """Texts as they are, and images as `data:` addresses: for items that no browser elsewhere reaches."""

    def __init__(self, desk: DeskClient, *, is_image: bool) -> None:
        self._desk = desk
        self.tasks_a_page = IMAGES_A_PAGE if is_image else PAGE

    async def show(self, task: OpenTask) -> str | None:
        """Return the text, out of its file where it has one, or the image, at most `LARGEST_BYTES` before encoding."""
        if task.text:
            return task.text
        try:
            media_type, data = await self._read(task.item_id)
        except grpc.aio.AioRpcError as error:
            if error.code() in {grpc.StatusCode.NOT_FOUND, grpc.StatusCode.INVALID_ARGUMENT}:
                return None  # its file is gone or damaged
            raise
        if media_type.startswith("text/"):
            return data.decode()
        if len(data) > LARGEST_BYTES:
            media_type, data = await asyncio.to_thread(_smaller, data)
        return f"data:{media_type};base64,{base64.b64encode(data).decode()}"

    async def _read(self, item_id: str) -> tuple[str, bytes]:
        shown = await self._desk.sign(item_id)
        pieces = [piece async for piece in self._desk.content(shown.content_ticket)]
        return pieces[0][0], b"".join(data for _, data in pieces)


def expires_at(address: str) -> datetime | None:
    """Return when a presigned address of S3 ends to work (its own words, Signature Version 4); None for any other."""
    query = parse_qs(urlsplit(address).query)
    try:
        signed = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return signed + timedelta(seconds=int(query["X-Amz-Expires"][0]))
    except (KeyError, ValueError):
        return None


def _smaller(data: bytes) -> tuple[str, bytes]:
    """Return an image as a JPEG of at most `LARGEST_BYTES`, as large as that allows."""
    with Image.open(io.BytesIO(data)) as opened:
        image = opened.convert("RGB")
    encoded = b""
    for side in _SIDES:
        image.thumbnail((side, side))
        sink = io.BytesIO()
        image.save(sink, "JPEG", quality=85)
        encoded = sink.getvalue()
        if len(encoded) <= LARGEST_BYTES:
            break
    return "image/jpeg", encoded
