"""A LabelingJob from `kubectl apply` to Complete: real API server, object storage, services and people's connector."""

from typing import Any

import pytest
from api_server import ApiError
from points_on_cluster import Cluster, condition, is_false, is_true, jobs_path, point_job, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

MOST_CALLS_A_JOB = 20
"""Requests to the API server to make a job's objects and take them away, with their events."""
MOST_CALLS_A_STAGE = 5
"""Requests for a stage of a round, events and progress included; watches and the Lease are not."""


def _children(cluster: Cluster) -> list[str]:
    paths = (
        "/apis/apps/v1/namespaces/{}/deployments",
        "/api/v1/namespaces/{}/services",
        "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
        "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    )
    found = [cluster.server.get(path.format(cluster.namespace))["items"] for path in paths]
    return [each["metadata"]["name"] for items in found for each in items]


def _stages(job: dict[str, Any]) -> int:
    return 2 + sum(len(each["stages"]) for each in job["status"]["rounds"])


def test_a_job_that_is_applied_runs_to_the_end_and_frees_what_it_held(cluster: Cluster) -> None:
    job = point_job("points", cluster.namespace, cluster.s3, cluster.bucket)
    cluster.server.apply(jobs_path(cluster.namespace, "points"), job, manager="kubectl")

    done = wait_for(cluster.server, cluster.namespace, "points", is_true("Complete"), seconds=300)

    status = done["status"]
    assert condition(done, "Complete")["reason"] == "BudgetSpent"
    assert condition(done, "Failed") == {}
    assert status["observedGeneration"] == done["metadata"]["generation"]
    assert status["progress"]["votes"] == 72
    assert status["profile"] == "Small"
    assert status["stage"] == "Complete"
    assert status["cost"]["votes"] == 72
    assert status["cost"]["cpuSeconds"] > 0
    out = cluster.s3.buckets / cluster.bucket / "out" / cluster.namespace / "points"
    assert (out / status["artifacts"]["report"]).read_text().startswith("<!DOCTYPE html>")
    assert len((out / status["artifacts"]["export_csv"]).read_text().splitlines()) == 151
    assert _children(cluster) == []
    calls = cluster.operator.metric("labelplane_operator_api_requests_total")
    lease = cluster.operator.metric("labelplane_operator_api_requests_total", kind="leases")
    assert calls - lease <= MOST_CALLS_A_JOB + MOST_CALLS_A_STAGE * _stages(done)


def test_a_privileged_pod_is_refused_by_name_and_the_job_runs_once_the_override_is_gone(cluster: Cluster) -> None:
    def want_privileges(fields: dict[str, Any]) -> None:
        fields["spec"]["podOverrides"] = {"small": {"privileged": True}}

    path = jobs_path(cluster.namespace, "points")
    wrong = point_job("points", cluster.namespace, cluster.s3, cluster.bucket, want_privileges)
    cluster.server.apply(path, wrong, manager="kubectl")

    refused = wait_for(cluster.server, cluster.namespace, "points", is_false("Accepted"), seconds=60)

    assert condition(refused, "Accepted")["reason"] == "SpecInvalid"
    assert "spec.podOverrides.small.privileged" in condition(refused, "Accepted")["message"]
    assert _children(cluster) == []
    right = point_job("points", cluster.namespace, cluster.s3, cluster.bucket)
    cluster.server.apply(path, right, manager="kubectl")
    wait_for(cluster.server, cluster.namespace, "points", is_true("DatasetReady"), seconds=120)

    cluster.server.apply(path, wrong, manager="kubectl")
    wait_for(cluster.server, cluster.namespace, "points", is_false("Accepted"), seconds=60)
    wait_for(cluster.server, cluster.namespace, "points", lambda _: _children(cluster) == [], seconds=60)


def test_a_deployment_that_somebody_edits_or_deletes_is_put_right(cluster: Cluster) -> None:
    def ask_people(fields: dict[str, Any]) -> None:
        fields["spec"]["sources"]["humans"] = {"votesPerItem": 1, "files": {"uri": f"s3://{cluster.bucket}/people"}}
        del fields["spec"]["dataset"]["truthField"]

    job = point_job("points", cluster.namespace, cluster.s3, cluster.bucket, ask_people)
    cluster.server.apply(jobs_path(cluster.namespace, "points"), job, manager="kubectl")
    wait_for(cluster.server, cluster.namespace, "points", is_true("WaitingForAnnotations"), seconds=120)
    path = f"/apis/apps/v1/namespaces/{cluster.namespace}/deployments/points"
    before = cluster.server.get(path)
    service = f"/api/v1/namespaces/{cluster.namespace}/services/points"
    uid = cluster.server.get(service)["metadata"]["uid"]

    patch = {"spec": {"template": {"spec": {"automountServiceAccountToken": True}}}}
    cluster.server.request("PATCH", path, body=patch, content_type="application/merge-patch+json")
    cluster.server.delete(service)

    def is_mended(_: dict[str, Any]) -> bool:
        try:
            is_new = cluster.server.get(service)["metadata"]["uid"] != uid
        except ApiError:
            return False
        spec = cluster.server.get(path)["spec"]["template"]["spec"]
        return is_new and spec["automountServiceAccountToken"] is False

    wait_for(cluster.server, cluster.namespace, "points", is_mended, seconds=60)
    after = cluster.server.get(path)
    assert after["spec"]["replicas"] == before["spec"]["replicas"] == 1
    assert after["spec"]["template"] == before["spec"]["template"]
