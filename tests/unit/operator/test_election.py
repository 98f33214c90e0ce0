"""The Lease: one leader, epochs that only rise, and nothing but this process's own clock decides when it is free."""

import asyncio
import copy
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from labelplane_operator.election import Election, LeaseSettings
from labelplane_operator.errors import ApiConflict, ApiNotFound, ApiUnavailable
from labelplane_operator.kinds import Kind

MORNING = datetime(2026, 1, 1, 8, tzinfo=UTC)


class FakeLeases:
    """A Lease in memory, with optimistic locking as the API server has it."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.is_away = False
        self.on_replace = lambda: None
        self.on_stored: Callable[[], None] = lambda: None

    async def get(self, kind: Kind, namespace: str, name: str) -> dict[str, Any]:
        self._answer()
        if self.lease is None:
            raise ApiNotFound("get", 404, "no such lease")
        return copy.deepcopy(self.lease)

    async def create_lease(self, manifest: dict[str, Any]) -> dict[str, Any]:
        self._answer()
        if self.lease is not None:
            raise ApiConflict("create", 409, "there is one")
        return self._store(manifest, version=1)

    async def replace_lease(self, manifest: dict[str, Any]) -> dict[str, Any]:
        self._answer()
        self.on_replace()
        assert self.lease is not None
        version = self.lease["metadata"]["resourceVersion"]
        if manifest["metadata"]["resourceVersion"] != version:
            raise ApiConflict("update", 409, "it has changed")
        return self._store(manifest, version=int(version) + 1)

    def _store(self, manifest: dict[str, Any], *, version: int) -> dict[str, Any]:
        self.lease = copy.deepcopy(manifest)
        self.lease["metadata"]["resourceVersion"] = str(version)
        self.on_stored()
        return copy.deepcopy(self.lease)

    def _answer(self) -> None:
        if self.is_away:
            raise ApiUnavailable("no answer")


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0
        self.moment = MORNING

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return self.moment


@pytest.fixture
def leases() -> FakeLeases:
    return FakeLeases()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _election(leases: FakeLeases, clock: Clock, holder: str = "pod-a", **times: float) -> Election:
    times = {"duration_seconds": 15.0, "renew_deadline_seconds": 10.0, "retry_period_seconds": 0.001, **times}
    settings = LeaseSettings(namespace="system", name="operator", holder=holder, **times)  # type: ignore[arg-type]
    return Election(leases, settings, monotonic=clock.monotonic, now=clock.now)


async def _tries(election: Election, rounds: int = 20) -> "asyncio.Task[int]":
    """Let an election try a number of times, and return its task."""
    task = asyncio.create_task(election.acquire())
    for _ in range(rounds):
        await asyncio.sleep(0.002)
    return task


async def test_the_first_takes_the_lease_with_the_time_as_epoch(leases: FakeLeases, clock: Clock) -> None:
    election = _election(leases, clock)

    epoch = await election.acquire()

    assert epoch == int(MORNING.timestamp() * 1000)
    assert election.is_leader()


async def test_a_second_waits_while_the_lease_is_renewed(leases: FakeLeases, clock: Clock) -> None:
    first, second = _election(leases, clock), _election(leases, clock, "pod-b")
    await first.acquire()
    task = await _tries(second)
    for _ in range(5):
        clock.seconds += 9
        assert await first._renew()
        await asyncio.sleep(0.005)

    assert not task.done()
    assert not second.is_leader()
    task.cancel()


async def test_a_second_takes_a_lease_that_stayed_unchanged_for_its_duration(leases: FakeLeases, clock: Clock) -> None:
    first, second = _election(leases, clock), _election(leases, clock, "pod-b")
    epoch = await first.acquire()
    task = await _tries(second)
    clock.seconds += 15

    assert await asyncio.wait_for(task, 10) > epoch
    assert leases.lease is not None
    assert leases.lease["spec"]["leaseTransitions"] == 1


@pytest.mark.parametrize("skew", [timedelta(days=-1), timedelta(days=1)], ids=["behind", "ahead"])
async def test_a_pod_whose_clock_is_wrong_takes_it_no_earlier_and_with_a_higher_epoch(
    leases: FakeLeases, clock: Clock, skew: timedelta
) -> None:
    first = _election(leases, clock)
    epoch = await first.acquire()
    other = Clock()
    other.moment = MORNING + skew
    second = _election(leases, other, "pod-b")
    task = await _tries(second)
    assert not task.done()
    other.seconds += 15

    assert await asyncio.wait_for(task, 10) > epoch


async def test_a_lease_that_was_given_up_is_taken_at_once(leases: FakeLeases, clock: Clock) -> None:
    first, second = _election(leases, clock), _election(leases, clock, "pod-b")
    epoch = await first.acquire()
    await first.release()

    assert not first.is_leader()
    assert await second.acquire() > epoch


async def test_a_lease_whose_taking_was_cut_short_is_given_up(leases: FakeLeases, clock: Clock) -> None:
    def cut_short() -> None:
        raise asyncio.CancelledError

    election, second = _election(leases, clock), _election(leases, clock, "pod-b")
    leases.on_stored = cut_short
    with pytest.raises(asyncio.CancelledError):
        await election.acquire()
    leases.on_stored = lambda: None
    await election.release()

    assert leases.lease is not None
    assert leases.lease["spec"]["holderIdentity"] == ""
    await second.acquire()
    await election.release()
    assert leases.lease["spec"]["holderIdentity"] == "pod-b"


async def test_a_lease_that_cannot_be_given_up_runs_out(leases: FakeLeases, clock: Clock) -> None:
    election = _election(leases, clock)
    await election.acquire()
    leases.is_away = True
    await election.release()

    assert not election.is_leader()


async def test_taking_goes_on_when_the_api_server_is_back(leases: FakeLeases, clock: Clock) -> None:
    election = _election(leases, clock)
    leases.is_away = True
    task = await _tries(election, rounds=3)
    assert not task.done()
    leases.is_away = False

    assert await task == int(MORNING.timestamp() * 1000)


async def test_of_two_that_take_it_at_once_one_wins(leases: FakeLeases, clock: Clock) -> None:
    first, second, third = (_election(leases, clock, name) for name in ("pod-a", "pod-b", "pod-c"))
    await first.acquire()
    tasks = [await _tries(second), await _tries(third)]
    clock.seconds += 15
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(0.05)

    assert [second.is_leader(), third.is_leader()].count(True) == 1
    for task in tasks:
        task.cancel()


async def test_a_leader_that_cannot_renew_stops_leading_at_the_deadline(leases: FakeLeases, clock: Clock) -> None:
    election = _election(leases, clock)
    await election.acquire()
    leases.is_away = True
    clock.seconds += 9.9
    assert election.is_leader()
    clock.seconds += 0.1

    assert not election.is_leader()
    await asyncio.wait_for(election.keep(), 10)


async def test_a_blip_of_the_api_server_does_not_end_a_leader(leases: FakeLeases, clock: Clock) -> None:
    election = _election(leases, clock)
    await election.acquire()
    clock.seconds += 5
    leases.is_away = True
    asyncio.get_running_loop().call_later(0.01, setattr, leases, "is_away", False)

    assert await election._renew()
    assert election.is_leader()


async def test_a_leader_whose_lease_somebody_took_stops_at_once(leases: FakeLeases, clock: Clock) -> None:
    election = _election(leases, clock)
    await election.acquire()
    assert leases.lease is not None
    leases.lease["spec"]["holderIdentity"] = "pod-b"
    leases.lease["metadata"]["resourceVersion"] = "99"

    assert not await election._renew()


async def test_a_lease_that_somebody_edited_is_kept_while_the_holder_stands(leases: FakeLeases, clock: Clock) -> None:
    election = _election(leases, clock)
    await election.acquire()
    assert leases.lease is not None
    leases.lease["metadata"].update(resourceVersion="99", labels={"team": "a"})

    assert await election._renew()
    assert leases.lease["metadata"]["labels"] == {"team": "a"}


async def test_renewing_keeps_the_epoch(leases: FakeLeases, clock: Clock) -> None:
    election = _election(leases, clock)
    await election.acquire()
    assert leases.lease is not None
    acquired = leases.lease["spec"]["acquireTime"]
    clock.moment += timedelta(seconds=5)
    await election._renew()

    assert leases.lease["spec"]["acquireTime"] == acquired
    assert leases.lease["spec"]["renewTime"] > acquired
