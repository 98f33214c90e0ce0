"""The CRD on a real API server."""

import pytest
from api_server import ApiServer


@pytest.fixture(scope="session")
def jobs(crd_server: ApiServer) -> str:
    """The path of the LabelingJobs of a namespace of its own."""
    return f"/apis/labelplane.io/v1alpha1/namespaces/{crd_server.make_namespace('crd')}/labelingjobs"
