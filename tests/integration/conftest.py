"""Real parts that several folders of tests share; each is started once, by the first test that asks for it."""

from collections.abc import Iterator

import pytest
from api_server import ApiServer, running_api_server


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A Kubernetes API server without nodes and controllers."""
    with running_api_server(tmp_path_factory.mktemp("api-server")) as server:
        yield server
