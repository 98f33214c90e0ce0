"""A work queue on NATS JetStream, for workers that come and go on many machines.

Each shard has a subject of its own on the stream of its namespace, and the stream keeps one message a subject. So a
shard that waits or is leased is not put twice, however long ago it was put first; and a shard is given back by a
message that takes the place of the leased one, under the condition that it is still there: its record and its being
ready change in one step of the server. docs/design/0008-queue.md says why.
"""

import asyncio
import base64
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from nats.aio.msg import Msg

from labelplane_core.clock import Clock
from labelplane_core.errors import LeaseLost, QueueRefused, QueueUnavailable
from labelplane_core.queue.connection import QueueConnection
from labelplane_core.queue.messages import QueueAddress, ShardRecord
from labelplane_core.queue.queue import DeadLetter, Depth, Lease, QueueLimits
from labelplane_core.shards.shard import Shard

__all__ = ["JetStreamQueue"]

_log = logging.getLogger(__name__)

_NANOSECONDS: Final = 1_000_000_000
_SHARD_DAYS: Final = 14
_DEAD_LETTER_DAYS: Final = 30
_DAY_SECONDS: Final = 86_400
_MOST_LEASED: Final = 20_000
_MOST_DEAD_LETTERS: Final = 1000
_FORGOTTEN_SECONDS: Final = 7 * _DAY_SECONDS

_EXPECTED_SEQUENCE: Final = "Nats-Expected-Last-Subject-Sequence"
_MESSAGE_ID: Final = "Nats-Msg-Id"
_WRONG_SEQUENCE: Final = 10071
_NAME_IN_USE: Final = 10058
_NO_STREAM, _NO_CONSUMER = 10059, 10014
_NO_MESSAGE: Final = 10037
_ACK, _IN_PROGRESS, _TERMINATE = b"+ACK", b"+WPI", b"+TERM"


@dataclass(frozen=True, slots=True)
class _Held:
    """A leased message: its record, where it lies in the stream, and until when the lease is ours."""

    record: ShardRecord
    sequence: int
    expires: float


class _ApiError(Exception):
    """What JetStream answered in place of a result."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(description)
        self.code = code


class JetStreamQueue:
    """A `WorkQueue` on a stream; every process that opens it sees the same shards.

    What it needs on the server is made when it is first used, and made again when the server has lost it. A lease
    counts from when it was asked for or last extended, by the given monotonic clock; so it ends here before it ends on
    the server. A lease that ran out is found when the server gives its shard to the next worker: only then a shard is
    given up or taken apart.
    """

    def __init__(
        self,
        connection: QueueConnection,
        address: QueueAddress,
        *,
        clock: Clock,
        limits: QueueLimits | None = None,
        replicas: int = 1,
        api_prefix: str = "$JS.API",
    ) -> None:
        self._connection = connection
        self._address = address
        self._clock = clock
        self._limits = limits or QueueLimits()
        self._replicas = replicas
        self._api_prefix = api_prefix
        self._held: dict[str, _Held] = {}
        self._is_set_up = False
        self._setting_up = asyncio.Lock()

    # -- WorkQueue ------------------------------------------------------------------------------------------------

    async def put(self, shard: Shard) -> None:
        """Add `shard` at the end, unless it waits or is leased."""
        await self._write(ShardRecord(shard), instead_of=0)

    async def lease(self, wait_seconds: float) -> Lease | None:
        """Take the next shard, waiting at most `wait_seconds` for one."""
        deadline = self._clock.monotonic() + wait_seconds
        while True:
            left = max(0.0, deadline - self._clock.monotonic())
            asked_at = self._clock.monotonic()
            message = await self._next(left)
            if message is None:
                return None
            # The server counts from when it hands the shard out, which may be a wait later.
            since = asked_at if left == 0 else self._clock.monotonic()
            if (lease := await self._admit(message, since=since)) is not None:
                return lease

    async def extend(self, lease: Lease) -> None:
        """Start the lease's time anew."""
        held = self._kept(lease)
        now = self._clock.monotonic()
        if held is None:
            raise LeaseLost(f"the lease of shard {lease.shard.key} has run out: stop working on it")
        await self._connection.request(lease.lease_id, _IN_PROGRESS)
        self._held[lease.lease_id] = replace(held, expires=now + self._limits.lease_seconds)

    async def ack(self, lease: Lease) -> None:
        """Take the shard off the queue for good."""
        self._held.pop(lease.lease_id, None)
        await self._connection.request(lease.lease_id, _ACK)

    async def release(self, lease: Lease) -> None:
        """Give the shard back undone, behind the others; a worker that is free gets it at once."""
        if (held := self._give_up(lease)) is not None:
            await self._give_back(lease.lease_id, held, held.record)

    async def fail(self, lease: Lease, cause: str) -> None:
        """Give the shard back after an error, behind the others, or to the dead letters."""
        if (held := self._give_up(lease)) is None:
            return
        record = replace(held.record, failures=held.record.failures + 1)
        if record.failures >= self._limits.max_failures:
            await self._bury(lease.lease_id, held.sequence, replace(record, cause=cause))
        else:
            await self._give_back(lease.lease_id, held, record)

    async def depth(self) -> Depth:
        """Return how many shards wait and how many are leased."""
        info = await self._ask(f"CONSUMER.INFO.{self._address.stream}.{self._address.consumer}")
        return Depth(ready=int(info["num_pending"]), leased=int(info["num_ack_pending"]))

    async def dead_letters(self) -> tuple[DeadLetter, ...]:
        """Return the shards that were given up, oldest first; of more than 1,000 any 1,000."""
        stream, subjects = self._address.dead_stream, self._address.dead_subjects
        info = await self._ask(f"STREAM.INFO.{stream}", {"subjects_filter": subjects})
        found = sorted(info["state"].get("subjects") or {})[:_MOST_DEAD_LETTERS]
        letters = [letter for subject in found if (letter := await self._dead_letter(subject)) is not None]
        return tuple(letter for _, letter in sorted(letters, key=lambda pair: pair[0]))

    # -- leases ---------------------------------------------------------------------------------------------------

    async def _next(self, wait_seconds: float) -> Msg | None:
        """Return the next message, None when the server had none in that time."""
        subject = f"{self._api_prefix}.CONSUMER.MSG.NEXT.{self._address.stream}.{self._address.consumer}"
        nanoseconds = int(wait_seconds * _NANOSECONDS)
        asked: dict[str, Any] = {"batch": 1, **({"expires": nanoseconds} if nanoseconds else {"no_wait": True})}
        await self._have_set_up()
        try:
            answer = await self._connection.request(subject, json.dumps(asked).encode(), wait_seconds=wait_seconds)
        except QueueUnavailable:
            # Also what a consumer that is gone looks like: nobody answers for it.
            self._is_set_up = False
            raise
        if (answer.headers or {}).get("Status") is None:
            return answer
        return None

    async def _admit(self, message: Msg, *, since: float) -> Lease | None:
        """Return the lease of a message, None when its shard is to be given up, or it is none."""
        place, lease_id = message.metadata, message.reply
        assert place.sequence is not None
        try:
            record = ShardRecord.from_json(message.data)
        except ValueError as error:
            _log.error("a message on %s is dropped: %s", message.subject, error)
            await self._connection.request(lease_id, _TERMINATE)
            return None
        # A shard that is given back is a new message, so what is delivered again was lost.
        lost = record.lost_leases + (place.num_delivered or 1) - 1
        record = replace(record, lost_leases=lost)
        if lost >= self._limits.max_lost_leases:
            await self._take_apart(lease_id, place.sequence.stream, record)
            return None
        expires = since + self._limits.lease_seconds
        self._held[lease_id] = _Held(record, place.sequence.stream, expires)
        return Lease(record.shard, lease_id)

    def _kept(self, lease: Lease) -> _Held | None:
        """Return what is held under a lease that has not run out."""
        held = self._held.get(lease.lease_id)
        if held is not None and held.expires <= self._clock.monotonic():
            del self._held[lease.lease_id]
            return None
        return held

    def _give_up(self, lease: Lease) -> _Held | None:
        held = self._kept(lease)
        self._held.pop(lease.lease_id, None)
        return held

    async def _give_back(self, lease_id: str, held: _Held, record: ShardRecord) -> None:
        """Put a record in the place of the leased message, unless that is gone; then the shard is ready again."""
        # The message that was replaced counts as delivered before this one; the counts are in the record now.
        await self._write(record, instead_of=held.sequence)
        # The server drops the lease of a message that is gone by itself, a moment later; asked, before it answers.
        await self._connection.request(lease_id, _TERMINATE)

    async def _take_apart(self, lease_id: str, sequence: int, record: ShardRecord) -> None:
        """Queue a shard that nobody survives as its single blocks; a single block is a dead letter."""
        shard, lost = record.shard, record.lost_leases
        if len(shard.blocks) == 1:
            cause = f"LeaseLost: {lost} workers lost the lease of this block: does it exhaust their memory?"
            await self._bury(lease_id, sequence, replace(record, cause=cause))
            return
        for single in shard.split():
            await self.put(single)
        await self._connection.request(lease_id, _TERMINATE)

    async def _bury(self, lease_id: str, sequence: int, record: ShardRecord) -> None:
        subject = self._address.dead_subject(record.shard)
        # Told twice, as after a lost answer, it is one letter.
        await self._publish(subject, record.to_json(), {_MESSAGE_ID: f"{subject}@{sequence}"})
        await self._connection.request(lease_id, _TERMINATE)

    # -- the server -----------------------------------------------------------------------------------------------

    async def _write(self, record: ShardRecord, *, instead_of: int) -> None:
        """Write a record in the place of the message with this number, 0 for none; if another is there, do nothing."""
        headers = {_EXPECTED_SEQUENCE: str(instead_of)}
        try:
            await self._publish(self._address.subject(record.shard), record.to_json(), headers)
        except _ApiError as error:
            if error.code != _WRONG_SEQUENCE:
                raise self._refused(error) from error

    async def _publish(self, subject: str, payload: bytes, headers: Mapping[str, str]) -> None:
        await self._have_set_up()
        try:
            answer = await self._connection.request(subject, payload, headers=headers)
        except QueueUnavailable:
            # Also what a stream that is gone looks like: nobody answers for its subjects.
            self._is_set_up = False
            raise
        _result(answer)

    async def _dead_letter(self, subject: str) -> tuple[int, DeadLetter] | None:
        try:
            found = await self._call(f"STREAM.MSG.GET.{self._address.dead_stream}", {"last_by_subj": subject})
            message = found["message"]
            return int(message["seq"]), ShardRecord.from_json(base64.b64decode(message["data"])).to_dead_letter()
        except _ApiError as error:
            if error.code == _NO_MESSAGE:
                return None
            raise self._refused(error) from error
        except ValueError as error:
            _log.error("a dead letter on %s is not read: %s", subject, error)
            return None

    async def _ask(self, name: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return what the server says about a stream or consumer; one that it has lost is made again."""
        await self._have_set_up()
        try:
            return await self._call(name, body)
        except _ApiError as error:
            if error.code not in {_NO_STREAM, _NO_CONSUMER}:
                raise self._refused(error) from error
        self._is_set_up = False
        await self._have_set_up()
        try:
            return await self._call(name, body)
        except _ApiError as error:
            raise self._refused(error) from error

    async def _call(self, name: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        payload = b"" if body is None else json.dumps(body).encode()
        return _result(await self._connection.request(f"{self._api_prefix}.{name}", payload))

    async def _have_set_up(self) -> None:
        """Make streams and consumer, where they are not there as they should be."""
        async with self._setting_up:
            if self._is_set_up:
                return
            address = self._address
            try:
                await self._have_stream(
                    address.stream, address.stream_subjects, retention="workqueue", days=_SHARD_DAYS
                )
                await self._have_stream(
                    address.dead_stream, address.dead_stream_subjects, retention="limits", days=_DEAD_LETTER_DAYS
                )
                consumer = {"stream_name": address.stream, "config": self._consumer()}
                await self._call(f"CONSUMER.DURABLE.CREATE.{address.stream}.{address.consumer}", consumer)
            except _ApiError as error:
                raise self._refused(error) from error
            self._is_set_up = True

    async def _have_stream(self, name: str, subjects: str, *, retention: str, days: int) -> None:
        config = {
            "name": name,
            "subjects": [subjects],
            "retention": retention,
            "storage": "file",
            "num_replicas": self._replicas,
            "max_msgs_per_subject": 1,
            "discard": "old",
            # What a deleted job has left goes by itself; a shard that is missed is put again.
            "max_age": days * _DAY_SECONDS * _NANOSECONDS,
        }
        try:
            await self._call(f"STREAM.CREATE.{name}", config)
        except _ApiError as error:
            if error.code != _NAME_IN_USE:
                raise
            await self._check_stream(name, retention)

    async def _check_stream(self, name: str, retention: str) -> None:
        """Accept a stream that somebody has made or changed in what does not matter here, as its replicas."""
        found = (await self._call(f"STREAM.INFO.{name}"))["config"]
        if found["retention"] != retention or found["max_msgs_per_subject"] != 1:
            raise QueueRefused(
                f"stream {name} has retention {found['retention']} and keeps {found['max_msgs_per_subject']} messages "
                f"a subject, wanted are {retention} and 1: remove it, and it is made anew"
            )

    def _consumer(self) -> dict[str, Any]:
        return {
            "durable_name": self._address.consumer,
            "filter_subject": self._address.subjects,
            "ack_policy": "explicit",
            "deliver_policy": "all",
            "ack_wait": int(self._limits.lease_seconds * _NANOSECONDS),
            "max_deliver": -1,
            "max_ack_pending": _MOST_LEASED,
            "inactive_threshold": _FORGOTTEN_SECONDS * _NANOSECONDS,
        }

    def _refused(self, error: _ApiError) -> QueueRefused | QueueUnavailable:
        text = f"JetStream, stream {self._address.stream}: {error}"
        # Above 500 it is the server that cannot, for now.
        return QueueUnavailable(text) if error.code in _PASSING else QueueRefused(text)


_PASSING: Final = frozenset({10008, 10074, 10077, 10047, 10028, 10023})
"""JetStream is starting, has no leader, has not the room: later the same may succeed."""


def _result(answer: Msg) -> dict[str, Any]:
    """Return an answer of JetStream, or raise the error in it."""
    result: dict[str, Any] = json.loads(answer.data)
    error = result.get("error")
    if error:
        raise _ApiError(int(error.get("err_code", 0)), f"{error.get('description', '')} ({error.get('err_code', 0)})")
    return result
