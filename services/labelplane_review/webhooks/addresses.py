"""Where notices may go: http and https, and to no address that belongs to the machine's cloud or link alone."""

import ipaddress
import socket
from typing import Final
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from labelplane_core.errors import InvalidInput

__all__ = ["GuardedResolver", "checked_url", "is_forbidden"]

_METADATA: Final = frozenset({ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")})
"""Addresses of clouds that hand out credentials and are not link-local."""


def checked_url(url: str) -> str:
    """Return an address to which notices may go.

    Raises:
        InvalidInput: it is no http or https address, holds a password, or is of a forbidden address.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise InvalidInput(f"webhook {url[:80]!r} is no address: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise InvalidInput(f"webhook {url[:80]!r} must be http://host/path or https://host/path")
    if parts.username or parts.password:
        raise InvalidInput(f"webhook of {parts.hostname} holds a password: notices are signed instead")
    if _is_odd_number(parts.hostname):
        raise InvalidInput(f"webhook {url[:80]!r}: write the address as four numbers, or as a name")
    if is_forbidden(parts.hostname):
        raise InvalidInput(f"webhook {url[:80]!r} is a link-local or multicast address: nothing is sent there")
    return url


def is_forbidden(host: str) -> bool:
    """Whether a host is written as an address that notices must not go to; a name is looked at when it is resolved."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_link_local or mapped.is_multicast or mapped.is_unspecified or mapped in _METADATA


def _is_odd_number(host: str) -> bool:
    """Whether a host is made of digits and is no address as usually written: systems read such numbers, too."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return ":" in host or host.replace(".", "").isdigit()
    return False


class GuardedResolver(AbstractResolver):
    """Resolves names at the moment of connecting, and passes over forbidden addresses: a name may change its mind."""

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name to which notices may go; `OSError` when there is none."""
        found = await self._inner.resolve(host, port, family)
        allowed = [each for each in found if not is_forbidden(each["host"])]
        if not allowed:
            raise OSError(f"{host} leads to link-local or multicast addresses alone: nothing is sent there")
        return allowed

    async def close(self) -> None:
        """Close the inner resolver."""
        await self._inner.close()
