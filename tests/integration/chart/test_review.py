"""The review front of the chart: what it is told, who reaches it, and that its rights are the least that it needs."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from api_server import ApiServer
from chart_cluster import ELSEWHERE, WATCHED, await_resources
from chart_values import VALUES
from cluster_jobs import PLATFORM, ClusterJob, in_bucket
from cluster_objects import ClusterObjects, as_service_account
from front_rights import FORBIDDEN, NEEDED
from helm import NAMESPACE, RELEASE, Chart, HelmError, Objects, Release
from operator_rights import Right, await_right, may, rights

from labelplane_core.settings import PREFIX
from labelplane_review.cluster.settings import FrontSettings

FULL = VALUES["the review page"]
HOME = "chart-review"
ACCOUNT = "labelplane-review"
LEFT_TO_THE_CODE = {"service_address", "listen", "api_server", "api_token_file", "api_ca_file"}


@pytest.fixture(scope="session")
def shown(chart: Chart) -> Objects:
    return chart.render(FULL)


def front(objects: Objects) -> dict[str, Any]:
    """The Deployment's pod template."""
    template: dict[str, Any] = objects.only("Deployment", ending="-review")["spec"]["template"]
    return template


def environment(objects: Objects) -> dict[str, str]:
    (container,) = front(objects)["spec"]["containers"]
    return {each["name"]: each["value"] for each in container["env"]}


# --- What it is ---


def test_without_the_value_there_is_no_front_and_the_operator_knows_of_none(chart: Chart) -> None:
    objects = chart.render()

    assert [each["metadata"]["name"] for each in objects.manifests if each["metadata"]["name"] == ACCOUNT] == []
    assert objects.environment["LABELPLANE_REVIEW_ADDRESS"] == ""


@pytest.mark.parametrize(
    ("review", "want"),
    [
        pytest.param({}, f"http://{ACCOUNT}.{NAMESPACE}.svc:8080", id="its Service"),
        pytest.param({"externalUrl": "https://labels.example.com"}, "https://labels.example.com", id="as it is said"),
    ],
)
def test_the_operator_tells_waiting_jobs_where_people_go(chart: Chart, review: dict[str, str], want: str) -> None:
    assert chart.render({"review": {"enabled": True, **review}}).environment["LABELPLANE_REVIEW_ADDRESS"] == want


def test_the_front_reads_what_the_chart_tells_it(shown: Objects) -> None:
    settings = FrontSettings.from_environment(environment(shown))

    assert (settings.user_header, settings.groups_header) == ("X-Auth-Request-Email", "X-Auth-Request-Groups")
    assert settings.proxy_networks[0].with_prefixlen == "10.1.0.0/16"
    told = {name.removeprefix(PREFIX).lower() for name in environment(shown)}
    assert told == set(FrontSettings.model_fields) - LEFT_TO_THE_CODE


def test_key_and_secret_are_mounted_where_the_front_looks(shown: Objects) -> None:
    pod = front(shown)["spec"]
    volumes = {each["name"]: each for each in pod["volumes"]}
    mounts = {each["name"]: each["mountPath"] for each in pod["containers"][0]["volumeMounts"]}

    assert volumes["installation"]["secret"]["secretName"] == shown.only("Secret")["metadata"]["name"]
    assert volumes["proxy"]["secret"]["secretName"] == "proxy"
    assert environment(shown)["LABELPLANE_INSTALLATION_KEY_FILE"] == f"{mounts['installation']}/key"
    assert environment(shown)["LABELPLANE_PROXY_SECRET_FILE"] == f"{mounts['proxy']}/secret"


@pytest.mark.parametrize(
    ("review", "words"),
    [
        pytest.param({"proxy": {"userHeader": "X-User"}}, "anybody could write the header", id="a header of anybody"),
        pytest.param({"ingress": {"enabled": True}}, "need review.externalUrl", id="an Ingress for no host"),
        pytest.param({"externalUrl": "labels.example.com"}, "externalUrl", id="an address without its scheme"),
    ],
)
def test_values_that_cannot_be_are_refused_by_name(chart: Chart, review: dict[str, Any], words: str) -> None:
    with pytest.raises(HelmError, match=words):
        chart.render({"review": {"enabled": True, **review}})


# --- Network ---


def test_pods_of_jobs_let_in_the_front_and_the_front_may_call_them(shown: Objects) -> None:
    children = ClusterJob(in_bucket()).children()
    (policy,) = (each.manifest["spec"] for each in children if each.manifest["kind"] == "NetworkPolicy")
    caller = policy["ingress"][0]["from"][0]["podSelector"]
    (components,) = caller["matchExpressions"]
    labels = front(shown)["metadata"]["labels"]

    assert caller["matchLabels"].items() <= labels.items()
    assert labels[components["key"]] in components["values"]
    egress = shown.only("NetworkPolicy", ending="-review")["spec"]["egress"]
    assert [[each["port"] for each in rule["ports"]] for rule in egress] == [
        [53, 53],
        [443, 6443, 8443, 16443],
        [PLATFORM.service_port],
    ]


def test_only_whom_the_values_name_reach_the_front(shown: Objects) -> None:
    (rule,) = shown.only("NetworkPolicy", ending="-review")["spec"]["ingress"]

    assert rule == {"ports": [{"port": "http"}], "from": FULL["review"]["allowFrom"]}


def test_an_ingress_and_a_route_serve_the_host_of_the_address(chart: Chart, shown: Objects) -> None:
    ingress = shown.only("Ingress")["spec"]
    route = chart.render(
        {
            "review": {
                "enabled": True,
                "externalUrl": "https://labels.example.com/",
                "httpRoute": {"enabled": True, "parentRefs": [{"name": "public", "namespace": "gateways"}]},
            }
        }
    ).only("HTTPRoute")["spec"]

    assert [each["host"] for each in ingress["rules"]] == route["hostnames"] == ["labels.example.com"]
    assert ingress["tls"] == [{"hosts": ["labels.example.com"], "secretName": "labels-tls"}]
    service = shown.only("Service", ending="-review")
    assert route["rules"][0]["backendRefs"] == [
        {"name": service["metadata"]["name"], "port": service["spec"]["ports"][0]["port"]}
    ]


# --- Rights ---


@pytest.fixture(scope="session", params=["everywhere", "named"])
def account(
    request: pytest.FixtureRequest, chart: Chart, objects: ClusterObjects, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ApiServer, tuple[str, ...]]]:
    """A client with the rights of the front's ServiceAccount, and the namespaces in which it sees jobs."""
    server, namespace = objects.server, f"{HOME}-{request.param}"
    watched = WATCHED if request.param == "named" else ()
    server.make_namespace(namespace)
    release = Release(chart, server.kubeconfig(), RELEASE, namespace)
    release.install({"review": {"enabled": True}, "watchNamespaces": list(watched)})
    await_resources(server, "/apis/labelplane.io/v1alpha1", count=2)
    client = as_service_account(server, namespace, ACCOUNT, tmp_path_factory.mktemp("review"))
    for right in NEEDED:
        await_right(client, right, watched[0] if watched else ELSEWHERE)
    try:
        yield client, watched
    finally:
        client.close()
        release.uninstall()


def test_the_front_may_what_it_does_and_nothing_else(account: tuple[ApiServer, tuple[str, ...]]) -> None:
    client, watched = account
    for namespace in watched or (ELSEWHERE, WATCHED[0]):
        assert [str(each) for each in NEEDED if not may(client, each, namespace)] == []
    for namespace in (*WATCHED, ELSEWHERE, ""):
        assert [str(each) for each in FORBIDDEN if may(client, each, namespace)] == []
    if watched:
        assert not may(client, NEEDED[0], ELSEWHERE)


def test_the_rules_hold_no_right_that_the_table_lacks(account: tuple[ApiServer, tuple[str, ...]]) -> None:
    client, _ = account
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": WATCHED[0]},
    }
    answer = client.create("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body)["status"]

    granted = {
        Right(verb, group, *resource.split("/"))
        for rule in answer["resourceRules"]
        for verb, group, resource in itertools.product(rule["verbs"], rule["apiGroups"], rule["resources"])
        if not resource.startswith("self")  # everybody may ask who they are
    }
    assert granted == set(NEEDED)


# --- People ---

SEEING = rights("labelplane.io", "labelingjobs", "get", "list", "watch")
LABELLING = rights("labelplane.io", "labelingjobs", "create", subresource="votes")
DECIDING = rights("labelplane.io", "labelingjobs", "create", subresource="decisions")
BRINGING = rights("labelplane.io", "labelingjobs", "create", subresource="imports")
WRITING = rights("labelplane.io", "labelingjobs", "create", "update", "patch", "delete")


@pytest.mark.parametrize(
    ("role", "allowed", "refused"),
    [
        pytest.param("view", SEEING, (*LABELLING, *DECIDING, *BRINGING), id="a viewer sees"),
        pytest.param("annotator", (*SEEING, *LABELLING), (*DECIDING, *BRINGING, *WRITING), id="an annotator labels"),
        pytest.param("adjudicator", (*SEEING, *LABELLING, *DECIDING), (*BRINGING, *WRITING), id="a judge decides"),
        pytest.param("edit", (*LABELLING, *DECIDING, *BRINGING, *WRITING), (), id="an editor may let others"),
    ],
)
def test_people_may_what_their_role_says(
    chart: Chart, objects: ClusterObjects, role: str, allowed: tuple[Right, ...], refused: tuple[Right, ...]
) -> None:
    name, person, group = f"{NAMESPACE}:labelplane-{role}", f"reviewing-{role}", "rbac.authorization.k8s.io"
    (manifest,) = (each for each in chart.render().of("ClusterRole") if each["metadata"]["name"] == name)
    objects.apply(manifest)
    objects.apply(
        yaml.safe_load(f"""
            apiVersion: {group}/v1
            kind: RoleBinding
            metadata: {{name: {person}, namespace: {ELSEWHERE}}}
            roleRef: {{apiGroup: {group}, kind: ClusterRole, name: "{name}"}}
            subjects: [{{kind: User, name: {person}, apiGroup: {group}}}]
        """)
    )
    await_right(objects.server, allowed[-1], ELSEWHERE, user=person)

    assert [str(each) for each in allowed if not may(objects.server, each, ELSEWHERE, user=person)] == []
    assert [str(each) for each in refused if may(objects.server, each, ELSEWHERE, user=person)] == []
