"""JetStream queues for tests; of one of them leases run out when a test says so, not by the server's clock."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from fake_clock import FakeClock
from queue_conformance import LIMITS

from labelplane_core.clock import Clock, SystemClock
from labelplane_core.queue import Lease, QueueLimits
from labelplane_core.queue.connection import QueueAccess, QueueConnection
from labelplane_core.queue.jetstream import JetStreamQueue
from labelplane_core.queue.messages import QueueAddress
from labelplane_core.shards import Shard, Stage

_NOT_IN_A_TEST = 3600.0


class SettledQueue(JetStreamQueue):
    """A queue whose writes return when the consumer has heard of them, so that a test may ask at once.

    A server tells a consumer of a stored message a moment after it has confirmed it; until then the shard is not
    counted, and who does not wait for it does not get it.
    """

    async def put(self, shard: Shard) -> None:
        await super().put(shard)
        await self._settle()

    async def release(self, lease: Lease) -> None:
        await super().release(lease)
        await self._settle()

    async def fail(self, lease: Lease, cause: str) -> None:
        await super().fail(lease, cause)
        await self._settle()

    async def _settle(self) -> None:
        while True:
            filter_ = {"subjects_filter": self._address.subjects}
            stored = (await self._ask(f"STREAM.INFO.{self._address.stream}", filter_))["state"].get("subjects") or {}
            if (await self.depth()).total == len(stored):
                return


class LapsingQueue(SettledQueue):
    """A queue whose server never sees a lease run out; `pass_time` has it do what it would do then.

    A message that is refused is delivered again and counted as one whose time is over: the server keeps no other
    difference.
    """

    def __init__(self, connection: QueueConnection, address: QueueAddress, clock: FakeClock) -> None:
        super().__init__(connection, address, clock=clock, limits=LIMITS)
        self._server = connection
        self._time = clock
        self._running_out: dict[str, float] = {}

    async def lease(self, wait_seconds: float) -> Lease | None:
        lease = await super().lease(wait_seconds)
        if lease is not None:
            self._running_out[lease.lease_id] = self._time.monotonic() + LIMITS.lease_seconds
        return lease

    async def extend(self, lease: Lease) -> None:
        await super().extend(lease)
        self._running_out[lease.lease_id] = self._time.monotonic() + LIMITS.lease_seconds

    async def pass_time(self, seconds: float) -> None:
        self._time.advance(seconds)
        now = self._time.monotonic()
        for lease_id, ends in list(self._running_out.items()):
            if ends <= now:
                del self._running_out[lease_id]
                await self._server.request(lease_id, b"-NAK")

    def _consumer(self) -> dict[str, object]:
        return {**super()._consumer(), "ack_wait": int(_NOT_IN_A_TEST * 1e9)}


def make_address(*, namespace: str = "team-a", job: str = "", stage: Stage = Stage.SCORE) -> QueueAddress:
    """Return the address of a queue that nobody has used."""
    return QueueAddress(namespace, job or str(uuid4()), stage)


@asynccontextmanager
async def jetstream_queue(
    servers: str,
    *,
    address: QueueAddress | None = None,
    clock: Clock | None = None,
    limits: QueueLimits | None = None,
    answer_seconds: float = 10.0,
) -> AsyncIterator[SettledQueue]:
    """Open a queue over a connection of its own."""
    connection = QueueConnection(QueueAccess(servers, answer_seconds=answer_seconds))
    try:
        yield SettledQueue(connection, address or make_address(), clock=clock or SystemClock(), limits=limits)
    finally:
        await connection.close()
