"""Runs stages as operations: idempotent by request id, fenced by conditional puts, resumed by whoever comes next."""

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message

from labelplane_core.clock import Clock
from labelplane_core.errors import (
    AlreadyExists,
    Draining,
    Fenced,
    LabelplaneError,
    ObjectNotFound,
    OperationCancelled,
    OperationNotFound,
    PreconditionFailed,
    RequestMismatch,
    StaleEpoch,
    StoreError,
)
from labelplane_core.operations.context import OperationContext
from labelplane_core.operations.record import Failure, Invocation, OperationRecord, Outcome
from labelplane_core.storage import Layout, ObjectStore

__all__ = ["Body", "OperationRunner", "RunnerSettings", "request_digest"]

Body = Callable[[OperationContext], Awaitable[Outcome]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunnerSettings:
    """How long things may take.

    `is_sole_owner` says that a lock outside the store already keeps every other process away from it (the embedded
    run's flock): a running record of another owner is then stale at once.
    """

    heartbeat_seconds: float = 2.0
    stale_after_seconds: float = 15.0
    watch_poll_seconds: float = 0.2
    is_sole_owner: bool = False


@dataclass(slots=True)
class _Held:
    """A record as this process last saw it in the store."""

    record: OperationRecord
    etag: str


@dataclass(slots=True)
class _Running:
    """An operation that this process runs."""

    held: _Held
    context: OperationContext
    task: asyncio.Task[None]


class OperationRunner:
    """Starts, resumes, stops and reads operations.

    A record is created by a conditional put; every later change is conditional on its ETag, so of two processes that
    believe they own an operation one learns that it is fenced before it can complete anything. A record of another
    owner is taken over once its ETag stayed unchanged for `stale_after_seconds` of this observer's own monotonic
    clock, between two calls of `start`: callers repeat Start until the operation is final.
    """

    def __init__(
        self,
        store: ObjectStore,
        layout: Layout,
        *,
        clock: Clock,
        owner: str,
        settings: RunnerSettings | None = None,
    ) -> None:
        self._store = store
        self._layout = layout
        self._clock = clock
        self._owner = owner
        self._settings = settings or RunnerSettings()
        self._running: dict[str, _Running] = {}
        self._seen: dict[str, tuple[str, float]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._is_draining = False

    async def start(self, invocation: Invocation, *, stage: str, request: Message, body: Body) -> OperationRecord:
        """Start the operation, or return the one that was started under this id, resuming it when its owner is gone.

        `request` is the RPC's message: its digest (without the invocation) must be the same at every Start of one id.

        Raises:
            StaleEpoch: a newer leader has started or resumed it.
            RequestMismatch: it was started with other parameters.
            Draining: this process shuts down.
        """
        if self._is_draining:
            raise Draining("this process shuts down: start the operation on another one")
        async with self._locks.setdefault(invocation.request_id, asyncio.Lock()):
            digest = request_digest(request)
            held = await self._create_or_read(invocation, stage=stage, request=request, digest=digest)
            _refuse_stale_epoch(invocation, held.record)
            if held.record.request_digest != digest:
                raise RequestMismatch(
                    f"operation {invocation.request_id} was started with other parameters: a change needs a new attempt"
                )
            if held.record.is_final:
                return held.record
            if (running := self._running.get(invocation.request_id)) is not None:
                return await self._raise_epoch(running, invocation.leader_epoch)
            if held.record.owner == self._owner or self._is_free(held):
                held = await self._take(held, invocation)
                if held.record.owner == self._owner:
                    self._spawn(held, body)
            return held.record

    async def get(self, request_id: str) -> OperationRecord:
        """Return the operation as the store knows it, with the live progress when this process runs it.

        Raises:
            OperationNotFound: nothing was started under that id.
        """
        held = await self._read(request_id)
        running = self._running.get(request_id)
        if running is None or held.record.is_final:
            return held.record
        return replace(held.record, progress=running.context.current_progress())

    async def cancel(self, invocation: Invocation) -> OperationRecord:
        """Ask the operation to stop at its next safe point, whoever runs it, and return it.

        Raises:
            OperationNotFound: nothing was started under that id.
            StaleEpoch: a newer leader has started or resumed it.
        """
        while True:
            held = await self._read(invocation.request_id)
            _refuse_stale_epoch(invocation, held.record)
            if held.record.is_final or held.record.cancel_requested:
                return held.record
            asked = replace(held.record, cancel_requested=True, leader_epoch=invocation.leader_epoch)
            with suppress(PreconditionFailed):
                etag = await self._write(asked, etag=held.etag)
                self._stop_own(asked, etag)
                return asked

    async def watch(self, request_id: str) -> AsyncIterator[OperationRecord]:
        """Yield the operation at once, then whenever it changed, up to and with its final state.

        Raises:
            OperationNotFound: nothing was started under that id.
        """
        last: OperationRecord | None = None
        while last is None or not last.is_final:
            record = await self.get(request_id)
            if record != last:
                yield record
                last = record
                continue
            await asyncio.sleep(self._settings.watch_poll_seconds)

    async def close(self, *, grace_seconds: float = 10.0) -> None:
        """Refuse new operations, let running ones reach a safe point, and give them up for others to resume."""
        self._is_draining = True
        running = list(self._running.values())
        for each in running:
            each.context.stop(Draining("this process shuts down"))
        tasks = [each.task for each in running]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace_seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # -- the record -----------------------------------------------------------------------------------------------

    async def _create_or_read(self, invocation: Invocation, *, stage: str, request: Message, digest: str) -> _Held:
        now = self._clock.now()
        record = OperationRecord(
            request_id=invocation.request_id,
            stage=stage,
            request=MessageToJson(request, indent=None),
            request_digest=digest,
            owner=self._owner,
            leader_epoch=invocation.leader_epoch,
            started=now,
            updated=now,
        )
        try:
            etag = await self._store.create(self._layout.operation(record.request_id), record.to_json())
        except AlreadyExists:
            return await self._read(record.request_id)
        return _Held(record, etag)

    async def _read(self, request_id: str) -> _Held:
        key = self._layout.operation(request_id)
        try:
            stored = await self._store.get(key)
        except ObjectNotFound as error:
            raise OperationNotFound(f"no operation {request_id} was started") from error
        return _Held(OperationRecord.from_json(stored.data, key=key), stored.etag)

    async def _write(self, record: OperationRecord, *, etag: str) -> str:
        return await self._store.replace(self._layout.operation(record.request_id), record.to_json(), etag=etag)

    def _is_free(self, held: _Held) -> bool:
        """Whether the owner is gone: it said so, a lock outside says so, or its heartbeat has stood still."""
        if held.record.owner == "" or self._settings.is_sole_owner:
            return True
        now = self._clock.monotonic()
        etag, since = self._seen.get(held.record.request_id, ("", now))
        if etag != held.etag:
            self._seen[held.record.request_id] = (held.etag, now)
            return False
        return now - since >= self._settings.stale_after_seconds

    async def _take(self, held: _Held, invocation: Invocation) -> _Held:
        """Make the record ours, unless it was just created by us or somebody else was faster."""
        is_fresh = held.record.owner == self._owner and held.record.beat == 0 and held.record.takeovers == 0
        if is_fresh:
            return held
        taken = held.record.taken_over(self._clock.now(), owner=self._owner, leader_epoch=invocation.leader_epoch)
        try:
            return _Held(taken, await self._write(taken, etag=held.etag))
        except PreconditionFailed:
            return await self._read(invocation.request_id)

    async def _raise_epoch(self, running: _Running, leader_epoch: int) -> OperationRecord:
        """Note a newer leader in the record of an operation that this process runs."""
        if leader_epoch > running.held.record.leader_epoch:
            await self._beat(running, leader_epoch=leader_epoch)
        return replace(running.held.record, progress=running.context.current_progress())

    # -- running --------------------------------------------------------------------------------------------------

    def _spawn(self, held: _Held, body: Body) -> None:
        record = held.record
        context = OperationContext(record.request_id, record.takeovers)
        if record.cancel_requested:
            context.stop(OperationCancelled(f"operation {record.request_id} was cancelled"))
        task = asyncio.create_task(self._run(record.request_id, body), name=f"operation {record.request_id}")
        self._running[record.request_id] = _Running(held, context, task)

    async def _run(self, request_id: str, body: Body) -> None:
        running = self._running[request_id]
        heartbeat = asyncio.create_task(self._keep_beating(running), name=f"heartbeat {request_id}")
        try:
            await self._conclude(running, await self._outcome_of(running, body))
        except (Fenced, PreconditionFailed):
            _log.warning("operation %s belongs to another process now: nothing of this one counts", request_id)
        except StoreError:
            # The record stays running without a heartbeat; the next Start, here or elsewhere, takes it over.
            _log.exception("operation %s could not be concluded in the store", request_id)
        finally:
            heartbeat.cancel()
            with suppress(asyncio.CancelledError):
                await heartbeat
            self._running.pop(request_id, None)

    async def _outcome_of(self, running: _Running, body: Body) -> OperationRecord:
        """Run the body and return the record that it leads to."""
        context = running.context
        cpu_seconds = time.process_time()
        try:
            context.check()
            outcome = await body(context)
            context.check()
        except Fenced:
            raise
        except OperationCancelled:
            return running.held.record.cancelled(self._clock.now())
        except (Draining, asyncio.CancelledError):
            return replace(running.held.record, owner="", updated=self._clock.now())
        except LabelplaneError as error:
            return running.held.record.failed(self._clock.now(), Failure.of(error))
        except Exception as error:  # noqa: BLE001 - a defect fails its operation, not the service
            _log.exception("operation %s failed unexpectedly", context.request_id)
            return running.held.record.failed(self._clock.now(), Failure.unexpected(error))
        spent = {"cpu_seconds": time.process_time() - cpu_seconds, "gpu_seconds": 0.0}
        return running.held.record.succeeded(self._clock.now(), Outcome(outcome.results, spent | dict(outcome.figures)))

    async def _conclude(self, running: _Running, conclusion: OperationRecord) -> None:
        """Write the last state; an ETag that moved by a Cancel or a newer leader is followed, a takeover fences."""
        while True:
            held = running.held
            conclusion = replace(
                conclusion,
                beat=held.record.beat + 1,
                leader_epoch=held.record.leader_epoch,
                progress=running.context.current_progress(),
            )
            try:
                await self._write(conclusion, etag=held.etag)
            except PreconditionFailed:
                await self._follow(running)
            else:
                return

    async def _keep_beating(self, running: _Running) -> None:
        while True:
            await asyncio.sleep(self._settings.heartbeat_seconds)
            try:
                await self._beat(running)
            except Fenced as error:
                running.context.stop(error)
                return
            except StoreError as error:
                # The store may be away for minutes: the work goes on, and whoever holds the record then decides.
                _log.warning("no heartbeat for operation %s: %s", running.context.request_id, error)

    async def _beat(self, running: _Running, *, leader_epoch: int = 0) -> None:
        held = running.held
        record = held.record.beaten(self._clock.now(), progress=running.context.current_progress())
        record = replace(record, leader_epoch=max(leader_epoch, record.leader_epoch))
        try:
            running.held = _Held(record, await self._write(record, etag=held.etag))
        except PreconditionFailed:
            await self._follow(running)

    async def _follow(self, running: _Running) -> None:
        """Read what changed the record under us.

        Raises:
            Fenced: another process owns it, or it is concluded.
        """
        before = running.held
        now = await self._read(running.context.request_id)
        if now.etag == running.held.etag or running.held is not before:
            return  # our own heartbeat, or a Cancel through this process, was faster
        if now.record.owner != self._owner or now.record.is_final:
            raise Fenced(f"operation {now.record.request_id} was taken over by another process")
        running.held = now
        if now.record.cancel_requested:
            running.context.stop(OperationCancelled(f"operation {now.record.request_id} was cancelled"))

    def _stop_own(self, asked: OperationRecord, etag: str) -> None:
        if (running := self._running.get(asked.request_id)) is not None:
            running.held = _Held(asked, etag)
            running.context.stop(OperationCancelled(f"operation {asked.request_id} was cancelled"))


def _refuse_stale_epoch(invocation: Invocation, record: OperationRecord) -> None:
    if invocation.leader_epoch < record.leader_epoch:
        raise StaleEpoch(
            f"leader epoch {invocation.leader_epoch} is older than {record.leader_epoch}, "
            f"which runs operation {record.request_id}: this leader has been replaced"
        )


def request_digest(request: Message) -> str:
    """Return a digest of all that shapes the result, and so not of who asks."""
    copy = type(request)()
    copy.CopyFrom(request)
    copy.ClearField("invocation")
    return hashlib.sha256(copy.SerializeToString(deterministic=True)).hexdigest()
