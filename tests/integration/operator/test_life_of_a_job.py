"""Suspension, deletion, expiry and a name that is taken, as a user meets them with kubectl."""

import csv
import time
from collections.abc import Callable
from typing import Any

import pytest
from api_server import ApiError
from points_on_cluster import (
    SECRET,
    Cluster,
    condition,
    is_true,
    jobs_path,
    make_storage_secret,
    point_job,
    wait_for,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

Object = dict[str, Any]


def _apply(cluster: Cluster, *changes: Callable[[Object], None]) -> None:
    def one_round(fields: Object) -> None:
        fields["spec"]["budget"]["votes"] = 36

    job = point_job("points", cluster.namespace, cluster.s3, cluster.bucket, one_round, *changes)
    cluster.server.apply(jobs_path(cluster.namespace, "points"), job, manager="kubectl")


def _wait(cluster: Cluster, reached: Callable[[Object], bool]) -> Object:
    return wait_for(cluster.server, cluster.namespace, "points", reached, seconds=200)


def _set(cluster: Cluster, **run: Any) -> None:
    path = jobs_path(cluster.namespace, "points")
    body = {"spec": {"run": run}}
    cluster.server.request("PATCH", path, body=body, content_type="application/merge-patch+json")


def _until(holds: Callable[[], bool], *, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.1)


def _labels(cluster: Cluster) -> dict[str, tuple[str, str]]:
    """Return label and state of each item of the export."""
    out = cluster.s3.buckets / cluster.bucket / "out" / cluster.namespace / "points"
    with (out / "export" / "labels.csv").open(newline="", encoding="utf-8") as file:
        return {row["item"]: (row["label"], row["state"]) for row in csv.DictReader(file)}


def _decided_by_people(labels: dict[str, tuple[str, str]]) -> dict[str, str]:
    return {item: label for item, (label, state) in labels.items() if state == "human"}


def test_a_suspended_job_frees_its_pods_and_goes_on_where_it_stood(cluster: Cluster) -> None:
    _apply(cluster)
    _wait(cluster, is_true("DatasetReady"))
    _set(cluster, suspend=True)

    suspended = _wait(cluster, is_true("Suspended"))
    _until(lambda: not cluster.node.running())
    deployment = cluster.server.get(f"/apis/apps/v1/namespaces/{cluster.namespace}/deployments/points")
    assert deployment["spec"]["replicas"] == 0
    assert suspended["status"]["stage"] == "Suspended"

    _set(cluster, suspend=False)
    done = _wait(cluster, is_true("Complete"))
    assert condition(done, "Suspended")["reason"] == "Resumed"
    assert done["status"]["prepare"] == suspended["status"]["prepare"]
    assert done["status"]["cost"]["votes"] == 36


def test_a_job_deleted_and_applied_again_buys_no_vote_twice(cluster: Cluster) -> None:
    _apply(cluster)
    first = _wait(cluster, is_true("Complete"))
    labels = _labels(cluster)
    cluster.server.delete(jobs_path(cluster.namespace, "points"))
    _apply(cluster)

    second = _wait(cluster, is_true("Complete"))

    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    assert second["status"]["progress"]["votes"] == first["status"]["progress"]["votes"] == 36
    assert second["status"]["prepare"]["finishedRounds"] >= 1
    # The model is trained anew on the same votes, so what it alone says may differ.
    assert _decided_by_people(_labels(cluster)) == _decided_by_people(labels) != {}


def test_a_finished_job_is_deleted_when_its_time_is_over_and_its_results_stay(cluster: Cluster) -> None:
    def expire(fields: Object) -> None:
        fields["spec"]["run"]["ttlSecondsAfterFinished"] = 1

    _apply(cluster, expire)

    def is_gone() -> bool:
        try:
            cluster.server.get(jobs_path(cluster.namespace, "points"))
        except ApiError as error:
            return error.code == 404
        return False

    _until(is_gone, seconds=200)
    assert len(_labels(cluster)) == 150


def test_a_service_that_dies_in_a_stage_comes_back_and_the_job_goes_on(cluster: Cluster) -> None:
    _apply(cluster)
    _wait(cluster, is_true("DatasetReady"))
    cluster.node.kill("points")

    done = _wait(cluster, is_true("Complete"))

    assert cluster.node.started == ["points", "points"]
    assert done["status"]["cost"]["votes"] == 36


def test_an_object_of_somebody_else_that_bears_a_childs_name_is_left_alone_and_named(cluster: Cluster) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "points", "namespace": cluster.namespace},
        "spec": {"selector": {"app": "web"}, "ports": [{"name": "grpc", "port": 80}]},
    }
    path = f"/api/v1/namespaces/{cluster.namespace}/services"
    cluster.server.create(path, service)
    _apply(cluster)

    blocked = _wait(cluster, lambda job: condition(job, "Progressing").get("reason") == "NameTaken")

    assert "Service points" in condition(blocked, "Progressing")["message"]
    assert cluster.server.get(f"{path}/points")["spec"]["selector"] == {"app": "web"}
    cluster.server.delete(f"{path}/points")
    _wait(cluster, is_true("DatasetReady"))


def test_a_missing_secret_is_named_and_the_job_goes_on_when_it_is_there(cluster: Cluster) -> None:
    path = f"/api/v1/namespaces/{cluster.namespace}/secrets"
    cluster.server.delete(f"{path}/{SECRET}")
    _apply(cluster)

    stuck = _wait(cluster, lambda job: condition(job, "Progressing").get("reason") == "MissingSecret")

    assert f"there is no Secret {SECRET}: create it" in condition(stuck, "Progressing")["message"]
    make_storage_secret(cluster.server, cluster.namespace)
    ready = _wait(cluster, is_true("DatasetReady"))
    assert condition(ready, "Progressing")["status"] == "True"
