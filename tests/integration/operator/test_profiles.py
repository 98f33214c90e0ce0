"""One job, three ways to run it: one pod, a pod a service, and one machine give the same labels."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from point_job import start_run, write_point_job
from points_on_cluster import Cluster, is_true, jobs_path, point_job, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

Labels = dict[str, tuple[str, str, str]]


def _labels(text: str) -> Labels:
    return {row["item"]: (row["label"], row["confidence"], row["state"]) for row in csv.DictReader(io.StringIO(text))}


def _on_cluster(cluster: Cluster, name: str, profile: str) -> Labels:
    def take_profile(fields: dict[str, Any]) -> None:
        fields["spec"]["profile"] = profile

    job = point_job(name, cluster.namespace, cluster.s3, cluster.bucket, take_profile)
    cluster.server.apply(jobs_path(cluster.namespace, name), job, manager="kubectl")
    done = wait_for(cluster.server, cluster.namespace, name, is_true("Complete"), seconds=400)
    assert done["status"]["profile"] == profile
    out = cluster.s3.buckets / cluster.bucket / "out" / cluster.namespace / name
    return _labels((out / "export" / "labels.csv").read_text())


def _on_one_machine(folder: Path) -> Labels:
    def as_on_the_cluster(fields: dict[str, Any]) -> None:
        fields["spec"]["budget"]["votes"] = 72

    folder.mkdir()
    out = folder / "out"
    run = start_run(write_point_job(folder, as_on_the_cluster), "--out", str(out))
    text, _ = run.communicate(timeout=300)
    assert run.returncode == 0, text
    return _labels((out / "export" / "labels.csv").read_text())


def test_one_pod_a_pod_for_each_service_and_one_machine_give_the_same_labels(cluster: Cluster, tmp_path: Path) -> None:
    small = _on_cluster(cluster, "one-pod", "Small")
    distributed = _on_cluster(cluster, "many-pods", "Distributed")
    embedded = _on_one_machine(tmp_path / "machine")

    assert len(small) == 150
    assert distributed == small
    assert embedded == small
    # Prepare runs in the small pod; from there each service is up while a stage needs it.
    assert set(cluster.node.started) == {
        "one-pod",
        "many-pods",
        "many-pods-aggregation",
        "many-pods-distillation",
        "many-pods-scoring",
    }
