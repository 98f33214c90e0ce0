"""The runner's promises: one run per id, fencing, resume, cancel and drain."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from labelplane.scoring.v1 import scoring_pb2 as pb
from labelplane_core.errors import (
    DamagedRecord,
    Draining,
    EmptyDataset,
    OperationNotFound,
    RequestMismatch,
    StaleEpoch,
    StoreUnavailable,
)
from labelplane_core.operations import (
    Body,
    Invocation,
    OperationContext,
    OperationRecord,
    OperationRunner,
    OperationState,
    Outcome,
    RunnerSettings,
)
from labelplane_core.storage import Layout, ObjectStore, StoredObject, open_store

REQUEST = pb.StartScoreRequest(model_ref="models/abc")
FIRST = Invocation("digits/0/score/1", leader_epoch=5)


MakeRunner = Callable[..., OperationRunner]


class SteppingClock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds


class Work:
    """A stage's body that counts its runs and ends when it is let go."""

    def __init__(self) -> None:
        self.runs = 0
        self.generations: list[int] = []
        self.let_go = asyncio.Event()

    async def __call__(self, context: OperationContext) -> Outcome:
        self.runs += 1
        self.generations.append(context.generation)
        context.progress(1, 2, "items")
        while not self.let_go.is_set():
            context.check()
            await asyncio.sleep(0.005)
        return Outcome(results={"scores": "rounds/0000/score/1/manifest-0000.json"}, figures={"items": 2})


@pytest.fixture
def store() -> ObjectStore:
    return open_store("memory:///")


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


@pytest.fixture
async def make_runner(store: ObjectStore, clock: SteppingClock) -> AsyncIterator[MakeRunner]:
    runners: list[OperationRunner] = []

    def make(owner: str, **settings: object) -> OperationRunner:
        chosen = RunnerSettings(**({"heartbeat_seconds": 0.02, "watch_poll_seconds": 0.005} | settings))  # type: ignore[arg-type]
        runners.append(OperationRunner(store, Layout(), clock=clock, owner=owner, settings=chosen))
        return runners[-1]

    yield make
    for runner in runners:
        await runner.close(grace_seconds=1.0)


async def finished(runner: OperationRunner, request_id: str = FIRST.request_id) -> OperationRecord:
    async with asyncio.timeout(5):
        async for record in runner.watch(request_id):
            if record.is_final:
                return record
    raise AssertionError("the watch ended before the operation")


async def start(runner: OperationRunner, body: Body, *, invocation: Invocation = FIRST) -> OperationRecord:
    return await runner.start(invocation, stage="Score", request=REQUEST, body=body)


async def test_operation_runs_once_however_often_it_is_started(make_runner: MakeRunner) -> None:
    runner, work = make_runner("a"), Work()
    records = await asyncio.gather(*(start(runner, work) for _ in range(10)))
    assert {record.state for record in records} == {OperationState.RUNNING}
    work.let_go.set()
    done = await finished(runner)
    again = await start(runner, work)
    assert work.runs == 1
    assert again == done
    assert done.results == {"scores": "rounds/0000/score/1/manifest-0000.json"}
    assert done.figures.keys() == {"items", "cpu_seconds", "gpu_seconds"}


async def test_progress_is_seen_while_it_runs(make_runner: MakeRunner) -> None:
    runner, work = make_runner("a"), Work()
    await start(runner, work)
    await asyncio.sleep(0.02)
    assert (await runner.get(FIRST.request_id)).progress.unit == "items"


async def test_same_id_with_other_parameters_is_refused(make_runner: MakeRunner) -> None:
    runner = make_runner("a")
    await start(runner, Work())
    with pytest.raises(RequestMismatch, match="other parameters"):
        await runner.start(FIRST, stage="Score", request=pb.StartScoreRequest(model_ref="models/def"), body=Work())


async def test_who_asks_is_no_parameter(make_runner: MakeRunner) -> None:
    runner = make_runner("a")
    await start(runner, Work())
    request = pb.StartScoreRequest(model_ref="models/abc")
    request.invocation.leader_epoch = 6
    record = await runner.start(replace(FIRST, leader_epoch=6), stage="Score", request=request, body=Work())
    assert record.leader_epoch == 6


@pytest.mark.parametrize("call", ["start", "cancel"])
async def test_older_leader_is_refused(make_runner: MakeRunner, call: str) -> None:
    runner = make_runner("a")
    await start(runner, Work())
    old = replace(FIRST, leader_epoch=4)
    with pytest.raises(StaleEpoch, match="epoch 4 is older than 5"):
        await (start(runner, Work(), invocation=old) if call == "start" else runner.cancel(old))


async def test_newer_leader_keeps_the_work_and_shuts_the_older_out(make_runner: MakeRunner) -> None:
    runner, work = make_runner("a"), Work()
    await start(runner, work)
    await start(runner, work, invocation=replace(FIRST, leader_epoch=6))
    with pytest.raises(StaleEpoch):
        await start(runner, work)
    work.let_go.set()
    assert (await finished(runner)).leader_epoch == 6
    assert work.runs == 1


async def test_live_owner_is_not_taken_over(make_runner: MakeRunner, clock: SteppingClock) -> None:
    first, second, work, other = make_runner("a"), make_runner("b"), Work(), Work()
    await start(first, work)
    for _ in range(5):
        clock.seconds += 60
        await asyncio.sleep(0.05)
        await start(second, other)
    work.let_go.set()
    assert (await finished(second)).takeovers == 0
    assert other.runs == 0


async def test_silent_owner_is_taken_over_after_its_time_and_not_before(
    make_runner: MakeRunner, clock: SteppingClock
) -> None:
    silent, heir = make_runner("a", heartbeat_seconds=3600.0), make_runner("b", stale_after_seconds=15.0)
    work, rest = Work(), Work()
    await start(silent, work)
    await start(heir, rest)
    clock.seconds += 14.9
    await start(heir, rest)
    assert rest.runs == 0
    clock.seconds += 0.2
    await start(heir, rest)
    rest.let_go.set()
    done = await finished(heir)
    assert (done.owner, done.takeovers, rest.generations) == ("b", 1, [1])


async def test_zombie_changes_nothing(make_runner: MakeRunner) -> None:
    zombie, heir = make_runner("a", heartbeat_seconds=3600.0), make_runner("b", is_sole_owner=True)
    slow, quick = Work(), Work()
    await start(zombie, slow)
    await asyncio.sleep(0.02)
    quick.let_go.set()
    await start(heir, quick)
    done = await finished(heir)
    slow.let_go.set()
    await asyncio.sleep(0.05)
    assert await heir.get(FIRST.request_id) == done
    assert done.owner == "b"


async def test_fenced_work_is_told_to_stop_by_its_heartbeat(make_runner: MakeRunner) -> None:
    zombie, heir = make_runner("a"), make_runner("b", is_sole_owner=True)
    contexts: list[OperationContext] = []

    async def body(context: OperationContext) -> Outcome:
        contexts.append(context)
        while True:
            context.check()
            await asyncio.sleep(0.005)

    await start(zombie, body)
    await asyncio.sleep(0.01)
    await start(heir, Work())
    await asyncio.sleep(0.1)
    with pytest.raises(Exception, match="taken over by another process"):
        contexts[0].check()


async def test_of_two_heirs_one_takes_over(make_runner: MakeRunner) -> None:
    silent = make_runner("a", heartbeat_seconds=3600.0)
    heirs = [make_runner(name, is_sole_owner=True, heartbeat_seconds=3600.0) for name in "bc"]
    await start(silent, Work())
    work = [Work(), Work()]
    await asyncio.gather(*(start(heir, each) for heir, each in zip(heirs, work, strict=True)))
    await asyncio.sleep(0.02)
    for each in work:
        each.let_go.set()
    done = await finished(heirs[0])
    assert done.owner in {"b", "c"}
    assert done.takeovers >= 1
    assert work["bc".index(done.owner)].runs == 1


async def test_cancel_stops_at_the_next_safe_point(make_runner: MakeRunner) -> None:
    runner = make_runner("a")
    await start(runner, Work())
    await runner.cancel(FIRST)
    assert (await finished(runner)).state is OperationState.CANCELLED


async def test_cancel_by_another_process_reaches_the_owner(make_runner: MakeRunner) -> None:
    owner, other = make_runner("a"), make_runner("b")
    await start(owner, Work())
    await other.cancel(FIRST)
    assert (await finished(other)).state is OperationState.CANCELLED


async def test_cancel_of_a_finished_operation_returns_it(make_runner: MakeRunner) -> None:
    runner, work = make_runner("a"), Work()
    work.let_go.set()
    await start(runner, work)
    done = await finished(runner)
    assert await runner.cancel(FIRST) == done


async def test_drained_operation_is_resumed_elsewhere_at_once(make_runner: MakeRunner) -> None:
    leaving, heir = make_runner("a"), make_runner("b")
    work, rest = Work(), Work()
    await start(leaving, work)
    await asyncio.sleep(0.02)
    await leaving.close(grace_seconds=1.0)
    assert (await heir.get(FIRST.request_id)).owner == ""
    rest.let_go.set()
    await start(heir, rest)
    assert (await finished(heir)).owner == "b"
    with pytest.raises(Draining):
        await start(leaving, work)


async def test_work_that_does_not_look_is_cancelled_after_the_grace(make_runner: MakeRunner) -> None:
    runner = make_runner("a")

    async def deaf(context: OperationContext) -> Outcome:
        await asyncio.sleep(3600)
        return Outcome()

    await start(runner, deaf)
    await asyncio.sleep(0.01)
    await runner.close(grace_seconds=0.05)
    assert (await runner.get(FIRST.request_id)).owner == ""


async def test_error_of_ours_is_recorded_with_reason_and_message(make_runner: MakeRunner) -> None:
    runner = make_runner("a")

    async def body(context: OperationContext) -> Outcome:
        raise EmptyDataset("s3://bucket/digits holds no image: put images there")

    await start(runner, body)
    failure = (await finished(runner)).failure
    assert failure is not None
    assert (failure.reason, failure.code, failure.retryable) == ("EmptyDataset", "INVALID_ARGUMENT", False)
    assert failure.message == "s3://bucket/digits holds no image: put images there"


async def test_text_of_a_defect_stays_in_the_log(make_runner: MakeRunner, caplog: pytest.LogCaptureFixture) -> None:
    runner = make_runner("a")

    async def body(context: OperationContext) -> Outcome:
        raise KeyError("secret-key-in-an-error")

    await start(runner, body)
    failure = (await finished(runner)).failure
    assert failure is not None
    assert "secret" not in failure.message
    assert "secret-key-in-an-error" in caplog.text


async def test_unknown_operation_is_not_found(make_runner: MakeRunner) -> None:
    with pytest.raises(OperationNotFound, match="digits/9/score/1"):
        await make_runner("a").get("digits/9/score/1")


async def test_damaged_record_is_named(make_runner: MakeRunner, store: ObjectStore) -> None:
    await store.put("operations/digits/0/score/1.json", b"{}")
    with pytest.raises(DamagedRecord, match=r"operations/digits/0/score/1\.json"):
        await make_runner("a").get(FIRST.request_id)


class FlakyStore:
    """A store whose replaces fail while it is away."""

    def __init__(self, inner: ObjectStore) -> None:
        self._inner = inner
        self.is_away = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    async def get(self, key: str) -> StoredObject:
        return await self._inner.get(key)

    async def replace(self, key: str, data: bytes, *, etag: str) -> str:
        if self.is_away:
            raise StoreUnavailable("the store is away")
        return await self._inner.replace(key, data, etag=etag)


async def test_conclusion_lost_with_the_store_is_made_by_the_next_start(
    store: ObjectStore, clock: SteppingClock
) -> None:
    flaky = FlakyStore(store)
    runner = OperationRunner(flaky, Layout(), clock=clock, owner="a", settings=RunnerSettings(heartbeat_seconds=0.01))  # type: ignore[arg-type]
    work = Work()
    await start(runner, work)
    await asyncio.sleep(0.03)
    flaky.is_away = True
    work.let_go.set()
    await asyncio.sleep(0.05)
    assert (await runner.get(FIRST.request_id)).state is OperationState.RUNNING
    flaky.is_away = False
    await start(runner, work)
    assert (await finished(runner)).state is OperationState.SUCCEEDED
    assert work.runs == 2


def test_outcome_beyond_the_bounds_of_a_status_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 16 results and 64 figures"):
        Outcome(figures={str(number): 1.0 for number in range(65)})


def test_record_survives_the_store() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    record = OperationRecord("a/0/score/1", "Score", "{}", "digest", "me", 3, now, now, results={"x": "y"})
    assert OperationRecord.from_json(record.to_json(), key="k") == record
