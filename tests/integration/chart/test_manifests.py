"""manifests/: what those apply who do not use Helm."""

import os
import subprocess
from typing import Any

import pytest
from api_server import ApiServer
from chart_values import VALUES
from cluster_objects import ClusterObjects
from helm import ROOT, Chart, read_manifests
from real_parts import find_tool

BASE = ROOT / "manifests" / "base"
KEY = "labelplane-installation"


@pytest.fixture(scope="session")
def built() -> list[dict[str, Any]]:
    """The objects as kustomize builds them."""
    command = [find_tool("kustomize"), "build", os.fspath(BASE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(read_manifests(done.stdout))


def names(manifests: Any) -> set[tuple[str, str]]:
    return {(each["kind"], each["metadata"]["name"].rpartition(":")[2]) for each in manifests}


def test_they_are_the_charts_objects_without_the_key_and_hooks(chart: Chart, built: list[dict[str, Any]]) -> None:
    want = names(chart.render(VALUES["defaults"]).manifests)

    assert names(built) == (want | {("Namespace", "labelplane")}) - {("Secret", KEY), ("Pod", "labelplane-test")}


def test_they_say_nothing_of_helm(built: list[dict[str, Any]]) -> None:
    assert "helm" not in (BASE / "operator.yaml").read_text().lower()


def test_the_operator_waits_for_the_key_that_the_page_tells_to_make(built: list[dict[str, Any]]) -> None:
    (pod,) = (each["spec"]["template"]["spec"] for each in built if each["kind"] == "Deployment")
    page = (ROOT / "docs" / "install.md").read_text()

    assert pod["volumes"][0]["secret"]["secretName"] == KEY
    assert f"kubectl create secret generic {KEY} -n labelplane --from-literal=key=" in page


def test_the_server_takes_them(api_server: ApiServer, built: list[dict[str, Any]]) -> None:
    objects = ClusterObjects(api_server)
    namespace = next(each for each in built if each["kind"] == "Namespace")
    objects.apply(namespace)

    for each in built:
        objects.apply(each, dryRun="All")
