"""Alerts fire when they should; alerts and dashboard use metrics that the operator has."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from chart_values import VALUES
from helm import NAMESPACE, ROOT, Chart, Manifest, Objects
from operator_metrics import exported_metrics
from real_parts import find_tool

from labelplane_operator import errors

ALERT_TESTS = Path(__file__).parent / "alerts.test.yaml"
OF_THE_TARGET = {"namespace", "job", "pod"}  # Prometheus adds these to every series of the operator
METRICS = exported_metrics()


@pytest.fixture(scope="session")
def monitored(chart: Chart) -> Objects:
    return chart.render(VALUES["monitoring"])


@pytest.fixture(scope="session")
def alerts(monitored: Objects) -> list[Manifest]:
    groups = monitored.only("PrometheusRule")["spec"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture(scope="session")
def dashboard(monitored: Objects) -> dict[str, Any]:
    data = monitored.only("ConfigMap", ending="dashboard")["data"]
    made: dict[str, Any] = json.loads(data["labelplane.json"])
    return made


@pytest.fixture(scope="session")
def rules(monitored: Objects, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rendered rules as a file of Prometheus."""
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": monitored.only("PrometheusRule")["spec"]["groups"]}))
    return path


def promtool(*arguments: str) -> None:
    done = subprocess.run([find_tool("promtool"), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_nothing_wrong_with_the_rules(rules: Path) -> None:
    promtool("check", "rules", "--lint-fatal", str(rules))


def test_alerts_fire_when_they_should(rules: Path) -> None:
    tests = rules.parent / ALERT_TESTS.name
    shutil.copy(ALERT_TESTS, tests)

    promtool("test", "rules", str(tests))


def test_every_alert_is_tested_both_ways(alerts: list[Manifest]) -> None:
    cases = [case for test in yaml.safe_load(ALERT_TESTS.read_text())["tests"] for case in test["alert_rule_test"]]
    firing = {case["alertname"] for case in cases if case.get("exp_alerts")}
    silent = {case["alertname"] for case in cases if not case.get("exp_alerts")}

    assert {each["alert"] for each in alerts} == firing == silent


def test_every_alert_says_what_is_wrong_and_has_its_row_in_the_docs(alerts: list[Manifest]) -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    documented = set(re.findall(r"^\| `(Labelplane\w+)` ", page, re.MULTILINE))

    assert documented == {each["alert"] for each in alerts}
    for each in alerts:
        assert set(each["annotations"]) == {"summary", "description"}
        assert each["labels"]["severity"] in {"info", "warning", "critical"}


def test_alerts_can_be_left_out_and_the_wait_for_people_be_set(chart: Chart) -> None:
    groups = chart.render(VALUES["everything said"]).only("PrometheusRule")["spec"]["groups"]
    left = {rule["alert"]: rule for group in groups for rule in group["rules"]}

    assert "LabelplaneJobFailed" not in left
    assert left["LabelplaneJobWaitsForPeople"]["for"] == "2d"


def test_a_group_of_which_all_alerts_are_left_out_goes(chart: Chart, alerts: list[Manifest]) -> None:
    names = [each["alert"] for each in alerts if each["alert"].startswith("LabelplaneJob")]
    values = {"metrics": {"prometheusRule": {"enabled": True, "disabled": names}}}

    groups = chart.render(values).only("PrometheusRule")["spec"]["groups"]
    assert [each["name"] for each in groups] == ["labelplane-operator"]


# --- Names ---


def unknown_names(expression: str) -> Iterator[str]:
    """Yield each metric that the operator has not, and each label that the metrics of the expression have not."""
    metrics = set(re.findall(r"\blabelplane_\w+", expression))
    yield from sorted(metrics - set(METRICS))
    known = OF_THE_TARGET.union(*(METRICS.get(each, ()) for each in metrics))
    selectors = re.findall(r"[{,]\s*(\w+)\s*[=!]", expression)
    groupings = [name for group in re.findall(r"\bby \(([^)]*)\)", expression) for name in re.split(r",\s*", group)]
    yield from sorted({*selectors, *groupings} - known)


@pytest.mark.parametrize(
    ("expression", "want"),
    [
        pytest.param('sum by (reason) (labelplane_operator_queue_length{pod="a"})', ["reason"], id="a label it lacks"),
        pytest.param("labelplane_operator_queue_size > 0", ["labelplane_operator_queue_size"], id="no such metric"),
        pytest.param('labelplane_job_condition{typ="Failed", status="True"}', ["typ"], id="a label misspelt"),
    ],
)
def test_a_wrong_name_would_be_found(expression: str, want: list[str]) -> None:
    assert list(unknown_names(expression)) == want


def test_alerts_use_what_the_operator_exports(alerts: list[Manifest]) -> None:
    assert {each["alert"]: found for each in alerts if (found := list(unknown_names(each["expr"])))} == {}


def test_panels_use_what_the_operator_exports(dashboard: dict[str, Any]) -> None:
    expressions = {panel["title"]: target["expr"] for panel in dashboard["panels"] for target in panel["targets"]} | {
        each["name"]: each["query"] for each in dashboard["templating"]["list"] if each["type"] == "query"
    }

    assert {name: found for name, each in expressions.items() if (found := list(unknown_names(each)))} == {}


def test_every_metric_is_on_the_dashboard(dashboard: dict[str, Any]) -> None:
    shown = set(re.findall(r"\blabelplane_\w+", json.dumps(dashboard["panels"])))
    histogram = "labelplane_operator_reconcile_seconds"

    assert set(METRICS) - shown == {f"{histogram}_sum", f"{histogram}_count"}


def test_the_page_lists_every_metric_with_its_labels() -> None:
    page = (ROOT / "docs" / "monitoring.md").read_text()
    rows = re.findall(r"^\| `(labelplane_\w+)` \| ([\w, ]*)\|", page, re.MULTILINE)
    listed = {name: frozenset(re.findall(r"\w+", labels)) for name, labels in rows}

    parts = re.compile(r"(_seconds)_(bucket|count|sum)$")
    assert listed == {parts.sub(r"\1", name): labels - {"le"} for name, labels in METRICS.items()}


def test_errors_that_no_alert_is_about_are_errors_of_the_operator(alerts: list[Manifest]) -> None:
    (expression,) = (each["expr"] for each in alerts if each["alert"] == "LabelplaneReconcileErrors")
    (left_out,) = re.findall(r'reason!~"([^"]+)"', expression)

    assert all(issubclass(getattr(errors, name), errors.OperatorError) for name in left_out.split("|"))


def test_panels_have_ids_of_their_own_and_do_not_overlap(dashboard: dict[str, Any]) -> None:
    cells = [
        (x, y)
        for panel in dashboard["panels"]
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_prometheus_reads_the_metrics_port_and_keeps_the_jobs_own_labels(monitored: Objects) -> None:
    monitor, service = monitored.only("ServiceMonitor"), monitored.only("Service")
    (endpoint,) = monitor["spec"]["endpoints"]

    assert endpoint["honorLabels"] is True
    assert endpoint["port"] in {each["name"] for each in service["spec"]["ports"]}
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": [NAMESPACE]}


def test_the_dashboard_carries_the_label_that_sidecars_look_for(monitored: Objects) -> None:
    assert monitored.only("ConfigMap", ending="dashboard")["metadata"]["labels"]["grafana_dashboard"] == "1"
