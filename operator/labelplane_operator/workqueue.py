"""A queue of keys: each is worked on by one worker at a time, and only its newest need counts.

The semantics are those of client-go's work queue. A key that is added while it is worked on comes again afterwards;
one that waits is there once; a failed one comes back after a delay that doubles.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["WorkQueue"]

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 300.0

Key = TypeVar("Key")


class WorkQueue(Generic[Key]):
    """Keys to work on; for one event loop.

    Args:
        clock: seconds that only rise, to tell how long a key is being worked on.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ready: deque[Key] = deque()
        self._wanted: set[Key] = set()
        self._working: dict[Key, float] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._changed = asyncio.Event()
        self._is_closed = False

    def __len__(self) -> int:
        """The number of keys that wait for a worker now."""
        return len(self._ready)

    def add(self, key: Key) -> None:
        """Have the key worked on as soon as a worker is free."""
        if self._is_closed or key in self._wanted:
            return
        self._wanted.add(key)
        if key not in self._working:
            self._put(key)

    def add_after(self, key: Key, seconds: float) -> None:
        """Have the key worked on after a while; the soonest wish stands."""
        if self._is_closed:
            return
        loop = asyncio.get_running_loop()
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= loop.time() + seconds:
                return
            timer.cancel()
        self._timers[key] = loop.call_later(seconds, self._due, key)

    def retry(self, key: Key, *, longest_seconds: float = LONGEST_DELAY_SECONDS) -> float:
        """Have a key that failed worked on again, later each time up to a bound; return the delay in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay: float = min(FIRST_DELAY_SECONDS * 2.0 ** min(failures, 20), longest_seconds)
        self.add_after(key, delay)
        return delay

    def forget(self, key: Key) -> None:
        """Forget how often the key has failed."""
        self._failures.pop(key, None)

    async def get(self) -> Key | None:
        """Return the next key, for the caller alone until `done`; None when the queue is closed."""
        while not self._ready and not self._is_closed:
            self._changed.clear()
            await self._changed.wait()
        if self._is_closed:
            return None
        key = self._ready.popleft()
        self._wanted.discard(key)
        self._working[key] = self._clock()
        # Who works on it now will say when it is to come again.
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        return key

    def done(self, key: Key) -> None:
        """Say that the key is worked on no more; it comes again when it was added meanwhile."""
        del self._working[key]
        if key in self._wanted:
            self._put(key)

    def longest_work_seconds(self) -> float:
        """Return for how long the oldest key in work is worked on, 0 when there is none."""
        return max((self._clock() - since for since in self._working.values()), default=0.0)

    def close(self) -> None:
        """Give out no key any more; workers that wait are told."""
        self._is_closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._changed.set()

    def _due(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _put(self, key: Key) -> None:
        self._ready.append(key)
        self._changed.set()
