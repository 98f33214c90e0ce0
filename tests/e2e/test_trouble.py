"""Whatever dies while a job runs, the job ends with every label, and no vote is bought twice."""

import pytest
from jobs_by_kubectl import Jobs, until
from kubectl_and_helm import User
from one_node import OneNode
from points_on_cluster import SECRET

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

SYSTEM = "labelplane-system"


def _kill(user: User, namespace: str, selector: str) -> None:
    user.kubectl("delete", "pods", "-n", namespace, "-l", selector, "--force", "--grace-period=0")


def _assert_whole(jobs: Jobs, name: str) -> None:
    assert len(jobs.labels(name)) == 150
    assert jobs.get(name)["status"]["cost"]["votes"] == 72


def test_a_job_survives_the_death_of_its_pod_and_of_the_operator(jobs: Jobs) -> None:
    jobs.apply("points")
    jobs.wait("points", "DatasetReady")

    _kill(jobs.user, jobs.namespace, "labelplane.io/job=points")
    _kill(jobs.user, SYSTEM, "app.kubernetes.io/name=labelplane")

    jobs.wait("points", "Complete")
    _assert_whole(jobs, "points")


def test_a_job_survives_the_eviction_of_its_pod(jobs: Jobs, node: OneNode) -> None:
    jobs.apply("points")
    jobs.wait("points", "DatasetReady")

    (pod,) = jobs.pods(**{"labelplane.io/job": "points"})
    about = {"name": pod, "namespace": jobs.namespace}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": about}
    node.server.create(f"/api/v1/namespaces/{jobs.namespace}/pods/{pod}/eviction", eviction)

    jobs.wait("points", "Complete")
    _assert_whole(jobs, "points")


def test_a_suspended_job_frees_its_pods_and_goes_on(jobs: Jobs) -> None:
    jobs.apply("points")
    jobs.wait("points", "DatasetReady")

    jobs.user.kubectl("labelplane", "suspend", "points", "-n", jobs.namespace)
    jobs.wait("points", "Suspended", seconds=120)
    until(lambda: not jobs.pods())
    jobs.user.kubectl("labelplane", "resume", "points", "-n", jobs.namespace)

    jobs.wait("points", "Complete")
    _assert_whole(jobs, "points")


def test_a_job_goes_on_when_its_secret_is_repaired(jobs: Jobs) -> None:
    secret = jobs.user.get("secret", SECRET, "-n", jobs.namespace)
    jobs.user.kubectl("delete", "secret", SECRET, "-n", jobs.namespace)
    jobs.apply("points")
    until(lambda: jobs.reason("points", "Progressing") == "MissingSecret")

    jobs.user.apply({key: secret[key] for key in ("apiVersion", "kind", "data")} | {"metadata": _named(jobs)})

    jobs.wait("points", "Complete")
    _assert_whole(jobs, "points")


def _named(jobs: Jobs) -> dict[str, str]:
    return {"name": SECRET, "namespace": jobs.namespace}
