"""Deletion of a job whose results go with it, as a user meets it with kubectl."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from api_server import ApiError, ApiServer
from controller_manager import running_controllers
from hollow_node import HollowNode
from operator_process import operator_process
from points_on_cluster import SECRET, Cluster, Object, condition, is_true, jobs_path, point_job, wait_for
from s3_server import SECRET_KEY, S3Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

FINALIZER = "labelplane.io/results"
CLEANUP = "points-cleanup"


def _remove_results(fields: Object) -> None:
    fields["spec"]["output"] = {"deletionPolicy": "Delete"}


def _ask_people(fields: Object) -> None:
    """Have the job wait for people who never come."""
    people = fields["spec"]["dataset"]["uri"].replace("/data", "/people")
    fields["spec"]["sources"]["humans"] = {"votesPerItem": 1, "files": {"uri": people}}
    del fields["spec"]["dataset"]["truthField"]


def _apply(server: ApiServer, s3: S3Server, namespace: str, *changes: Callable[[Object], None]) -> None:
    job = point_job("points", namespace, s3, namespace, _ask_people, *changes)
    server.apply(jobs_path(namespace, "points"), job, manager="kubectl")


def _prepared(cluster: Cluster, *changes: Callable[[Object], None]) -> Object:
    """Apply a job whose results go with it, and return it when there are some."""
    _apply(cluster.server, cluster.s3, cluster.namespace, _remove_results, *changes)
    return wait_for(cluster.server, cluster.namespace, "points", is_true("DatasetReady"), seconds=200)


def _delete(server: ApiServer, namespace: str) -> None:
    server.delete(jobs_path(namespace, "points"))


def _found(server: ApiServer, path: str) -> Object | None:
    try:
        return server.get(path)
    except ApiError as error:
        if error.code != 404:
            raise
        return None


def _job_path(namespace: str) -> str:
    return f"/apis/batch/v1/namespaces/{namespace}/jobs/{CLEANUP}"


def _results(s3: S3Server, bucket: str) -> set[str]:
    """Return the keys below the job's prefix."""
    out = s3.buckets / bucket / "out" / bucket / "points"
    return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}


def _until(holds: Callable[[], bool], *, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.1)


def _await_end(server: ApiServer, s3: S3Server, namespace: str) -> None:
    """Return when the object is gone; its results are gone before."""
    _until(lambda: _found(server, jobs_path(namespace, "points")) is None)
    assert _results(s3, namespace) == set()
    assert (s3.buckets / namespace / "data").is_dir()


def _set_secret(cluster: Cluster, key: str) -> None:
    path = f"/api/v1/namespaces/{cluster.namespace}/secrets/{SECRET}"
    body = {"stringData": {"AWS_SECRET_ACCESS_KEY": key}}
    cluster.server.request("PATCH", path, body=body, content_type="application/merge-patch+json")


def _reason(job: Object) -> str:
    return str(condition(job, "Progressing").get("reason", ""))


def _wait(cluster: Cluster, reached: Callable[[Object], bool]) -> Object:
    return wait_for(cluster.server, cluster.namespace, "points", reached)


def test_results_of_a_deleted_job_go_once_its_pods_are_gone_and_then_the_job_goes(cluster: Cluster) -> None:
    job = _prepared(cluster)
    assert job["metadata"]["finalizers"] == [FINALIZER]
    assert "owner.json" in _results(cluster.s3, cluster.bucket)
    pods = f"/api/v1/namespaces/{cluster.namespace}/pods"
    labels = {"labelplane.io/job": "points"}
    spec = {"containers": [{"name": "late", "image": "late:1"}], "automountServiceAccountToken": False}
    metadata = {"name": "late", "labels": labels}
    cluster.server.create(pods, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})

    _delete(cluster.server, cluster.namespace)
    going = _wait(cluster, lambda job: _reason(job) == "DeletingResults")
    _until(lambda: not cluster.node.running())
    assert going["status"]["stage"] == "Deleting"
    assert _found(cluster.server, _job_path(cluster.namespace)) is None
    assert "owner.json" in _results(cluster.s3, cluster.bucket)

    cluster.server.delete(f"{pods}/late")
    _await_end(cluster.server, cluster.s3, cluster.namespace)
    assert cluster.node.jobs.started == [CLEANUP]
    _until(lambda: _found(cluster.server, _job_path(cluster.namespace)) is None)


def test_a_cleanup_that_fails_says_why_and_works_once_the_keys_are_right(cluster: Cluster) -> None:
    _prepared(cluster)
    _set_secret(cluster, "wrong")
    _delete(cluster.server, cluster.namespace)

    failed = _wait(cluster, lambda job: _reason(job) == "CleanupFailed")

    message = condition(failed, "Progressing")["message"]
    assert "labelplane cleanup: " in message
    assert "access denied" in message
    assert f"take the finalizer {FINALIZER} away" in message
    assert cluster.node.jobs.started == [CLEANUP]
    _set_secret(cluster, SECRET_KEY)
    # As the page of operations says, who does not want to wait for the next try deletes the failed one.
    cluster.server.request("DELETE", _job_path(cluster.namespace), query={"propagationPolicy": "Background"})
    _await_end(cluster.server, cluster.s3, cluster.namespace)


def test_a_cleanup_without_its_secret_names_it_and_goes_on_when_it_is_there(cluster: Cluster) -> None:
    _prepared(cluster)
    path = f"/api/v1/namespaces/{cluster.namespace}/secrets"
    secret = cluster.server.get(f"{path}/{SECRET}")
    cluster.server.delete(f"{path}/{SECRET}")
    _delete(cluster.server, cluster.namespace)

    waiting = _wait(cluster, lambda job: _reason(job) == "CleanupFailed")

    assert f"there is no Secret {SECRET}" in condition(waiting, "Progressing")["message"]
    metadata = {"name": SECRET, "namespace": cluster.namespace}
    cluster.server.create(path, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": secret["data"]})
    _await_end(cluster.server, cluster.s3, cluster.namespace)


def test_a_suspended_job_is_deleted_with_its_results(cluster: Cluster) -> None:
    _prepared(cluster)
    body = {"spec": {"run": {"suspend": True}}}
    path = jobs_path(cluster.namespace, "points")
    cluster.server.request("PATCH", path, body=body, content_type="application/merge-patch+json")
    _wait(cluster, is_true("Suspended"))
    _delete(cluster.server, cluster.namespace)

    _await_end(cluster.server, cluster.s3, cluster.namespace)


def test_a_job_that_keeps_its_results_is_not_held(cluster: Cluster) -> None:
    _apply(cluster.server, cluster.s3, cluster.namespace)
    job = wait_for(cluster.server, cluster.namespace, "points", is_true("DatasetReady"), seconds=200)
    assert "finalizers" not in job["metadata"]

    _delete(cluster.server, cluster.namespace)

    assert _found(cluster.server, jobs_path(cluster.namespace, "points")) is None
    assert "owner.json" in _results(cluster.s3, cluster.bucket)


def test_a_job_whose_spec_has_become_invalid_is_let_go_and_its_results_stay(cluster: Cluster) -> None:
    _prepared(cluster)
    body = {"spec": {"podOverrides": {"small": {"privileged": True}}}}
    path = jobs_path(cluster.namespace, "points")
    cluster.server.request("PATCH", path, body=body, content_type="application/merge-patch+json")
    _wait(cluster, lambda job: condition(job, "Accepted").get("reason") == "SpecInvalid")
    _delete(cluster.server, cluster.namespace)

    _until(lambda: _found(cluster.server, path) is None)
    assert "owner.json" in _results(cluster.s3, cluster.bucket)


def test_a_namespace_that_is_deleted_takes_its_jobs_along_and_leaves_the_results(cluster: Cluster) -> None:
    _prepared(cluster)
    cluster.server.delete(f"/api/v1/namespaces/{cluster.namespace}")
    _delete(cluster.server, cluster.namespace)

    _until(lambda: _found(cluster.server, jobs_path(cluster.namespace, "points")) is None)
    assert "owner.json" in _results(cluster.s3, cluster.bucket)


def test_an_operator_that_was_away_removes_the_results_when_it_comes(
    crd_server: ApiServer, s3: S3Server, namespace: str, bucket: str, node: HollowNode, tmp_path: Path
) -> None:
    settings: dict[str, Any] = {
        "service_address": node.service_address,
        "watch_namespaces": namespace,
        "lease_name": namespace,
    }
    with operator_process(crd_server, tmp_path / "first", **settings):
        _apply(crd_server, s3, bucket, _remove_results)
        wait_for(crd_server, namespace, "points", is_true("DatasetReady"), seconds=200)
    _delete(crd_server, namespace)
    held = crd_server.get(jobs_path(namespace, "points"))
    assert held["metadata"]["finalizers"] == [FINALIZER]
    assert "owner.json" in _results(s3, bucket)

    with operator_process(crd_server, tmp_path / "second", **settings):
        _await_end(crd_server, s3, namespace)


def test_a_deletion_in_the_foreground_does_not_take_the_cleanup_away(cluster: Cluster, tmp_path: Path) -> None:
    """By the real garbage collector, which deletes what a job owns before the job."""
    _prepared(cluster)
    children = f"/api/v1/namespaces/{cluster.namespace}/serviceaccounts/points"
    with running_controllers(cluster.server, tmp_path, "garbage-collector-controller"):
        path = jobs_path(cluster.namespace, "points")
        cluster.server.request("DELETE", path, query={"propagationPolicy": "Foreground"})
        _await_end(cluster.server, cluster.s3, cluster.namespace)
        assert cluster.node.jobs.started == [CLEANUP]
        _until(lambda: _found(cluster.server, _job_path(cluster.namespace)) is None)
        _until(lambda: _found(cluster.server, children) is None)
