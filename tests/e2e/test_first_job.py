"""A user installs the chart, applies a job and has labels, on a real node with the project's images."""

import csv

import pytest
from kubectl_and_helm import User
from one_node import OneNode
from points_on_cluster import SECRET, point_job, write_bucket
from s3_server import ACCESS_KEY, SECRET_KEY, S3Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def _storage_secret(namespace: str) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": namespace},
        "stringData": {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY},
    }


def _labels(s3: S3Server, bucket: str, namespace: str) -> dict[str, str]:
    file = s3.buckets / bucket / "out" / namespace / "points" / "export" / "labels.csv"
    with file.open(newline="", encoding="utf-8") as text:
        return {row["item"]: row["label"] for row in csv.DictReader(text)}


def test_the_release_passes_its_own_test(installed: User) -> None:
    said = installed.helm("test", "labelplane", "--namespace", "labelplane-system", "--timeout", "2m")

    assert "Phase:          Succeeded" in said


def test_a_job_that_is_applied_is_complete_with_labels_in_the_bucket(
    installed: User, s3: S3Server, namespace: str
) -> None:
    write_bucket(s3, namespace)
    installed.apply(_storage_secret(namespace), point_job("points", namespace, s3, namespace))

    installed.kubectl("wait", "--for=condition=Complete", "labelingjob/points", "-n", namespace, "--timeout=600s")

    assert len(_labels(s3, namespace, namespace)) == 150
    assert installed.get("pods", "-n", namespace)["items"] == [] or all(
        pod["metadata"].get("deletionTimestamp") for pod in installed.get("pods", "-n", namespace)["items"]
    )


def test_no_process_of_the_node_has_ended(node: OneNode, installed: User) -> None:
    assert {name for name, process in node.processes.items() if process.poll() is not None} == set()
