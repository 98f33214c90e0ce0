"""A NATS server for the tests of the work queue."""

from collections.abc import Iterator

import pytest
from nats_server import NatsServer, running_nats_server


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A server that stays up for all tests; each has a namespace of its own there."""
    with running_nats_server(tmp_path_factory.mktemp("nats")) as server:
        yield server
