"""Waiting for something that another process brings about; pytest's own timeout bounds it."""

import asyncio
from collections.abc import Awaitable, Callable

_LOOK_SECONDS = 0.02


async def until(holds: Callable[[], bool]) -> None:
    """Return once something holds."""
    while True:
        if holds():
            return
        await asyncio.sleep(_LOOK_SECONDS)


async def until_it(holds: Callable[[], Awaitable[bool]]) -> None:
    """Return once what must be asked for holds."""
    while True:
        if await holds():
            return
        await asyncio.sleep(_LOOK_SECONDS)
