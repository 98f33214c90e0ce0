"""Real parts that several folders of tests share; each is started once, by the first test that asks for it."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from api_server import ApiServer, running_api_server
from chromium import running_chromium
from label_studio import LabelStudio, running_label_studio

from labelplane_api.crd import build_crd, crd_yaml

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_ESTABLISHED_SECONDS = 30.0


@pytest.fixture(scope="session")
def api_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A Kubernetes API server without nodes and controllers."""
    with running_api_server(tmp_path_factory.mktemp("api-server")) as server:
        yield server


@pytest.fixture(scope="session")
def label_studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabelStudio]:
    """A Label Studio server with two people and no project of ours."""
    with running_label_studio(tmp_path_factory.mktemp("label-studio")) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, one a file of tests: Playwright holds the thread's event loop while it runs."""
    with running_chromium() as running:
        yield running


@pytest.fixture(scope="session")
def crd_server(api_server: ApiServer) -> ApiServer:
    """The API server with the CRD of LabelingJob applied from its text and established."""
    path = f"{_CRDS}/{build_crd()['metadata']['name']}"
    api_server.apply(path, yaml.safe_load(crd_yaml()), fieldValidation="Strict")
    deadline = time.monotonic() + _ESTABLISHED_SECONDS
    while time.monotonic() < deadline:
        conditions = api_server.get(path).get("status", {}).get("conditions") or ()
        found = {condition["type"]: condition["status"] for condition in conditions}
        if found.get("Established") == "True":
            return api_server
        time.sleep(0.05)
    raise RuntimeError(f"the CRD was not established: {conditions}")
