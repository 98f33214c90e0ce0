"""How many shards a job's queue holds, read from NATS by the operator's own account.

The names of stream and consumer are those of labelplane_core.queue.messages, which the operator does not import.
"""

import asyncio
import json
import logging
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import nats.aio.client
import nats.errors

from labelplane_operator.errors import QueueAway
from labelplane_operator.policies.scaling import QueueDepth

__all__ = ["NatsDepths", "QueueServers"]

_log = logging.getLogger(__name__)

_ANSWER_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 0.02
_RECONNECT_SECONDS: Final = 1
_NOT_THERE: Final = frozenset({10014, 10059})
"""JetStream's codes for a consumer and a stream that nobody has made yet."""


@dataclass(frozen=True, slots=True)
class QueueServers:
    """Where NATS is, and how the operator reads it.

    Attributes:
        servers: addresses with commas between.
        credentials: a folder with what is needed of `user` and `password`, `ca.crt`, and `tls.crt` with `tls.key`; read
            anew for each connection. None for none.
        api_prefix: the subjects of JetStream's API; where each namespace has an account of its own, the operator's
            imports theirs under a prefix with `{namespace}` in it.
    """

    servers: str
    credentials: Path | None = None
    api_prefix: str = "$JS.API"

    def options(self) -> dict[str, Any]:
        """Return what the client is told of credentials; OSError for a file that cannot be read."""
        folder = self.credentials
        if folder is None:
            return {}
        words = {name: (folder / name).read_text().strip() for name in ("user", "password") if (folder / name).exists()}
        authority, certificate = folder / "ca.crt", folder / "tls.crt"
        if not authority.exists() and not certificate.exists():
            return words
        context = ssl.create_default_context(cafile=str(authority) if authority.exists() else None)
        if certificate.exists():
            context.load_cert_chain(certificate, folder / "tls.key")
        return {**words, "tls": context}


class NatsDepths:
    """Reads depths over one connection, which is made when it is first needed and again when it is lost."""

    def __init__(self, servers: QueueServers) -> None:
        self._servers = servers
        self._client: nats.aio.client.Client | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._trouble = ""

    async def depth(self, subject: str) -> QueueDepth:
        """Return the depth of a queue, as `policies.keda.queue_subject` names it; one that is not there is empty.

        Raises:
            QueueAway: NATS cannot be asked.
        """
        _, namespace, uid, stage = subject.split(".")
        prefix = self._servers.api_prefix.format(namespace=namespace)
        answer = await self._ask(f"{prefix}.CONSUMER.INFO.labelplane_{namespace}.{uid}_{stage}")
        error = answer.get("error")
        if error is None:
            return QueueDepth(ready=int(answer["num_pending"]), leased=int(answer["num_ack_pending"]))
        if int(error.get("err_code", 0)) in _NOT_THERE:
            return QueueDepth(ready=0, leased=0)
        raise QueueAway(f"NATS at {self._servers.servers}: {error.get('description', error)}")

    async def close(self) -> None:
        """Leave NATS."""
        connecting, client = self._connecting, self._client
        self._connecting = self._client = None
        while connecting is not None and not connecting.done():
            # Again until it ends: before Python 3.12 a wait that is over in the same moment swallows the word.
            connecting.cancel()
            await asyncio.wait({connecting}, timeout=_LOOK_SECONDS)
        if client is not None and not client.is_closed:
            with suppress(TimeoutError):
                await asyncio.wait_for(client.close(), _ANSWER_SECONDS)

    async def _ask(self, subject: str) -> dict[str, Any]:
        client = await self._connected()
        try:
            answer = await client.request(subject, timeout=_ANSWER_SECONDS)
        except (nats.errors.Error, OSError) as error:
            raise self._away(type(error).__name__) from error
        self._trouble = ""
        result: dict[str, Any] = json.loads(answer.data)
        return result

    async def _connected(self) -> nats.aio.client.Client:
        if self._client is None or self._client.is_closed:
            await self._begin()
        assert self._client is not None
        deadline = asyncio.get_running_loop().time() + _ANSWER_SECONDS
        while not self._client.is_connected:
            if asyncio.get_running_loop().time() >= deadline:
                away = self._away("it takes no connection")
                await self.close()  # the next call reads the credentials anew
                raise away
            await asyncio.sleep(_LOOK_SECONDS)
        return self._client

    async def _begin(self) -> None:
        await self.close()
        self._trouble = ""
        try:
            options = self._servers.options()
        except (OSError, ssl.SSLError) as error:
            raise QueueAway(f"the credentials of the queue in {self._servers.credentials}: {error}") from error
        self._client = nats.aio.client.Client()
        connecting = self._client.connect(
            self._servers.servers.split(","),
            name="labelplane operator",
            error_cb=self._note,
            max_reconnect_attempts=-1,
            reconnect_time_wait=_RECONNECT_SECONDS,
            **options,
        )
        self._connecting = asyncio.create_task(connecting, name="connect to the queue")

    async def _note(self, error: Exception) -> None:
        # A server that refuses hangs up, and not every try hears why.
        if "violation" not in self._trouble.lower():
            self._trouble = str(error) or type(error).__name__

    def _away(self, why: str) -> QueueAway:
        return QueueAway(f"NATS at {self._servers.servers} does not answer: {self._trouble or why}")
