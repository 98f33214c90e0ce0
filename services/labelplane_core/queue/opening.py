"""The queues of one job, as its processes open them."""

from dataclasses import dataclass, field

from labelplane_core.clock import Clock
from labelplane_core.queue.connection import QueueAccess, QueueConnection
from labelplane_core.queue.jetstream import JetStreamQueue
from labelplane_core.queue.messages import QueueAddress
from labelplane_core.queue.queue import QueueLimits
from labelplane_core.shards.shard import Stage

__all__ = ["JobQueues"]


@dataclass(slots=True)
class JobQueues:
    """Opens the queue of each stage of a job over one connection.

    Attributes:
        access: how NATS is reached.
        namespace: of the job.
        job: its uid.
        clock: times leases.
        limits: of its shards.
        replicas: on how many servers of a NATS cluster a shard is kept.
    """

    access: QueueAccess
    namespace: str
    job: str
    clock: Clock
    limits: QueueLimits = field(default_factory=QueueLimits)
    replicas: int = 1
    _connection: QueueConnection | None = None

    def open(self, stage: Stage) -> JetStreamQueue:
        """Return the queue of a stage; nothing is sent before it is used."""
        if self._connection is None:
            self._connection = QueueConnection(self.access, name=f"labelplane {self.namespace}/{self.job}")
        address = QueueAddress(self.namespace, self.job, stage)
        return JetStreamQueue(self._connection, address, clock=self.clock, limits=self.limits, replicas=self.replicas)

    async def close(self) -> None:
        """Leave the server."""
        if self._connection is not None:
            await self._connection.close()
