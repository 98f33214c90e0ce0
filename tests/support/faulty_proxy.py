"""A proxy that damages what passes, one scripted fault a request."""

import asyncio
import contextlib
import hashlib
import itertools
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum

_LENGTH = re.compile(rb"^content-length: *(\d+)", re.IGNORECASE | re.MULTILINE)
_ETAG = re.compile(rb"(^etag: *\"?)[0-9a-f]{32}", re.IGNORECASE | re.MULTILINE)
_CONFLICT_BODY = b"<Error><Code>ConditionalRequestConflict</Code></Error>"
_CONFLICT = b"HTTP/1.1 409 Conflict\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
    len(_CONFLICT_BODY),
    _CONFLICT_BODY,
)
_UNKNOWN_BODY = b"<Error><Code>NotImplemented</Code><Message>A header implies what is not implemented</Message></Error>"
_UNKNOWN = b"HTTP/1.1 501 Not Implemented\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
    len(_UNKNOWN_BODY),
    _UNKNOWN_BODY,
)
_ACCEPTED = b'HTTP/1.1 200 OK\r\nETag: "%s"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n'
_BUSY = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Fault(Enum):
    """What happens to a request."""

    NONE = "it passes"
    RESET = "the connection is closed before the server sees it"
    BUSY = "the answer is 503, the server does not see it"
    LOST_ANSWER = "the server does it, and the answer is lost"
    TRUNCATED = "the answer ends in the middle of its body"
    CONFLICT = "the answer is 409, the server does not see it"
    UNKNOWN = "the answer is 501, as from a server without conditional puts that says so"
    ACCEPTED = "a failed condition is answered as success, as by a server that knows none"
    SILENT = "no answer comes"
    DAMAGED = "a byte of the answer's body is wrong"
    DAMAGED_UPLOAD = "a byte of the request's body is wrong"
    OTHER_ETAG = "the ETag is no checksum"
    OTHER_ETAG_DAMAGED = "the ETag is no checksum, and a byte of the answer's body is wrong"


_UNSEEN = {
    Fault.RESET: b"",
    Fault.BUSY: _BUSY,
    Fault.CONFLICT: _CONFLICT,
    Fault.UNKNOWN: _UNKNOWN,
    Fault.SILENT: b"",
}
"""What is answered to a request that the server does not see."""


class FaultyProxy:
    """Passes HTTP requests to a port, each on a connection of its own; `faults` are used up one a request."""

    def __init__(self, upstream_port: int) -> None:
        self.faults: deque[Fault] = deque()
        self.requests: list[bytes] = []
        self._upstream_port = upstream_port
        self._port = 0
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FaultyProxy"]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for task in self._serving:
                task.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)
            await server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = await _read_request(reader)
            self.requests.append(request.split(b"\r\n", 1)[0])
            fault = self.faults.popleft() if self.faults else Fault.NONE
            writer.write(await self._answer(fault, request))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, fault: Fault, request: bytes) -> bytes:
        if fault is Fault.SILENT:
            await asyncio.sleep(2)
        if fault in _UNSEEN:
            return _UNSEEN[fault]
        answer = await self._pass(_flip_last(request) if fault is Fault.DAMAGED_UPLOAD else request)
        if fault is Fault.ACCEPTED and b" 412 " in answer.split(b"\r\n", 1)[0]:
            body = request.split(b"\r\n\r\n", 1)[1]
            return _ACCEPTED % hashlib.md5(body).hexdigest().encode()
        if fault in {Fault.OTHER_ETAG, Fault.OTHER_ETAG_DAMAGED}:
            answer = _ETAG.sub(rb"\g<1>" + b"0" * 32, answer)
        if fault in {Fault.DAMAGED, Fault.OTHER_ETAG_DAMAGED}:
            answer = _flip_last(answer)
        cut = {Fault.LOST_ANSWER: 0, Fault.TRUNCATED: len(answer) - 10}
        return answer[: cut.get(fault, len(answer))]

    async def _pass(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._upstream_port)
        writer.write(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer


def _flip_last(message: bytes) -> bytes:
    return message[:-1] + bytes([message[-1] ^ 1])


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(itertools.chain((int(match) for match in _LENGTH.findall(head)), [0]))
    return head + await reader.readexactly(length)
