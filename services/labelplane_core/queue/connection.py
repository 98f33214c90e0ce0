"""The connection to NATS: made when it is first needed, and again for as long as the server is away."""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nats
import nats.aio.client
import nats.errors
from nats.aio.msg import Msg

from labelplane_core.errors import QueueRefused, QueueUnavailable

__all__ = ["QueueAccess", "QueueConnection"]

_LOOK_SECONDS = 0.02
_RECONNECT_SECONDS = 1
_NO_RESPONDERS = "503"
_STATUS = "Status"
_USER, _PASSWORD, _CA, _CERTIFICATE, _KEY = "user", "password", "ca.crt", "tls.crt", "tls.key"


@dataclass(frozen=True, slots=True)
class QueueAccess:
    """Where NATS is, and by which right it is reached.

    Attributes:
        servers: addresses with commas between, `nats://` or `tls://`; one of a cluster is enough.
        credentials: a folder with what is needed of `user` and `password`, `ca.crt`, and `tls.crt` with `tls.key`; a
            mounted Secret is one. It is read anew for each connection, so a change needs no restart. None for none.
        answer_seconds: how long an answer may take, and how long a call waits for a server that is away.
    """

    servers: str
    credentials: Path | None = None
    answer_seconds: float = 5.0

    def options(self) -> dict[str, Any]:
        """Return what the client is told of credentials.

        Raises:
            QueueRefused: a file cannot be read, or is not what its name says.
        """
        if self.credentials is None:
            return {}
        try:
            user, password = self._words(_USER), self._words(_PASSWORD)
            tls = self._tls()
        except (OSError, ssl.SSLError) as error:
            raise QueueRefused(f"the credentials of the queue in {self.credentials}: {error}") from error
        given = {"user": user, "password": password, "tls": tls}
        return {name: value for name, value in given.items() if value is not None}

    def _words(self, name: str) -> str | None:
        assert self.credentials is not None
        path = self.credentials / name
        return path.read_text(encoding="utf-8").strip() if path.exists() else None

    def _tls(self) -> ssl.SSLContext | None:
        assert self.credentials is not None
        authority, certificate = self.credentials / _CA, self.credentials / _CERTIFICATE
        if not authority.exists() and not certificate.exists():
            return None
        context = ssl.create_default_context(cafile=str(authority) if authority.exists() else None)
        if certificate.exists():
            context.load_cert_chain(certificate, self.credentials / _KEY)
        return context


class QueueConnection:
    """A connection that several queues share; it belongs to one event loop.

    A server that is away is tried again every second, without end. A call made meanwhile waits for it for
    `answer_seconds` and then raises `QueueUnavailable`: nothing was sent.
    """

    def __init__(self, access: QueueAccess, *, name: str = "labelplane") -> None:
        self._access = access
        self._name = name
        self._client: nats.aio.client.Client | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._trouble = ""

    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        wait_seconds: float = 0.0,
    ) -> Msg:
        """Send a message and return the answer, for which the server may take `wait_seconds` more than for others.

        Raises:
            QueueUnavailable: the server is away, or did not answer; the message may have arrived all the same.
            QueueRefused: the server does not know the credentials, or does not allow the message.
        """
        client = await self._connected()
        try:
            answer = await client.request(
                subject,
                payload,
                timeout=self._access.answer_seconds + wait_seconds,
                # A message of a stream comes under its own subject, by which the one inbox of a client cannot tell
                # whose answer it is: what has no headers gets an inbox of its own.
                old_style=headers is None,
                headers=None if headers is None else dict(headers),
            )
        except (nats.errors.Error, OSError) as error:
            raise self._failure(subject, error) from error
        if (answer.headers or {}).get(_STATUS) == _NO_RESPONDERS:
            raise self._failure(subject, nats.errors.NoRespondersError())
        self._trouble = ""
        return answer

    async def close(self) -> None:
        """Leave the server; a later call connects again."""
        connecting, client = self._connecting, self._client
        self._connecting = self._client = None
        while connecting is not None and not connecting.done():
            # Again until it ends: before Python 3.12 a wait that is over in the same moment swallows the word.
            connecting.cancel()
            await asyncio.wait({connecting}, timeout=_LOOK_SECONDS)
        if client is not None and not client.is_closed:
            with suppress(TimeoutError):
                await asyncio.wait_for(client.close(), self._access.answer_seconds)

    async def _connected(self) -> nats.aio.client.Client:
        if self._client is None or self._client.is_closed:
            await self._begin()
        assert self._client is not None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._access.answer_seconds
        while not self._client.is_connected:
            if self._is_refused():
                failure = self._failure("", None)
                await self.close()  # the next call reads the credentials anew
                raise failure
            if loop.time() >= deadline:
                raise self._failure("", None)
            await asyncio.sleep(_LOOK_SECONDS)
        return self._client

    async def _begin(self) -> None:
        """Begin to connect; it goes on by itself until it succeeds."""
        await self.close()
        self._trouble = ""
        options = self._access.options()
        self._client = nats.aio.client.Client()
        connecting = self._client.connect(
            self._access.servers.split(","),
            name=self._name,
            error_cb=self._note,
            max_reconnect_attempts=-1,
            reconnect_time_wait=_RECONNECT_SECONDS,
            **options,
        )
        self._connecting = asyncio.create_task(connecting, name="connect to the queue")

    async def _note(self, error: Exception) -> None:
        """Remember what the client last complained of: its calls end without a reason.

        A server that refuses hangs up, and not every try hears why: what was heard once stands.
        """
        if not self._is_refused():
            self._trouble = str(error) or type(error).__name__

    def _is_refused(self) -> bool:
        words = self._trouble.lower()
        return "authorization violation" in words or "authentication" in words or "permissions violation" in words

    def _failure(self, subject: str, error: BaseException | None) -> QueueRefused | QueueUnavailable:
        done = self._connecting
        if done is not None and done.done() and not done.cancelled() and (cause := done.exception()) is not None:
            self._trouble = str(cause) or type(cause).__name__
        where = f"the queue at {self._access.servers}"
        if self._is_refused():
            trouble, self._trouble = self._trouble, ""
            return QueueRefused(f"{where} refuses: {trouble}: correct the credentials, or what they allow")
        why = self._trouble or (f"{type(error).__name__}" if error else "it takes no connection")
        asked = f" (asked {subject})" if subject else ""
        return QueueUnavailable(f"{where} does not answer{asked}: {why}")
