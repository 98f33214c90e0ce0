"""Signed words: what a service hands out and takes back without having to remember it."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from labelplane_core.storage import Layout, ObjectStore, put_once

__all__ = ["Lease", "Signer", "Ticket", "read_signer"]

_SIGNATURE_BYTES: Final = 16
_LEASE: Final = "lease"
_TICKET: Final = "item"


@dataclass(frozen=True, slots=True)
class Lease:
    """A task in one person's hands until a moment."""

    number: int
    annotator: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Ticket:
    """The right to read one item's content until a moment."""

    item_id: str
    until: datetime


class Signer:
    """Signs leases and tickets with a key (HMAC-SHA-256, cut to 128 bits); what it did not sign reads as None."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def lease_id(self, lease: Lease) -> str:
        """Return the word that stands for a lease."""
        return self._sign(_LEASE, [lease.number, lease.annotator, _milliseconds(lease.until)])

    def lease(self, lease_id: str) -> Lease | None:
        """Return the lease, run out or not."""
        fields = self._read(_LEASE, lease_id)
        return None if fields is None else Lease(fields[0], fields[1], _time(fields[2]))

    def content_ticket(self, ticket: Ticket) -> str:
        """Return the word that stands for a ticket."""
        return self._sign(_TICKET, [ticket.item_id, _milliseconds(ticket.until)])

    def ticket(self, content_ticket: str) -> Ticket | None:
        """Return the ticket, run out or not."""
        fields = self._read(_TICKET, content_ticket)
        return None if fields is None else Ticket(fields[0], _time(fields[1]))

    def _sign(self, purpose: str, fields: list[Any]) -> str:
        body = json.dumps([purpose, *fields], ensure_ascii=False, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._signature(body) + body).decode().rstrip("=")

    def _read(self, purpose: str, word: str) -> list[Any] | None:
        try:
            signed = base64.urlsafe_b64decode(word.encode("ascii") + b"=" * (-len(word) % 4))
        except (ValueError, binascii.Error):
            return None
        signature, body = signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(body)):
            return None
        fields: list[Any] = json.loads(body)
        return fields[1:] if fields[0] == purpose else None

    def _signature(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, hashlib.sha256)[:_SIGNATURE_BYTES]


async def read_signer(store: ObjectStore, layout: Layout, *, draw: Callable[[int], bytes]) -> Signer:
    """Return the job's signer; the first call makes its key, so that leases hold over restarts."""
    await put_once(store, layout.review_key, draw(32))
    return Signer((await store.get(layout.review_key)).data)


def _milliseconds(time: datetime) -> int:
    return round(1000 * time.timestamp())


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
