"""A connector out of its parts, for a run on one machine and for a process of its own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from labelplane_core.storage import AddressSigner, BucketSigner, Layout, ObjectStore, StoreOptions, open_signer
from labelplane_core.storage.opening import open_bucket
from labelplane_review.desk_client import DeskClient
from labelplane_review.inbox_client import InboxClient
from labelplane_review.label_studio.client import LabelStudioClient, open_http
from labelplane_review.label_studio.connector import LabelStudioConnector, ProjectWish
from labelplane_review.label_studio.contents import Contents, InlineContents, SignedContents
from labelplane_review.label_studio.finding import ItemFinder
from labelplane_review.label_studio.records import Records

__all__ = ["ImageWay", "LabelStudioParts", "data_signer", "label_studio_connector"]


class ImageWay(StrEnum):
    """How annotators' browsers get images; the words are those of the job."""

    PRESIGNED = "Presigned"
    INLINE = "Inline"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelStudioParts:
    """What a connector is made of; images are shown inline without a `signer`, texts always."""

    url: str
    token: str = field(repr=False)
    ca_certificates: str = ""
    store: ObjectStore
    signer: AddressSigner | None
    wish: ProjectWish
    poll_seconds: float


def data_signer(uri: str, options: StoreOptions, *, endpoint: str = "") -> AddressSigner | None:
    """Return what signs addresses of a data set; None where it lies in no bucket of S3.

    `endpoint` is the bucket as browsers reach it, empty when that is as this process does.
    """
    if endpoint:
        return open_signer(uri, options=options, endpoint=endpoint)
    return BucketSigner(open_bucket(uri, options=options)) if uri.startswith("s3://") else None


def _contents(parts: LabelStudioParts, channel: Any) -> Contents:
    if parts.wish.is_image and parts.signer is not None:
        return SignedContents(parts.signer)
    return InlineContents(DeskClient(channel), is_image=parts.wish.is_image)


@asynccontextmanager
async def label_studio_connector(parts: LabelStudioParts, channel: Any) -> AsyncIterator[LabelStudioConnector]:
    """Yield a connector over a channel to the inbox; its connections are closed afterwards."""
    client = LabelStudioClient(open_http(parts.url, ca_certificates=parts.ca_certificates), token=parts.token)
    try:
        yield LabelStudioConnector(
            InboxClient(channel),
            client,
            Records(parts.store, Layout()),
            _contents(parts, channel),
            wish=parts.wish,
            poll_seconds=parts.poll_seconds,
            find_item=ItemFinder(parts.store, Layout()),
        )
    finally:
        await client.close()
