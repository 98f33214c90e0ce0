"""Who leads: a Lease that one process holds, and the epoch that tells every service which leader is the newest.

The epoch is the Lease's acquireTime in milliseconds, and higher than that of every leader before, whatever the clocks
of the pods say. Times are compared on this process's own monotonic clock alone: a Lease is free when it stayed
unchanged for its duration while this process looked at it.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from labelplane_operator.errors import ApiConflict, ApiError, ApiNotFound, ApiUnavailable
from labelplane_operator.kinds import LEASE, Kind

__all__ = ["Election", "LeaseSettings"]

_log = logging.getLogger(__name__)

Object = dict[str, Any]


class Leases(Protocol):
    """What an election needs of the API."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Return the Lease."""

    async def create_lease(self, manifest: Object) -> Object:
        """Create the Lease; ApiConflict when there is one."""

    async def replace_lease(self, manifest: Object) -> Object:
        """Replace the Lease as it was read; ApiConflict when it has changed."""


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """Which Lease is held by whom, and its times."""

    namespace: str
    name: str
    holder: str
    duration_seconds: float = 15.0
    renew_deadline_seconds: float = 10.0
    retry_period_seconds: float = 2.0


class Election:
    """Takes the Lease and keeps it.

    Args:
        leases: reads and writes the Lease.
        settings: which Lease, and its times.
        monotonic: seconds that only rise.
        now: the wall clock, for what people read in the Lease.
    """

    def __init__(
        self, leases: Leases, settings: LeaseSettings, *, monotonic: Callable[[], float], now: Callable[[], datetime]
    ) -> None:
        self._leases = leases
        self._settings = settings
        self._monotonic = monotonic
        self._now = now
        self._seen_version = ""
        self._seen_since = 0.0
        self._held: Object | None = None
        self._renewed_at = 0.0

    def is_leader(self) -> bool:
        """Tell whether this process may act: it holds the Lease, and has renewed it within the deadline."""
        return self._held is not None and self._monotonic() - self._renewed_at < self._settings.renew_deadline_seconds

    async def acquire(self) -> int:
        """Wait for the Lease, take it, and return the leader's epoch."""
        while True:
            try:
                wait = await self._try_take()
            except (ApiError, ApiUnavailable) as error:
                _log.warning("the Lease cannot be taken: %s", error)
                wait = self._settings.retry_period_seconds
            if self._held is not None:
                return _epoch(self._held)
            await asyncio.sleep(wait)

    async def keep(self) -> None:
        """Renew the Lease until it is lost, and return then; who calls this must stop at once."""
        while True:
            await asyncio.sleep(self._settings.retry_period_seconds)
            if not await self._renew():
                return

    async def release(self) -> None:
        """Give the Lease up, so that the next leader need not wait for it to run out."""
        self._held = None
        try:
            async with asyncio.timeout(self._settings.renew_deadline_seconds):
                await self._give_up()
        except (ApiError, ApiUnavailable, TimeoutError) as error:
            _log.info("the Lease runs out by itself: %s", str(error) or "no answer in time")

    async def _give_up(self) -> None:
        # What was written last is not known: taking or renewing it may have been cut short.
        lease = await self._leases.get(LEASE, self._settings.namespace, self._settings.name)
        if lease["spec"].get("holderIdentity") == self._settings.holder:
            await self._leases.replace_lease({**lease, "spec": {**lease["spec"], "holderIdentity": ""}})

    async def _try_take(self) -> float:
        """Take the Lease when it is free; return the seconds until the next try is worth while."""
        asked_at = self._monotonic()
        try:
            lease = await self._leases.get(LEASE, self._settings.namespace, self._settings.name)
        except ApiNotFound:
            await self._become_holder(self._leases.create_lease, self._new_lease(), asked_at)
            return self._settings.retry_period_seconds
        left = self._seconds_until_free(lease)
        if left <= 0:
            await self._become_holder(self._leases.replace_lease, self._taken(lease), asked_at)
            return self._settings.retry_period_seconds
        return min(left, self._settings.retry_period_seconds)

    def _seconds_until_free(self, lease: Object) -> float:
        if not lease["spec"].get("holderIdentity"):
            return 0.0
        version = lease["metadata"]["resourceVersion"]
        if version != self._seen_version:
            self._seen_version, self._seen_since = version, self._monotonic()
        duration = float(lease["spec"].get("leaseDurationSeconds") or self._settings.duration_seconds)
        return self._seen_since + duration - self._monotonic()

    async def _become_holder(self, write: Callable[[Object], Any], lease: Object, asked_at: float) -> None:
        try:
            self._held = await write(lease)
        except ApiConflict:
            return  # somebody was faster
        self._renewed_at = asked_at

    async def _renew(self) -> bool:
        """Renew the Lease, trying until the deadline; tell whether it is still held."""
        while self.is_leader():
            asked_at = self._monotonic()
            left = self._renewed_at + self._settings.renew_deadline_seconds - asked_at
            try:
                async with asyncio.timeout(left):
                    is_held = await self._renew_once()
            except (ApiError, ApiUnavailable, TimeoutError) as error:
                _log.warning("the Lease was not renewed: %s", str(error) or "no answer in time")
                await asyncio.sleep(min(self._settings.retry_period_seconds, max(0.0, left)))
                continue
            if is_held:
                self._renewed_at = asked_at
            return is_held
        return False

    async def _renew_once(self) -> bool:
        assert self._held is not None
        try:
            self._held = await self._leases.replace_lease(self._renewed(self._held))
        except ApiConflict:
            lease = await self._leases.get(LEASE, self._settings.namespace, self._settings.name)
            if lease["spec"].get("holderIdentity") != self._settings.holder:
                return False
            self._held = await self._leases.replace_lease(self._renewed(lease))
        return True

    def _new_lease(self) -> Object:
        now = _micro_time(self._now())
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": {"name": self._settings.name, "namespace": self._settings.namespace},
            "spec": {**self._spec(), "acquireTime": now, "renewTime": now, "leaseTransitions": 0},
        }

    def _taken(self, lease: Object) -> Object:
        acquired = max(self._now(), _time(lease["spec"].get("acquireTime")) + timedelta(milliseconds=1))
        changes = {
            "acquireTime": _micro_time(acquired),
            "renewTime": _micro_time(self._now()),
            "leaseTransitions": int(lease["spec"].get("leaseTransitions") or 0) + 1,
        }
        return {**lease, "spec": {**lease["spec"], **self._spec(), **changes}}

    def _renewed(self, lease: Object) -> Object:
        return {**lease, "spec": {**lease["spec"], **self._spec(), "renewTime": _micro_time(self._now())}}

    def _spec(self) -> Object:
        # The API counts whole seconds; rounding up keeps a stand-by waiting longer, never shorter.
        return {
            "holderIdentity": self._settings.holder,
            "leaseDurationSeconds": math.ceil(self._settings.duration_seconds),
        }


def _epoch(lease: Object) -> int:
    return int(_time(lease["spec"]["acquireTime"]).timestamp() * 1000)


def _time(text: str | None) -> datetime:
    return datetime.fromisoformat(text) if text else datetime.fromtimestamp(0, UTC)


def _micro_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
