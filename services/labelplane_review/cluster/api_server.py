"""The Kubernetes API as far as a front needs it: LabelingJobs listed and watched, and reviews of tokens and rights."""

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp

from labelplane_core.errors import InvalidInput
from labelplane_core.settings import PREFIX
from labelplane_review.errors import ApiServerAway

__all__ = ["ApiServer", "open_tls"]

_CALL_SECONDS: Final = 10.0
_WATCH_SECONDS: Final = 240
_LONGEST_LINE: Final = 16 << 20

Object = dict[str, Any]


def open_tls(ca_file: Path) -> ssl.SSLContext:
    """Return the TLS by which the API server is checked; `InvalidInput` when its certificates cannot be read."""
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except (OSError, ssl.SSLError) as error:
        words = f"{error.strerror or error}: name the file with the API server's certificates"
        raise InvalidInput(f"{PREFIX}API_CA_FILE {ca_file}: {words}") from error


class ApiServer:
    """Calls the API server as this process's ServiceAccount, whose token is read anew as the kubelet renews it."""

    def __init__(self, session: aiohttp.ClientSession, address: str, *, token_file: Path, tls: ssl.SSLContext) -> None:
        self._session = session
        self._address = address.rstrip("/")
        self._token_file = token_file
        self._tls = tls

    async def get(self, path: str) -> Object:
        """Return an object or a list; `ApiServerAway` when it is not to be had."""
        return await self._call("GET", path)

    async def create(self, path: str, body: Mapping[str, Any]) -> Object:
        """Create an object and return the answer; `ApiServerAway` when there is none."""
        return await self._call("POST", path, body=body)

    async def watch(self, path: str, *, version: str) -> AsyncIterator[Object]:
        """Yield what happens after a version, until the server ends the watch or says that it must be listed again.

        Raises:
            ApiServerAway: the connection broke, or the version is too old.
        """
        query = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true"}
        query["timeoutSeconds"] = str(_WATCH_SECONDS)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=_CALL_SECONDS, sock_read=_WATCH_SECONDS * 2)
        words: dict[str, Any] = {"params": query, "headers": self._headers(), "ssl": self._tls, "timeout": timeout}
        try:
            async with self._session.get(self._address + path, **words) as answer:
                if answer.status != 200:
                    raise ApiServerAway(f"watch {path}: {answer.status}: {_message(await answer.read())}")
                async for line in _lines(answer.content):
                    event: Object = json.loads(line)
                    if event["type"] == "ERROR":
                        raise ApiServerAway(f"watch {path}: {event['object'].get('message', '')}")
                    yield event
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ApiServerAway(f"watch {path}: {str(error) or type(error).__name__}") from error

    async def _call(self, method: str, path: str, *, body: Mapping[str, Any] | None = None) -> Object:
        words: dict[str, Any] = {"json": body, "headers": self._headers(), "ssl": self._tls}
        timeout = aiohttp.ClientTimeout(total=_CALL_SECONDS)
        try:
            async with self._session.request(method, self._address + path, timeout=timeout, **words) as answer:
                text = await answer.read()
                if answer.status >= 300:
                    raise ApiServerAway(f"{method} {path}: {answer.status}: {_message(text)}")
                found: Object = json.loads(text)
                return found
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ApiServerAway(f"{method} {path}: {str(error) or type(error).__name__}") from error

    def _headers(self) -> dict[str, str]:
        try:
            return {"Authorization": f"Bearer {self._token_file.read_text(encoding='ascii').strip()}"}
        except (OSError, ValueError) as error:
            raise ApiServerAway(f"{PREFIX}API_TOKEN_FILE {self._token_file}: {error}") from error


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Yield lines of any length up to the most that an object may have; the reader's own limit is lower."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line
        if len(rest) > _LONGEST_LINE:
            raise ValueError("an event is longer than any object may be")


def _message(text: bytes) -> str:
    try:
        return str(json.loads(text)["message"])[:500]
    except (ValueError, KeyError, TypeError):
        return text.decode(errors="replace")[:500]
