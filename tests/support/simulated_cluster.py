"""A cluster as discrete events: nodes that come cold and are reclaimed, workers, queues, and who scales them.

The policy is called as the operator calls it; the world around it is made up of the settings below. One worker fills a
node. The same seed gives the same run.
"""

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

import numpy as np
from simulated_rounds import SimulatedRound

from labelplane_operator.policies.scaling import LOOK_AGAIN_SECONDS, QueueDepth

__all__ = ["ClusterSettings", "Moment", "Outcome", "Scaler", "simulate"]

_DRAWS: Final = 4096
_SAMPLE_SECONDS: Final = 30.0

Scaler = Callable[[int, QueueDepth, float | None, float], int]
"""From current replicas, depth, measured seconds a shard and the time to the replicas wanted; one a round."""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """How the cluster behaves.

    Attributes:
        nodes: the most that the provider gives.
        boot_seconds: from a node wanted to a node ready, in the mean; drawn with a spread of a quarter.
        pull_seconds: until a worker runs on a node that has not got its image.
        start_seconds: until a worker runs on one that has.
        idle_node_seconds: after which a node without a pod goes.
        spot_hours: mean life of a node before it is reclaimed.
        notice_seconds: between the notice of a reclaim and its end.
        unannounced: share of reclaims without a notice.
        lease_seconds: after which the shard of a vanished worker is leased anew.
        storms: (seconds, share): at that time that share of all nodes is reclaimed.
        straggler_share: of shards that take `straggler_factor` times as long.
        marks_idle: whether idle workers are marked to go first.
    """

    nodes: int = 1000
    boot_seconds: float = 90.0
    pull_seconds: float = 25.0
    start_seconds: float = 5.0
    idle_node_seconds: float = 120.0
    spot_hours: float = 3.0
    notice_seconds: float = 30.0
    unannounced: float = 0.2
    lease_seconds: float = 60.0
    storms: tuple[tuple[float, float], ...] = ((3000.0, 0.3), (5400.0, 0.3))
    straggler_share: float = 0.01
    straggler_factor: float = 4.0
    marks_idle: bool = True


@dataclass(frozen=True, slots=True)
class Moment:
    """The cluster at one time."""

    seconds: float
    nodes: int
    busy: int
    backlog: int


@dataclass(slots=True)
class Outcome:
    """What a run came to.

    Attributes:
        paid_seconds: node-seconds from the order of a node to its end.
        useful_seconds: worker-seconds of shards that were done.
        wasted_seconds: worker-seconds of shards that were begun and lost.
        round_seconds: of each round, from its first shard put to its last one done.
        busy_removed: workers that the scaler stopped while they held a shard.
        reclaimed: nodes that were reclaimed.
        shards: that were done; each counts once.
        moments: the cluster every half minute.
    """

    paid_seconds: float = 0.0
    useful_seconds: float = 0.0
    wasted_seconds: float = 0.0
    round_seconds: list[float] = field(default_factory=list)
    busy_removed: int = 0
    reclaimed: int = 0
    shards: int = 0
    moments: list[Moment] = field(default_factory=list)

    @property
    def utilisation(self) -> float:
        """Share of the paid time that went into shards that were done."""
        return self.useful_seconds / self.paid_seconds

    @property
    def node_hours(self) -> float:
        """What was paid for."""
        return self.paid_seconds / 3600


def simulate(
    rounds: Sequence[SimulatedRound], scaler: Callable[[], Scaler], settings: ClusterSettings, *, seed: int
) -> Outcome:
    """Play the rounds to their end.

    Args:
        rounds: what is to be done.
        scaler: makes the scaler of a round.
        settings: the cluster.
        seed: of everything drawn.
    """
    return _Simulation(rounds, scaler, settings, np.random.default_rng(seed)).run()


class _State(Enum):
    PENDING = auto()
    STARTING = auto()
    IDLE = auto()
    BUSY = auto()
    GONE = auto()


@dataclass(slots=True, eq=False)
class _Node:
    begun: float
    is_fresh: bool = True
    pod: "_Pod | None" = None
    frees: int = 0
    is_gone: bool = False


@dataclass(slots=True, eq=False)
class _Pod:
    queue: "_Queue"
    state: _State = _State.PENDING
    node: _Node | None = None
    shard_begun: float = 0.0
    shard_ends: float = 0.0
    is_stopping: bool = False


@dataclass(slots=True, eq=False)
class _Queue:
    round: SimulatedRound
    scale: Scaler
    ready: int
    to_come: int
    leased: int = 0
    done: int = 0
    work_seconds: float = 0.0
    replicas: int = 0
    pods: dict[_Pod, None] = field(default_factory=dict)
    idle: dict[_Pod, None] = field(default_factory=dict)


class _Draws:
    """Numbers of one distribution, drawn many at a time."""

    def __init__(self, draw: Callable[[int], np.ndarray]) -> None:
        self._draw = draw
        self._left: list[float] = []

    def next(self) -> float:
        if not self._left:
            self._left = self._draw(_DRAWS).tolist()
        return self._left.pop()


class _Simulation:
    def __init__(
        self,
        rounds: Sequence[SimulatedRound],
        scaler: Callable[[], Scaler],
        settings: ClusterSettings,
        generator: np.random.Generator,
    ) -> None:
        self._settings = settings
        self._scaler = scaler
        self._outcome = Outcome()
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._now = 0.0
        self._left = len(rounds)
        self._queues: dict[_Queue, None] = {}
        self._nodes: dict[_Node, None] = {}
        self._free: dict[_Node, None] = {}
        self._pending: deque[_Pod] = deque()
        self._booting = 0
        self._busy = 0
        self._generator = generator
        self._length = _Draws(self._lengths)
        self._boot = _Draws(lambda count: settings.boot_seconds * generator.lognormal(0.0, 0.25, count))
        self._life = _Draws(lambda count: generator.exponential(settings.spot_hours * 3600, count))
        self._chance = _Draws(generator.random)
        for each in rounds:
            self._at(each.start_seconds, lambda each=each: self._open(each))
        for seconds, share in settings.storms:
            self._at(seconds, lambda share=share: self._storm(share))
        self._at(0.0, self._sample)

    def run(self) -> Outcome:
        while self._left:
            self._now, _, happen = heapq.heappop(self._events)
            happen()
        for node in list(self._nodes):
            self._pay(node)
        return self._outcome

    def _lengths(self, count: int) -> np.ndarray:
        settings, generator = self._settings, self._generator
        lengths = generator.lognormal(-0.02, 0.2, count)
        return np.where(generator.random(count) < settings.straggler_share, settings.straggler_factor, lengths)

    def _at(self, seconds: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (seconds, next(self._order), happen))

    def _after(self, seconds: float, happen: Callable[[], None]) -> None:
        self._at(self._now + seconds, happen)

    # -- rounds and who scales them -----------------------------------------------------------------------------------

    def _open(self, each: SimulatedRound) -> None:
        queue = _Queue(each, self._scaler(), ready=each.shards - each.late_shards, to_come=each.late_shards)
        self._queues[queue] = None
        if each.late_shards:
            self._after(each.late_seconds, lambda: self._put_rest(queue))
        self._decide(queue)

    def _put_rest(self, queue: _Queue) -> None:
        queue.ready, queue.to_come = queue.ready + queue.to_come, 0
        self._serve_idle(queue)

    def _decide(self, queue: _Queue) -> None:
        if queue not in self._queues:
            return
        measured = queue.work_seconds / queue.done if queue.done else None
        depth = QueueDepth(queue.ready, queue.leased)
        self._scale(queue, queue.scale(queue.replicas, depth, measured, self._now))
        self._after(LOOK_AGAIN_SECONDS, lambda: self._decide(queue))

    def _close(self, queue: _Queue) -> None:
        """End a round: its stage is over, so nothing of it runs any more."""
        del self._queues[queue]
        self._outcome.round_seconds.append(self._now - queue.round.start_seconds)
        self._scale(queue, 0)
        self._left -= 1

    def _scale(self, queue: _Queue, replicas: int) -> None:
        queue.replicas = replicas
        if len(queue.pods) > replicas:
            for pod in self._victims(queue, len(queue.pods) - replicas):
                self._stop(pod)
        elif len(queue.pods) < replicas:
            self._add_pods(queue, replicas - len(queue.pods))

    def _victims(self, queue: _Queue, count: int) -> list[_Pod]:
        """Return who goes, in a ReplicaSet's order: who has no node, who is not ready, then by the mark."""
        order = {_State.PENDING: 0, _State.STARTING: 1, _State.IDLE: 2}
        order[_State.BUSY] = 3 if self._settings.marks_idle else 2
        pods = list(queue.pods)
        pods.reverse()  # of equals the newest
        return sorted(pods, key=lambda pod: order[pod.state])[:count]

    def _add_pods(self, queue: _Queue, count: int) -> None:
        for _ in range(count):
            pod = _Pod(queue)
            queue.pods[pod] = None
            if self._free:
                self._place(pod, self._free.popitem()[0])
            else:
                self._pending.append(pod)
        self._order_nodes()

    def _stop(self, pod: _Pod) -> None:
        queue = pod.queue
        queue.pods.pop(pod, None)
        queue.idle.pop(pod, None)
        if pod.state is _State.BUSY:
            self._outcome.busy_removed += 1
            pod.is_stopping = True  # it finishes its shard
            return
        node, pod.state = pod.node, _State.GONE
        if node is not None:
            self._release(node)

    # -- workers ------------------------------------------------------------------------------------------------------

    def _place(self, pod: _Pod, node: _Node) -> None:
        pod.node, node.pod, pod.state = node, pod, _State.STARTING
        seconds = self._settings.pull_seconds if node.is_fresh else self._settings.start_seconds
        node.is_fresh = False
        self._after(seconds, lambda: self._started(pod))

    def _started(self, pod: _Pod) -> None:
        if pod.state is _State.STARTING:
            self._lease(pod)

    def _lease(self, pod: _Pod) -> None:
        queue = pod.queue
        if not queue.ready:
            pod.state = _State.IDLE
            queue.idle[pod] = None
            return
        queue.ready -= 1
        queue.leased += 1
        self._busy += 1
        pod.state, pod.shard_begun = _State.BUSY, self._now
        ends = pod.shard_ends = self._now + queue.round.shard_seconds * self._length.next()
        self._at(ends, lambda: self._finish(pod, ends))

    def _serve_idle(self, queue: _Queue) -> None:
        while queue.idle and queue.ready:
            self._lease(queue.idle.popitem()[0])

    def _finish(self, pod: _Pod, ends: float) -> None:
        if pod.state is not _State.BUSY or pod.shard_ends != ends:
            return  # it was lost
        queue, seconds = pod.queue, self._now - pod.shard_begun
        self._busy -= 1
        queue.leased -= 1
        queue.done += 1
        queue.work_seconds += seconds
        self._outcome.useful_seconds += seconds
        self._outcome.shards += 1
        if pod.is_stopping:
            self._leave(pod)
        else:
            self._lease(pod)
        if not (queue.ready or queue.leased or queue.to_come) and queue in self._queues:
            self._close(queue)

    def _leave(self, pod: _Pod) -> None:
        pod.state = _State.GONE
        if pod.node is not None and not pod.node.is_gone:
            self._release(pod.node)

    def _lose(self, pod: _Pod, *, again_seconds: float) -> None:
        """Take away what a pod was doing; its shard is ready again after a while."""
        queue = pod.queue
        self._busy -= 1
        self._outcome.wasted_seconds += self._now - pod.shard_begun
        self._after(again_seconds, lambda: self._again(queue))

    def _again(self, queue: _Queue) -> None:
        queue.leased -= 1
        queue.ready += 1
        self._serve_idle(queue)

    # -- nodes --------------------------------------------------------------------------------------------------------

    def _order_nodes(self) -> None:
        waiting = sum(pod.state is _State.PENDING for pod in self._pending) if self._pending else 0
        room = self._settings.nodes - len(self._nodes)
        for _ in range(min(waiting - self._booting, room)):
            node = _Node(self._now)
            self._nodes[node] = None
            self._booting += 1
            self._after(self._boot.next(), lambda node=node: self._booted(node))

    def _booted(self, node: _Node) -> None:
        self._booting -= 1
        self._after(self._life.next(), lambda: self._reclaim(node))
        self._release(node)

    def _release(self, node: _Node) -> None:
        """Give a node to the next pod, or let it go when none comes in time."""
        node.pod = None
        node.frees += 1
        while self._pending:
            pod = self._pending.popleft()
            if pod.state is _State.PENDING:
                self._place(pod, node)
                return
        self._free[node] = None
        frees = node.frees
        self._after(self._settings.idle_node_seconds, lambda: self._let_go(node, frees))

    def _let_go(self, node: _Node, frees: int) -> None:
        if node.pod is None and node.frees == frees and not node.is_gone:
            self._pay(node)

    def _storm(self, share: float) -> None:
        for node in list(self._nodes):
            if self._chance.next() < share:
                self._reclaim(node)

    def _reclaim(self, node: _Node) -> None:
        if node.is_gone or (node.pod is None and node not in self._free):
            return  # gone before, or not booted yet
        self._outcome.reclaimed += 1
        pod = node.pod
        is_told = self._chance.next() >= self._settings.unannounced
        notice = self._settings.notice_seconds if is_told else 0.0
        self._pay(node, more_seconds=notice)
        if pod is None:
            return
        queue = pod.queue
        is_missed = queue.pods.pop(pod, "stopped") is None
        queue.idle.pop(pod, None)
        if pod.state is _State.BUSY and pod.shard_ends - self._now <= notice:
            pod.is_stopping = True  # it has the time to finish
        elif pod.state is _State.BUSY:
            pod.shard_ends, pod.state = -1.0, _State.GONE
            self._lose(pod, again_seconds=notice if is_told else self._settings.lease_seconds)
        else:
            pod.state = _State.GONE
        if is_missed and queue in self._queues:
            self._add_pods(queue, 1)

    def _pay(self, node: _Node, *, more_seconds: float = 0.0) -> None:
        node.is_gone = True
        self._nodes.pop(node, None)
        self._free.pop(node, None)
        self._outcome.paid_seconds += self._now - node.begun + more_seconds

    def _sample(self) -> None:
        backlog = sum(queue.ready + queue.leased for queue in self._queues)
        self._outcome.moments.append(Moment(self._now, len(self._nodes), self._busy, backlog))
        self._after(_SAMPLE_SECONDS, self._sample)
