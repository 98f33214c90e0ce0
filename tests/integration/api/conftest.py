"""The CRD on a real API server."""

import time

import pytest
import yaml
from api_server import ApiServer

from labelplane_api.crd import build_crd, crd_yaml

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_ESTABLISHED_SECONDS = 30.0


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


@pytest.fixture(scope="session")
def jobs(crd_server: ApiServer) -> str:
    """The path of the LabelingJobs of a namespace of its own."""
    return f"/apis/labelplane.io/v1alpha1/namespaces/{crd_server.make_namespace('crd')}/labelingjobs"
