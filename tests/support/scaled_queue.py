"""A queue with workers that the scaling policy follows, by its own clock: no cluster, no process."""

from labelplane_operator.policies.scaling import LOOK_AGAIN_SECONDS, Load, QueueDepth, ScalingRules, decide_replicas

__all__ = ["ScaledQueue"]

_LONGEST_SECONDS = 1_000_000.0


class ScaledQueue:
    """Shards of equal length, workers that come and go as the policy says.

    Attributes:
        replicas: the workers that stand.
        done: shards that were worked on to their end.
        busy_removed: workers that were removed while they held a shard.
    """

    def __init__(self, rules: ScalingRules, *, seconds_per_shard: float) -> None:
        self.replicas = 0
        self.done = 0
        self.busy_removed = 0
        self._rules = rules
        self._seconds = seconds_per_shard
        self._ready = 0
        self._ends: list[float] = []
        self._now = 0.0
        self._history = decide_replicas(self._load(), rules, (), now_seconds=0.0).history

    def put(self, shards: int) -> None:
        """Add shards."""
        self._ready += shards

    def run_for(self, seconds: float) -> None:
        """Let time pass."""
        end = self._now + seconds
        while self._now < end:
            self._look()

    def run_until_drained(self) -> None:
        """Let time pass until nothing is left to do."""
        while self._ready or self._ends:
            assert self._now < _LONGEST_SECONDS, "the queue is never drained"
            self._look()

    def _look(self) -> None:
        self._now += LOOK_AGAIN_SECONDS
        ended = [end for end in self._ends if end <= self._now]
        self.done += len(ended)
        self._ends = [end for end in self._ends if end > self._now]
        self._lease()
        decision = decide_replicas(self._load(), self._rules, self._history, now_seconds=self._now)
        self.busy_removed += max(0, len(self._ends) - decision.replicas)
        self.replicas, self._history = decision.replicas, decision.history
        self._lease()

    def _lease(self) -> None:
        count = min(self._ready, self.replicas - len(self._ends))
        self._ready -= count
        self._ends += [self._now + self._seconds] * count

    def _load(self) -> Load:
        return Load(self.replicas, QueueDepth(self._ready, len(self._ends)), self._seconds)
