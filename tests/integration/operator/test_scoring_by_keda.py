"""A Distributed job whose workers the real KEDA scales: operator, NATS, external scaler and ScaledObject together."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_server import ApiServer
from hollow_node import HollowNode
from keda import running_keda
from nats_server import running_nats_server
from operator_process import operator_process
from points_on_cluster import Cluster, is_true, jobs_path, point_job, wait_for
from real_parts import free_ports
from s3_server import S3Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def keda(crd_server: ApiServer, tmp_path: Path) -> Iterator[Path]:
    with running_keda(crd_server, tmp_path / "keda") as log:
        yield log


@pytest.fixture
def cluster(
    crd_server: ApiServer, s3: S3Server, namespace: str, bucket: str, node: HollowNode, keda: Path, tmp_path: Path
) -> Iterator[Cluster]:
    """A cluster whose operator knows NATS and KEDA."""
    (port,) = free_ports(1)
    with running_nats_server(tmp_path / "nats") as nats:
        settings = {
            "service_address": node.service_address,
            "watch_namespaces": namespace,
            "lease_name": namespace,
            "queue_servers": nats.address,
            "scaler_port": str(port),
            "scaler_address": f"127.0.0.1:{port}",
        }
        with operator_process(crd_server, tmp_path / "operator", **settings) as operator:
            yield Cluster(crd_server, s3, namespace, bucket, node, operator)


def test_keda_brings_the_workers_of_a_job_that_asks_for_it(cluster: Cluster, keda: Path) -> None:
    def by_keda(fields: dict[str, Any]) -> None:
        fields["spec"] |= {"profile": "Distributed", "scaling": {"engine": "Keda"}}

    job = point_job("by-keda", cluster.namespace, cluster.s3, cluster.bucket, by_keda)
    cluster.server.apply(jobs_path(cluster.namespace, "by-keda"), job, manager="kubectl")
    wait_for(cluster.server, cluster.namespace, "by-keda", is_true("Complete"), seconds=500)

    scaled = [line for line in keda.read_text().splitlines() if "Successfully updated ScaleTarget" in line]
    assert any(cluster.namespace in line for line in scaled)
    assert "blocks_done=1" in cluster.node.log("by-keda-scoring-worker")
    left = cluster.server.get(f"/apis/keda.sh/v1alpha1/namespaces/{cluster.namespace}/scaledobjects")
    assert left["items"] == []
