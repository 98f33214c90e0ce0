"""Which values the chart takes, and how it refuses the others."""

from typing import Any

import pytest
from chart_values import VALUES
from helm import Chart, HelmError


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES.keys())
def test_the_linter_has_nothing_to_say(chart: Chart, values: dict[str, Any]) -> None:
    chart.lint(values)


@pytest.mark.parametrize(
    ("values", "want"),
    [
        pytest.param({"replica": 3}, "'replica' not allowed", id="a key that does not exist"),
        pytest.param({"images": {"pullPolice": "Always"}}, "'pullPolice' not allowed", id="such a key in a group"),
        pytest.param(
            {"images": {"small": {"repository": "x", "version": "1"}}}, "'version' not allowed", id="and in an image"
        ),
        pytest.param({"replicas": "2"}, "at '/replicas': got string, want integer", id="a number as text"),
        pytest.param({"replicas": 0}, "at '/replicas': minimum: got 0, want 1", id="no pod at all"),
        pytest.param({"crds": {"keep": "yes"}}, "at '/crds/keep': got string, want boolean", id="a switch as text"),
        pytest.param(
            {"watchNamespaces": "a,b"}, "at '/watchNamespaces': got string, want array", id="namespaces in one text"
        ),
        pytest.param(
            {"watchNamespaces": ["*"]}, "at '/watchNamespaces/0': '*' does not match pattern", id="a star for all"
        ),
        pytest.param(
            {"watchNamespaces": ["Team_A"]}, "'Team_A' does not match pattern", id="a name that no namespace has"
        ),
        pytest.param({"watchNamespaces": [""]}, "'' does not match pattern", id="an empty name"),
        pytest.param({"watchNamespaces": ["a", "a"]}, "at '/watchNamespaces': items at 0 and 1 are equal", id="twice"),
        pytest.param({"installation": {"id": "a b"}}, "at '/installation/id'", id="an installation with a space"),
        pytest.param(
            {"logLevel": "info"}, "value must be one of 'DEBUG', 'INFO', 'WARNING', 'ERROR'", id="a level that is none"
        ),
        pytest.param(
            {"images": {"operator": {"repository": "x", "digest": "sha256:12"}}},
            "at '/images/operator/digest'",
            id="half a digest",
        ),
        pytest.param({"fullnameOverride": "North"}, "at '/fullnameOverride'", id="a name in capitals"),
        pytest.param({"images": {"tag": "a:b"}}, "at '/images/tag'", id="a tag with a colon"),
        pytest.param(
            {"jobs": {"trustedPackages": ["a.b"]}}, "does not match pattern", id="a module as a trusted package"
        ),
        pytest.param({"images": {"pullSecrets": [{"name": "x"}]}}, "want string", id="a pull secret as an object"),
        pytest.param(
            {"resources": {"limits": {"memory": "1 GB"}}}, "at '/resources/limits/memory'", id="a quantity that is none"
        ),
        pytest.param({"extraEnv": {"A": "b"}}, "at '/extraEnv': got object, want array", id="variables as a map"),
        pytest.param({"extraEnv": [{"value": "b"}]}, "missing property 'name'", id="a variable without a name"),
        pytest.param({"networkPolicy": {"apiServerPorts": []}}, "minItems", id="no port of the API server"),
        pytest.param(
            {"metrics": {"prometheusRule": {"waitsForPeopleAfter": "a day"}}},
            "at '/metrics/prometheusRule/waitsForPeopleAfter'",
            id="a duration that is none",
        ),
        pytest.param(
            {"leaderElection": {"renewDeadlineSeconds": 15}},
            "leaderElection.renewDeadlineSeconds (15) must be less than leaseDurationSeconds (15)",
            id="a leader that would outlive its lease",
        ),
        pytest.param(
            {"leaderElection": {"retryPeriodSeconds": 9}},
            "leaderElection.renewDeadlineSeconds (10) must be at least 1.2 times retryPeriodSeconds (9)",
            id="room for one try alone",
        ),
        pytest.param(
            {"extraEnv": [{"name": "LABELPLANE_WORKERS", "value": "1"}]},
            "extraEnv names LABELPLANE_WORKERS, which the chart sets",
            id="a variable that the chart sets",
        ),
        pytest.param(
            {"extraEnv": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]},
            "extraEnv names A",
            id="a variable twice",
        ),
        pytest.param(
            {"podLabels": {"app.kubernetes.io/instance": "other"}},
            "podLabels and commonLabels may not hold app.kubernetes.io/instance",
            id="a label that pods are selected by",
        ),
    ],
)
def test_a_wrong_value_is_refused_by_name(chart: Chart, values: dict[str, Any], want: str) -> None:
    with pytest.raises(HelmError) as refused:
        chart.render(values)

    assert want in str(refused.value)


def test_a_chart_around_it_may_set_helms_own_global_values(chart: Chart) -> None:
    assert chart.render({"global": {"anything": 1}}).manifests
