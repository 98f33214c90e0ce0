"""A real API server takes every object of a job, and a restricted namespace takes its pods."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from api_server import ApiError, ApiServer
from cluster_jobs import CASES, ClusterJob, of_kind
from hypothesis import HealthCheck, event, given, settings
from override_strategies import overrides

from labelplane_api import SpecInvalidError
from labelplane_operator.policies.cluster import refusals

_PLURALS: Mapping[str, str] = {
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "Service": "/api/v1/namespaces/{}/services",
    "Pod": "/api/v1/namespaces/{}/pods",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
}
_NAMESPACE = "restricted"

EVERY_CASE = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@pytest.fixture(scope="session")
def restricted(api_server: ApiServer) -> ApiServer:
    """The API server with a namespace for restricted pods, and the classes that the cases name."""
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    metadata = {"name": _NAMESPACE, "labels": labels}
    api_server.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    for number, name in enumerate(("labels", "gpu-first"), start=1):
        priority = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "value": number}
        api_server.create(
            "/apis/scheduling.k8s.io/v1/priorityclasses",
            {**priority, "metadata": {"name": name}, "description": "test"},
        )
    runtime = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": "nvidia"}
    api_server.create("/apis/node.k8s.io/v1/runtimeclasses", {**runtime, "metadata": {"name": "nvidia"}})
    return api_server


def _path(kind: str) -> str:
    return _PLURALS[kind].format(_NAMESPACE)


def _here(case: ClusterJob) -> ClusterJob:
    return replace(case, job=case.job.having("metadata.namespace", _NAMESPACE))


def _pod(deployment: Mapping[str, Any]) -> dict[str, Any]:
    template = deployment["spec"]["template"]
    metadata = {**template["metadata"], "name": deployment["metadata"]["name"], "namespace": _NAMESPACE}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


@pytest.mark.parametrize("is_deleted", [False, True], ids=["while it lives", "while its results are removed"])
@EVERY_CASE
def test_every_object_is_applied_as_it_is_and_again_without_a_change(
    restricted: ApiServer, case: ClusterJob, *, is_deleted: bool
) -> None:
    paths = []
    try:
        for child in _here(case).cleanup() if is_deleted else _here(case).children():
            manifest = dict(child.manifest)
            paths.append(f"{_path(manifest['kind'])}/{manifest['metadata']['name']}")
            applied = restricted.apply(paths[-1], manifest, manager="labelplane", fieldValidation="Strict")
            again = restricted.apply(paths[-1], manifest, manager="labelplane", fieldValidation="Strict")
            assert again["metadata"]["resourceVersion"] == applied["metadata"]["resourceVersion"]
    finally:
        for path in paths:
            # A Job's pods would be left to themselves by default.
            restricted.request("DELETE", path, query={"propagationPolicy": "Background"})


@EVERY_CASE
def test_every_pod_is_admitted_where_pods_are_restricted(restricted: ApiServer, case: ClusterJob) -> None:
    here = _here(case)
    for workload in (*of_kind(here.children(), "Deployment"), *of_kind(here.cleanup(), "Job")):
        made = restricted.create(_path("Pod"), _pod(workload), dryRun="All", fieldValidation="Strict")

        assert made["spec"]["securityContext"]["runAsNonRoot"] is True


def test_the_namespace_refuses_a_pod_that_is_not_restricted(restricted: ApiServer) -> None:
    (deployment,) = of_kind(_here(CASES["small"]).children(), "Deployment")
    pod = _pod(deployment)
    del pod["spec"]["securityContext"]

    with pytest.raises(ApiError, match="violates PodSecurity"):
        restricted.create(_path("Pod"), pod, dryRun="All")


def test_a_job_that_becomes_distributed_keeps_what_both_profiles_have(restricted: ApiServer) -> None:
    small, distributed = _here(CASES["small"]), _here(CASES["distributed-suspended"])
    paths = set()
    try:
        for case in (small, distributed):
            for child in case.children():
                manifest = dict(child.manifest)
                path = f"{_path(manifest['kind'])}/{manifest['metadata']['name']}"
                paths.add(path)
                restricted.apply(path, manifest, manager="labelplane", fieldValidation="Strict")
    finally:
        for path in paths:
            restricted.delete(path)


@settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=300)
@given(drawn=overrides)
def test_overrides_that_are_not_refused_are_taken_by_the_api_server(
    restricted: ApiServer, drawn: dict[str, Any]
) -> None:
    builder = CASES["small"].job.having("metadata.namespace", _NAMESPACE).having("spec.podOverrides", {"small": drawn})
    try:
        builder.build()
    except SpecInvalidError:
        event("no valid job")
        return
    case = ClusterJob(builder)
    refused = refusals(case.build())
    event("refused" if refused else "taken")
    (deployment,) = of_kind(case.children(), "Deployment")

    answer = _told(restricted, deployment)

    if not refused:
        assert answer is None, answer


def test_classes_called_by_pictures_are_told_to_the_crowd(restricted: ApiServer) -> None:
    case = ClusterJob(_here(CASES["small-with-a-crowd"]).job.with_classes("\U0001f600", "\U0001f622"))
    (deployment,) = of_kind(case.children(), "Deployment")

    assert _told(restricted, deployment) is None


def _told(server: ApiServer, deployment: dict[str, Any]) -> str | None:
    """Return what the server says against a Deployment or its pod."""
    path = f"{_path('Deployment')}/{deployment['metadata']['name']}"
    try:
        server.apply(path, deployment, dryRun="All", fieldValidation="Strict")
        server.create(_path("Pod"), _pod(deployment), dryRun="All", fieldValidation="Strict")
    except ApiError as error:
        return str(error)
    return None
