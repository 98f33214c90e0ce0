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
from point_job import start_run, write_point_job
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


def labels(text: str) -> Labels:
    return {row["item"]: (row["label"], row["confidence"], row["state"]) for row in csv.DictReader(io.StringIO(text))}


def by_workers(cluster: Cluster, name: str) -> Labels:
    def on_many_pods(fields: dict[str, Any]) -> None:
        fields["spec"]["profile"] = "Distributed"

    job = point_job(name, cluster.namespace, cluster.s3, cluster.bucket, on_many_pods)
    cluster.server.apply(jobs_path(cluster.namespace, name), job, manager="kubectl")
    wait_for(cluster.server, cluster.namespace, name, is_true("Complete"), seconds=500)
    out = cluster.s3.buckets / cluster.bucket / "out" / cluster.namespace / name
    return labels((out / "export" / "labels.csv").read_text())


def on_one_machine(folder: Path) -> Labels:
    def as_on_the_cluster(fields: dict[str, Any]) -> None:
        fields["spec"]["budget"]["votes"] = 72

    folder.mkdir()
    run = start_run(write_point_job(folder, as_on_the_cluster), "--out", str(folder / "out"))
    text, _ = run.communicate(timeout=500)
    assert run.returncode == 0, text
    return labels((folder / "out" / "export" / "labels.csv").read_text())


def test_workers_score_a_job_as_one_process_would_and_leave_when_nothing_is_left(
    cluster: Cluster, tmp_path: Path
) -> None:
    assert by_workers(cluster, "many-pods") == on_one_machine(tmp_path / "machine")
    said = cluster.node.log("many-pods-scoring-worker")
    assert "blocks_done=1" in said, said
    assert "Traceback" not in said
    assert "many-pods-scoring-worker" not in cluster.node.running()
