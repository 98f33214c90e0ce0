"""A proxy that has signed people in and names them in headers: believed only when it is surely the proxy that calls."""

import hmac
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final

from aiohttp import web

from labelplane_review.web.refusals import Refused
from labelplane_review.web.rights import Visitor

__all__ = ["SECRET_HEADER", "SigningProxy"]

SECRET_HEADER: Final = "X-Labelplane-Proxy-Secret"  # noqa: S105 - the header's name
_LONGEST_NAME: Final = 253
_MOST_GROUPS: Final = 200
_KUBERNETES: Final = "system:"
"""Users and groups of this beginning are the cluster's own: a proxy that knows people knows none of them."""
_EVERYBODY: Final = "system:authenticated"


@dataclass(frozen=True, slots=True)
class SigningProxy:
    """Reads who calls from a proxy's headers.

    Attributes:
        user_header: names the user; empty where there is no proxy.
        groups_header: names their groups, with commas between; empty for none.
        networks: that the proxy calls from; none is any.
        secret: what the proxy brings with each call; empty when it need not.
        user_prefix: put before each user's name, as the API server does for the same people.
        groups_prefix: put before each group.
    """

    user_header: str
    groups_header: str = ""
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    secret: bytes = field(default=b"", repr=False)
    user_prefix: str = ""
    groups_prefix: str = ""

    def visitor(self, request: web.Request) -> Visitor | None:
        """Return whom the proxy names, None when the call carries no such header.

        Raises:
            Refused: the headers do not come from the proxy, or name nobody that a proxy may name.
        """
        names = [name for name in (self.user_header, self.groups_header, SECRET_HEADER) if name in request.headers]
        if not self.user_header or not names:
            return None
        if not self._is_proxy(request) or any(len(request.headers.getall(name)) > 1 for name in names):
            raise Refused(401, "ForgedHeader", "headers that name a user are taken from the signing proxy alone")
        user = self.user_prefix + request.headers.get(self.user_header, "").strip()
        if user == self.user_prefix or user.startswith(_KUBERNETES) or not _is_name(user):
            raise Refused(401, "NotSignedIn", "the proxy names no user that can be one: sign in again")
        return Visitor(user, groups=(*self._groups(request), _EVERYBODY))

    def _is_proxy(self, request: web.Request) -> bool:
        brought = request.headers.get(SECRET_HEADER, "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(brought, self.secret):
            return False
        if not self.networks:
            return bool(self.secret)
        caller = ip_address((request.remote or "0.0.0.0").partition("%")[0])  # noqa: S104 - an address of nobody
        mapped = getattr(caller, "ipv4_mapped", None) or caller
        return any(mapped in network for network in self.networks)

    def _groups(self, request: web.Request) -> tuple[str, ...]:
        listed = request.headers.get(self.groups_header, "") if self.groups_header else ""
        groups = [self.groups_prefix + each.strip() for each in listed.split(",") if each.strip()]
        return tuple(each for each in groups if not each.startswith(_KUBERNETES) and _is_name(each))[:_MOST_GROUPS]


def _is_name(text: str) -> bool:
    return 0 < len(text) <= _LONGEST_NAME and text.isprintable()
