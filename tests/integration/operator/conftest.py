"""A cluster for the operator: API server, S3 server, a namespace for each test, and a node that starts processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from api_server import ApiServer
from hollow_node import HollowNode, hollow_node
from operator_process import operator_process
from points_on_cluster import Cluster, make_storage_secret, write_bucket
from s3_server import S3Server, running_s3_server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server."""
    with running_s3_server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def namespace(crd_server: ApiServer, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own, with the credentials of the S3 server."""
    words = request.node.name.replace("_", "-").replace("[", "-").replace("]", "").replace(" ", "-")
    name = crd_server.make_namespace(words.lower()[-63:].strip("-"))
    make_storage_secret(crd_server, name)
    return name


@pytest.fixture
def bucket(s3: S3Server, namespace: str) -> str:
    """A bucket of the test's own with 150 points."""
    write_bucket(s3, namespace)
    return namespace


@pytest.fixture
def node(crd_server: ApiServer, namespace: str, tmp_path: Path) -> Iterator[HollowNode]:
    """A node for the test's namespace."""
    with hollow_node(crd_server, namespace, tmp_path / "node") as started:
        yield started


@pytest.fixture
def cluster(
    crd_server: ApiServer, s3: S3Server, namespace: str, bucket: str, node: HollowNode, tmp_path: Path
) -> Iterator[Cluster]:
    """All of it, with an operator that watches the test's namespace."""
    settings = {"service_address": node.service_address, "watch_namespaces": namespace, "lease_name": namespace}
    # Nothing starts it again when it ends, and a busy machine may keep an answer for longer than a leader waits.
    patience = {"lease_duration_seconds": "120", "renew_deadline_seconds": "90"}
    with operator_process(crd_server, tmp_path / "operator", **settings, **patience) as operator:
        yield Cluster(crd_server, s3, namespace, bucket, node, operator)
