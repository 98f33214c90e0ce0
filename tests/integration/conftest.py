"""Real parts that several folders of tests share; each is started once, by the first test that asks for it."""

from collections.abc import Iterator
from typing import Any

import pytest
from api_server import ApiServer, running_api_server
from chromium import running_chromium


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A Kubernetes API server without nodes and controllers."""
    with running_api_server(tmp_path_factory.mktemp("api-server")) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, one a file of tests: Playwright holds the thread's event loop while it runs."""
    with running_chromium() as running:
        yield running
