"""A Distributed job with NATS: its items are scored by workers that the depth of the queue brings and takes away."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_server import ApiServer
from hollow_node import HollowNode
from nats_server import NatsServer, running_nats_server
from operator_process import operator_process
from points_on_cluster import Cluster, is_true, jobs_path, point_job, wait_for
from s3_server import S3Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

Labels = dict[str, tuple[str, str, str]]


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[NatsServer]:
    with running_nats_server(tmp_path / "nats") as server:
        yield server


@pytest.fixture
def cluster(
    crd_server: ApiServer,
    s3: S3Server,
    namespace: str,
    bucket: str,
    node: HollowNode,
    nats: NatsServer,
    tmp_path: Path,
) -> Iterator[Cluster]:
    """A cluster whose operator knows NATS."""
    settings = {
        "service_address": node.service_address,
        "watch_namespaces": namespace,
        "lease_name": namespace,
        "queue_servers": nats.address,
    }
    with operator_process(crd_server, tmp_path / "operator", **settings) as operator:
        yield Cluster(crd_server, s3, namespace, bucket, node, operator)


def labels(cluster: Cluster, name: str) -> Labels:
    out = cluster.s3.buckets / cluster.bucket / "out" / cluster.namespace / name
    text = (out / "export" / "labels.csv").read_text()
    return {row["item"]: (row["label"], row["confidence"], row["state"]) for row in csv.DictReader(io.StringIO(text))}


def run(cluster: Cluster, name: str, profile: str) -> Labels:
    def take_profile(fields: dict[str, Any]) -> None:
        fields["spec"]["profile"] = profile

    job = point_job(name, cluster.namespace, cluster.s3, cluster.bucket, take_profile)
    cluster.server.apply(jobs_path(cluster.namespace, name), job, manager="kubectl")
    wait_for(cluster.server, cluster.namespace, name, is_true("Complete"), seconds=500)
    return labels(cluster, name)


def test_workers_score_a_job_as_one_pod_would_and_leave_when_nothing_is_left(cluster: Cluster) -> None:
    distributed = run(cluster, "many-pods", "Distributed")

    assert distributed == run(cluster, "one-pod", "Small")
    said = cluster.node.log("many-pods-scoring-worker")
    assert "blocks_done=1" in said, said
    assert "Traceback" not in said
    assert "many-pods-scoring-worker" not in cluster.node.running()
