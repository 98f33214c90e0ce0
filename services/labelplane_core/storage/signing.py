"""Addresses under which a browser reads an object of a bucket without holding a key."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

import obstore

from labelplane_core.errors import BadKey
from labelplane_core.storage.opening import StoreOptions, open_bucket
from labelplane_core.storage.store import check_key

__all__ = ["AddressSigner", "BucketSigner", "open_signer"]


class AddressSigner(Protocol):
    """Gives objects an address that holds for a while."""

    async def address(self, key: str, *, seconds: float) -> str:
        """Return where the object under `key` can be read for `seconds`; whether it is there is not looked at."""
        ...


class BucketSigner:
    """Presigned addresses of one of obstore's stores, rooted at our prefix; signing needs no network."""

    def __init__(self, store: Any) -> None:
        self._store = store

    async def address(self, key: str, *, seconds: float) -> str:
        """Return the address of a GET of the object under `key`, good for `seconds`."""
        expires = timedelta(seconds=seconds)
        signed: str = await obstore.sign_async(self._store, "GET", check_key(key), expires)
        return signed


def open_signer(uri: str, *, options: StoreOptions, endpoint: str) -> BucketSigner | None:
    """Return what signs addresses of the bucket at `uri` as browsers reach it; None without an endpoint or a bucket.

    Args:
        uri: the store's address; a folder signs nothing.
        options: how this process reaches the bucket; the keys in it sign.
        endpoint: `https://host[:port]` of the bucket's server as browsers reach it, which may be another address than
            this process uses. Empty: nothing is signed.

    Raises:
        BadKey: the endpoint is no http or https address.
    """
    if not endpoint or not uri.startswith("s3://"):
        return None
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.path not in ("", "/"):
        raise BadKey(f"endpoint {endpoint!r} of the items must be https://host[:port], without a path or keys")
    public = replace(options, endpoint=endpoint.rstrip("/"), allow_http=parts.scheme == "http")
    return BucketSigner(open_bucket(uri, options=public))
