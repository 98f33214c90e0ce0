"""A Triton for the tests of served inference."""

from collections.abc import Iterator

import pytest
from triton_server import TritonServer, running_triton


@pytest.fixture(scope="session")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    """A server that stays up for all tests; each has models of its own there."""
    with running_triton(tmp_path_factory.mktemp("triton")) as server:
        yield server
