"""Who may come in: whoever opened the secret link, under the name that they chose."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from aiohttp import web

__all__ = ["SecretLink", "checked_name"]

_LONGEST_NAME: Final = 64
_NAME_COOKIE: Final = "labelplane_name"
_YEAR_SECONDS: Final = 365 * 86_400


class SecretLink:
    """Lets in who has opened `/enter/<secret>` once; that browser has a cookie since.

    `hosts` are the names by which the front may be called: a foreign page that made its own name lead here (DNS
    rebinding) calls by another one.
    """

    def __init__(self, secret: str, *, name: str, hosts: Sequence[str]) -> None:
        self._secret = secret
        self._name = checked_name(name) or "me"
        self._hosts = frozenset(hosts)
        # Cookies know no ports: two runs on one machine must not take each other's away.
        self._cookie = f"labelplane_{hashlib.sha256(secret.encode()).hexdigest()[:12]}"

    def opens(self, secret: str) -> bool:
        """Whether a link is the right one."""
        return hmac.compare_digest(secret.encode("utf-8", "surrogatepass"), self._secret.encode())

    def person(self, request: web.Request) -> str | None:
        """Return the name that the caller chose, this machine's user until then."""
        if request.host not in self._hosts or not self.opens(request.cookies.get(self._cookie, "")):
            return None
        return _decoded(request.cookies.get(_NAME_COOKIE, "")) or self._name

    def let_in(self, response: web.StreamResponse) -> None:
        """Give a browser the cookie."""
        self._set(response, self._cookie, self._secret)

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


def _decoded(cookie: str) -> str | None:
    try:
        return checked_name(base64.urlsafe_b64decode(cookie.encode("ascii")).decode())
    except (ValueError, binascii.Error):
        return None
