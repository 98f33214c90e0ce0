"""Queues of which a test says how deep they are."""

from labelplane_operator.errors import QueueAway
from labelplane_operator.policies.scaling import QueueDepth

__all__ = ["PlayedDepths"]


class PlayedDepths:
    """`Depths` by subject; an unknown queue is empty, and all are away while `is_away` is set."""

    def __init__(self) -> None:
        self.is_away = False
        self._depths: dict[str, QueueDepth] = {}

    def put(self, subject: str, *, ready: int, leased: int = 0) -> None:
        """Set the depth of a queue."""
        self._depths[subject] = QueueDepth(ready, leased)

    async def depth(self, subject: str) -> QueueDepth:
        """Return the depth of a queue."""
        if self.is_away:
            raise QueueAway("queue: the server does not answer")
        return self._depths.get(subject, QueueDepth(0, 0))
