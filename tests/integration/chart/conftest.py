"""The chart, rendered by a real Helm and installed on a real API server."""

from collections.abc import Iterator

import pytest
from api_server import ApiServer
from chart_cluster import WATCHED, Installed, installed, prepare
from cluster_objects import ClusterObjects
from helm import Chart
from real_parts import find_tool


@pytest.fixture(scope="session")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Chart:
    return Chart(helm=find_tool("helm"), folder=tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def objects(api_server: ApiServer) -> ClusterObjects:
    """The objects of a server that has the namespaces which the sets of values name."""
    return prepare(api_server)


@pytest.fixture(scope="session")
def wide_release(
    chart: Chart, objects: ClusterObjects, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    """A release whose operator watches all namespaces."""
    with installed(chart, objects.server, tmp_path_factory.mktemp("wide"), namespace="chart-wide") as made:
        yield made


@pytest.fixture(scope="session")
def named_release(
    chart: Chart, objects: ClusterObjects, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    """A release whose operator watches two namespaces."""
    folder = tmp_path_factory.mktemp("named")
    with installed(chart, objects.server, folder, namespace="chart-named", watched=WATCHED) as made:
        yield made


@pytest.fixture(scope="session")
def cluster_wide(wide_release: Installed) -> ApiServer:
    """The API as the operator may use it that watches all namespaces."""
    return wide_release.operator


@pytest.fixture(scope="session")
def namespaced(named_release: Installed) -> ApiServer:
    """The API as the operator may use it that watches two namespaces."""
    return named_release.operator
