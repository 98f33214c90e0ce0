"""The chart and the operator's code agree: settings, labels, ports, and rights by which the operator really runs."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from api_server import ApiError, ApiServer
from chart_cluster import ELSEWHERE, WATCHED, Installed
from chart_values import VALUES
from cluster_jobs import in_bucket, with_rules
from cluster_objects import ClusterObjects
from helm import NAMESPACE, Chart
from operator_process import OperatorProcess, operator_process
from points_on_cluster import condition, is_true, jobs_path, wait_for

from labelplane_api.parts import Part
from labelplane_operator.builders import Images, Platform, build_children
from labelplane_operator.settings import PREFIX, OperatorSettings

LEFT_TO_THE_CODE = {"service_address"}  # the names of Services in a cluster are no choice of an installation
PLATFORM = Platform(images=Images("s", "a", "c", "d", "r"), installation="x", namespace=NAMESPACE)
_MENDED_SECONDS = 60.0


# --- Settings ---


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES.keys())
def test_the_operator_reads_what_the_chart_tells_it(chart: Chart, values: dict[str, Any]) -> None:
    environment = chart.render(values).environment
    told = {name: value if isinstance(value, str) else "of the pod" for name, value in environment.items()}

    settings = OperatorSettings.from_environment(told)

    assert settings.namespaces == tuple(values.get("watchNamespaces", ()))


def test_the_chart_tells_every_setting_and_nothing_that_is_none(chart: Chart) -> None:
    told = {name.removeprefix(PREFIX).lower() for name in chart.render().environment}

    assert told == set(OperatorSettings.model_fields) - LEFT_TO_THE_CODE


def test_defaults_that_the_values_repeat_are_those_of_the_code(chart: Chart) -> None:
    fields = OperatorSettings.model_fields
    environment = chart.render().environment
    repeated = {name: fields[name].default for name in fields if not fields[name].is_required()}

    told = {name: environment[PREFIX + name.upper()] for name in repeated.keys() - LEFT_TO_THE_CODE}
    assert told == {name: f"{repeated[name]:g}" if _is_number(repeated[name]) else repeated[name] for name in told}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


# --- Labels and ports ---


def test_pods_of_a_job_let_in_the_operators_pods(chart: Chart) -> None:
    children = build_children(in_bucket().build(), frozenset(Part), PLATFORM, token="t")
    (policy,) = (each.manifest["spec"] for each in children if each.manifest["kind"] == "NetworkPolicy")
    caller = policy["ingress"][0]["from"][0]
    (names,) = (each for each in caller["podSelector"]["matchExpressions"] if each["operator"] == "In")

    labels = chart.render().only("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert caller["podSelector"]["matchLabels"].items() <= labels.items()
    assert labels[names["key"]] in names["values"]
    assert caller["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": NAMESPACE}


def test_the_operator_may_call_the_pods_of_jobs(chart: Chart) -> None:
    children = build_children(in_bucket().build(), frozenset(Part), PLATFORM, token="t")
    (deployment,) = (each.manifest for each in children if each.manifest["kind"] == "Deployment")
    rule = chart.render().only("NetworkPolicy")["spec"]["egress"][2]

    (wanted,) = rule["to"][0]["podSelector"]["matchExpressions"]
    assert wanted["operator"] == "Exists"
    assert wanted["key"] in deployment["spec"]["template"]["metadata"]["labels"]
    assert [each["port"] for each in rule["ports"]] == [PLATFORM.service_port]


# --- Rights ---


def _run(server: ApiServer, release: Installed, folder: Path) -> Any:
    """Start the operator with the rights of the release's ServiceAccount alone."""
    return operator_process(
        server,
        folder / "operator",
        kubeconfig=release.operator.kubeconfig(),
        pod_namespace=release.namespace,
        lease_name="labelplane-operator",
        watch_namespaces=",".join(release.watched),
    )


def _await(holds: Callable[[], bool], operator: OperatorProcess) -> None:
    deadline = time.monotonic() + _MENDED_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise AssertionError(operator.log.read_text()[-3000:])
        time.sleep(0.1)


def _complete(server: ApiServer, path: str) -> None:
    """Write into a job's status that it has come to its end."""
    job = server.get(path)
    complete = {"type": "Complete", "status": "True", "reason": "BudgetSpent", "observedGeneration": 1}
    job["status"]["conditions"].append({**complete, "lastTransitionTime": "2026-01-01T00:00:00Z"})
    server.replace(f"{path}/status", {**job, "status": {**job["status"], "finishedAt": "2026-01-01T00:00:00Z"}})


def _is_there(server: ApiServer, path: str) -> bool:
    try:
        server.get(path)
    except ApiError as error:
        if error.code == 404:
            return False
        raise
    return True


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["wide_release", "named_release"])
def test_the_operator_runs_on_the_rights_of_the_chart(
    objects: ClusterObjects, mode: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server, release = objects.server, request.getfixturevalue(mode)
    namespace, name = WATCHED[0], mode.replace("_", "-")
    job, base = jobs_path(namespace, name), f"namespaces/{namespace}"
    deployment = f"/apis/apps/v1/{base}/deployments/{name}"
    children = [
        deployment,
        f"/api/v1/{base}/services/{name}",
        f"/apis/networking.k8s.io/v1/{base}/networkpolicies/{name}",
    ]
    with _run(server, release, tmp_path) as operator:
        manifest = with_rules().named(name, namespace=namespace).having("metadata.uid", None).as_manifest()
        server.apply(job, manifest, manager="kubectl")
        _await(lambda: all(_is_there(server, each) for each in children), operator)
        _await(lambda: server.get(deployment)["spec"]["replicas"] == 1, operator)
        wait_for(server, namespace, name, lambda job: "MissingConfigMap" in str(job.get("status")), seconds=60)

        server.delete(children[1])
        _await(lambda: _is_there(server, children[1]), operator)

        server.apply(job, {**manifest, "spec": {**manifest["spec"], "run": {"suspend": True}}}, manager="kubectl")
        wait_for(server, namespace, name, is_true("Suspended"), seconds=60)
        _await(lambda: server.get(deployment)["spec"]["replicas"] == 0, operator)

        _complete(server, job)
        _await(lambda: not any(_is_there(server, each) for each in children), operator)
        expired = {**manifest["spec"], "run": {"suspend": True, "ttlSecondsAfterFinished": 0}}
        server.apply(job, {**manifest, "spec": expired}, manager="kubectl")
        _await(lambda: not _is_there(server, job), operator)

        assert operator.metric("labelplane_operator_api_requests_total", code="403") == 0
        assert "orbidden" not in operator.log.read_text()


@pytest.mark.slow
def test_a_namespaced_operator_leaves_jobs_elsewhere_alone(
    objects: ClusterObjects, named_release: Installed, tmp_path: Path
) -> None:
    server = objects.server
    with _run(server, named_release, tmp_path) as operator:
        for namespace in (ELSEWHERE, WATCHED[1]):
            manifest = in_bucket().named("both", namespace=namespace).having("metadata.uid", None).as_manifest()
            server.apply(jobs_path(namespace, "both"), manifest, manager="kubectl")
        wait_for(server, WATCHED[1], "both", is_true("Accepted"), seconds=60)

        assert "status" not in server.get(jobs_path(ELSEWHERE, "both"))
        assert operator.metric("labelplane_job_items", namespace=ELSEWHERE) == 0
    assert condition(server.get(jobs_path(WATCHED[1], "both")), "Accepted")["status"] == "True"
    for namespace in (ELSEWHERE, WATCHED[1]):
        server.delete(jobs_path(namespace, "both"))
