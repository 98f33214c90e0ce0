"""Who may come in on one machine: who opened a secret link, by a chosen name, and programs that bring its secret."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from aiohttp import web

from labelplane_review.web.bodies import NameBody, read_body
from labelplane_review.web.refusals import Refused
from labelplane_review.web.rights import NOBODY, Deed, Visitor

__all__ = ["SecretLink", "checked_name"]

_LONGEST_NAME: Final = 64
_NAME_COOKIE: Final = "labelplane_name"
_YEAR_SECONDS: Final = 365 * 86_400
_BEARER: Final = "Bearer "
_REFUSALS: Final[Mapping[Deed, Callable[[], Refused]]] = {
    Deed.DECIDE: lambda: Refused(
        403, "NotAdjudicator", "the owner and people with review.people[].adjudicator see others' votes and decide"
    ),
    Deed.BRING_VOTES: lambda: Refused(403, "OwnerOnly", "only who holds the owner's link may bring votes of others"),
}


class SecretLink:
    """Lets in who has opened `/enter/<secret>` once; that browser has a cookie since.

    There are two links: the owner's, and one to pass on, whose guests label and look and decide nothing. A program
    brings the owner's secret as `Authorization: Bearer <secret>`.

    `hosts` are the names by which the front may be called: a foreign page that made its own name lead here (DNS
    rebinding) calls by another one.
    """

    def __init__(self, secret: str, *, name: str, hosts: Sequence[str], guest_secret: str = "") -> None:
        self._secret = secret
        self._guest_secret = guest_secret
        self._name = checked_name(name) or "me"
        self._hosts = frozenset(hosts)
        # Cookies know no ports: two runs on one machine must not take each other's away.
        self._cookie = f"labelplane_{hashlib.sha256(secret.encode()).hexdigest()[:12]}"

    def opens(self, secret: str) -> bool:
        """Whether a link is one of the right ones."""
        return self._is_owners(secret) or (bool(self._guest_secret) and _are_equal(secret, self._guest_secret))

    @property
    def may_rename(self) -> bool:
        """People choose their names."""
        return True

    def routes(self) -> Sequence[web.RouteDef]:
        """Return the link and the choice of a name."""
        return [web.get("/enter/{secret}", self.enter), web.post("/api/name", self.take_name)]

    async def admit(self, request: web.Request) -> Visitor:
        """Return who calls; `Refused` when they may not come in."""
        visitor = self.visitor(request)
        if visitor is None and "Authorization" in request.headers:
            raise Refused(401, "WrongToken", "the token is not the owner's: it is the last part of the owner's link")
        if visitor is None:
            raise Refused(403, "NoAccess", "open the link that labelplane run prints: it lets this browser in")
        return visitor

    async def may(self, visitor: Visitor, deed: Deed, job: str) -> bool:
        """Whether a visitor may do something: everybody who came in may look and label."""
        del job
        return visitor.is_owner or deed in {Deed.SEE, Deed.LABEL}

    async def seen_by(self, visitor: Visitor, jobs: Sequence[str]) -> Sequence[str]:
        """Return all jobs."""
        del visitor
        return jobs

    def refusal(self, deed: Deed) -> Refused:
        """Return what a guest is told who may not do something."""
        return _REFUSALS[deed]()

    async def enter(self, request: web.Request) -> web.Response:
        """Let a browser in by the secret link."""
        secret = request.match_info["secret"]
        if not self.opens(secret):
            raise Refused(403, "NoAccess", "this link is not the one that labelplane run printed: copy it whole")
        leads = web.HTTPSeeOther("/")
        self.let_in(leads, secret=secret)
        raise leads

    async def take_name(self, request: web.Request) -> web.Response:
        """Let a person choose their name."""
        body = await read_body(request, NameBody)
        await self.admit(request)
        name = checked_name(body.name)
        if name is None:
            raise Refused(400, "InvalidInput", "a name has 1 to 64 printable characters")
        response = web.json_response({})
        self.rename(response, name)
        return response

    def visitor(self, request: web.Request) -> Visitor | None:
        """Return who calls, by the name that they chose; until then the owner has that of this machine's user.

        A foreign page cannot know the secret, so a program that brings it may call by any host name.
        """
        header = request.headers.get("Authorization")
        if header is not None:
            is_owner = header.startswith(_BEARER) and self._is_owners(header.removeprefix(_BEARER).strip())
            return Visitor(self._name, is_owner=True) if is_owner else None
        secret = request.cookies.get(self._cookie, "")
        if request.host not in self._hosts or not self.opens(secret):
            return None
        is_owner = self._is_owners(secret)
        name = _decoded(request.cookies.get(_NAME_COOKIE, "")) or (self._name if is_owner else NOBODY)
        return Visitor(name, is_owner=is_owner)

    def let_in(self, response: web.StreamResponse, *, secret: str = "") -> None:
        """Give a browser the cookie of the link that it opened, the owner's unless another is given."""
        self._set(response, self._cookie, secret or self._secret)

    def _is_owners(self, secret: str) -> bool:
        return _are_equal(secret, self._secret)

    def rename(self, response: web.StreamResponse, name: str) -> None:
        """Give a browser its person's name."""
        self._set(response, _NAME_COOKIE, base64.urlsafe_b64encode(name.encode()).decode())

    @staticmethod
    def _set(response: web.StreamResponse, key: str, value: str) -> None:
        response.set_cookie(key, value, max_age=_YEAR_SECONDS, httponly=True, samesite="Lax", path="/")


def checked_name(name: str) -> str | None:
    """Return a person's name without outer space; None when it is empty, too long or not printable."""
    name = " ".join(name.split())
    return name if 0 < len(name) <= _LONGEST_NAME and name.isprintable() else None


def _are_equal(first: str, second: str) -> bool:
    return hmac.compare_digest(first.encode("utf-8", "surrogatepass"), second.encode())


def _decoded(cookie: str) -> str | None:
    try:
        return checked_name(base64.urlsafe_b64decode(cookie.encode("ascii")).decode())
    except (ValueError, binascii.Error):
        return None
