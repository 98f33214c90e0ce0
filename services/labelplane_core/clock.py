"""Time as something that is passed in, so that decisions about it can be tested without waiting."""

import time
from datetime import UTC, datetime
from typing import Protocol

__all__ = ["Clock", "SystemClock"]


class Clock(Protocol):
    """Tells the time of day, and a time that only grows."""

    def now(self) -> datetime:
        """Return the time of day in UTC, for records that people read."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never jump, for measuring how long something took or stayed."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> datetime:
        """Return the time of day in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds since some fixed point."""
        return time.monotonic()
