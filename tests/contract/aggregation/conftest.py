"""A world with the aggregation service in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aggregation_world import World, aggregation_world


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with aggregation_world(tmp_path) as made:
        yield made
