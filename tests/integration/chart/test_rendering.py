"""What the values make of the objects."""

from typing import Any

import pytest
import yaml
from chart_values import DIGEST, VALUES
from helm import NAMESPACE, ROOT, Chart, Manifest, Objects

CRD = ROOT / "manifests" / "crd" / "labelplane.io_labelingjobs.yaml"
EVERYTHING = VALUES["everything said"]


@pytest.fixture(scope="session")
def plain(chart: Chart) -> Objects:
    return chart.render()


@pytest.fixture(scope="session")
def full(chart: Chart) -> Objects:
    return chart.render(EVERYTHING)


def pods(objects: Objects) -> list[Manifest]:
    """The specifications of all pods: the operator's, the front's and those of hooks."""
    deployed = [each["spec"]["template"]["spec"] for each in objects.of("Deployment")]
    return [*deployed, *(each["spec"] for each in objects.of("Pod"))]


# --- The resource definition ---


def test_the_definition_is_the_generated_one(plain: Objects) -> None:
    assert plain.only("CustomResourceDefinition")["spec"] == yaml.safe_load(CRD.read_text())["spec"]


@pytest.mark.parametrize(
    ("crds", "want"),
    [
        pytest.param({}, [{"helm.sh/resource-policy": "keep"}], id="kept by default"),
        pytest.param({"keep": False}, [None], id="goes with the release"),
        pytest.param({"enabled": False}, [], id="not installed"),
    ],
)
def test_the_definition_stays_or_goes_as_the_values_say(chart: Chart, crds: dict[str, bool], want: list[Any]) -> None:
    found = chart.render({"crds": crds}).of("CustomResourceDefinition")

    assert [each["metadata"].get("annotations") for each in found] == want


# --- Names and labels ---


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES.keys())
def test_every_object_says_where_it_belongs(chart: Chart, values: dict[str, Any]) -> None:
    for each in chart.render(values).manifests:
        assert each["metadata"]["labels"]["app.kubernetes.io/instance"] == "labelplane"
        assert each["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"
        assert each["metadata"].get("namespace") in {None, NAMESPACE, *values.get("watchNamespaces", ())}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES.keys())
def test_no_two_objects_have_one_name(chart: Chart, values: dict[str, Any]) -> None:
    names = [
        (each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
        for each in chart.render(values).manifests
    ]

    assert len(names) == len(set(names))


def test_common_labels_are_on_every_object_and_on_the_pods(full: Objects) -> None:
    everywhere = [each["metadata"] for each in full.manifests]
    everywhere.append(full.only("Deployment")["spec"]["template"]["metadata"])

    assert all(each["labels"]["cost-centre"] == "42" for each in everywhere)


def test_labels_of_pods_win_over_common_labels(full: Objects) -> None:
    labels = full.only("Deployment")["spec"]["template"]["metadata"]["labels"]

    assert (labels["team"], labels["tier"]) == ("data", "pods")


def test_selectors_take_the_operators_pods_and_no_pod_of_a_job(plain: Objects) -> None:
    deployment = plain.only("Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    of_a_job = {
        "app.kubernetes.io/name": "labelplane",
        "app.kubernetes.io/managed-by": "labelplane",
        "app.kubernetes.io/component": "small",
        "labelplane.io/job": "digits",
    }
    selectors = [
        deployment["spec"]["selector"]["matchLabels"],
        plain.only("Service")["spec"]["selector"],
        plain.only("PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        plain.only("NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ]

    for selector in selectors:
        assert selector.items() <= labels.items()
        assert not selector.items() <= of_a_job.items()


def test_another_name_is_taken_for_every_object(chart: Chart) -> None:
    names = [each["metadata"]["name"] for each in chart.render({"fullnameOverride": "north"}).manifests]

    assert all("north" in each for each in names if each != "labelingjobs.labelplane.io")


# --- The operator's pods ---


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES.keys())
def test_every_pod_meets_the_restricted_standard(chart: Chart, values: dict[str, Any]) -> None:
    for pod in pods(chart.render(values)):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["readOnlyRootFilesystem"] is True
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert container["resources"]["limits"]["memory"]


def test_two_pods_run_and_a_rollout_never_leaves_less(plain: Objects) -> None:
    spec = plain.only("Deployment")["spec"]

    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_probes_ask_the_health_port(plain: Objects) -> None:
    ports = {each["name"]: each["containerPort"] for each in plain.container["ports"]}
    probes = {
        kind: plain.container[kind]["httpGet"]["path"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")
    }

    assert ports == {"health": 8080, "metrics": 9090}
    assert {plain.container[kind]["httpGet"]["port"] for kind in probes} == {"health"}
    assert probes == {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"}
    assert plain.environment["LABELPLANE_HEALTH_PORT"] == "8080"
    assert plain.environment["LABELPLANE_METRICS_PORT"] == "9090"


def test_pods_are_spread_over_nodes_and_zones_where_that_can_be(plain: Objects) -> None:
    spread = plain.pod["topologySpreadConstraints"]

    assert [each["topologyKey"] for each in spread] == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert {each["whenUnsatisfiable"] for each in spread} == {"ScheduleAnyway"}


def test_a_drain_takes_one_pod_at_a_time(plain: Objects) -> None:
    assert plain.only("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_a_single_pod_has_no_budget_that_would_hold_up_a_drain(chart: Chart) -> None:
    assert chart.render(VALUES["one replica"]).of("PodDisruptionBudget") == []


def test_values_for_pods_reach_the_pods(full: Objects) -> None:
    template = full.only("Deployment")["spec"]["template"]
    pod = template["spec"]

    assert template["metadata"]["annotations"]["note"] == "ours"
    for name in ("nodeSelector", "tolerations", "affinity", "topologySpreadConstraints", "priorityClassName"):
        assert pod[name] == EVERYTHING[name]
    assert full.container["resources"] == EVERYTHING["resources"]
    assert pod["imagePullSecrets"] == [{"name": "pull"}, {"name": "pull-too"}]
    assert pod["serviceAccountName"] == "labeller"


# --- What the operator is told ---


def test_the_operator_is_told_what_the_values_say(full: Objects) -> None:
    want = {
        "LABELPLANE_INSTALLATION": "north.1",
        "LABELPLANE_WATCH_NAMESPACES": "labelling-a",
        "LABELPLANE_LEASE_NAME": "lp-operator",
        "LABELPLANE_LEASE_DURATION_SECONDS": "30",
        "LABELPLANE_RENEW_DEADLINE_SECONDS": "20",
        "LABELPLANE_RETRY_PERIOD_SECONDS": "5",
        "LABELPLANE_WORKERS": "4",
        "LABELPLANE_RESYNC_SECONDS": "60",
        "LABELPLANE_LOG_LEVEL": "DEBUG",
        "LABELPLANE_IMAGE_PULL_POLICY": "Always",
        "LABELPLANE_IMAGE_PULL_SECRETS": "pull,pull-too",
        "LABELPLANE_TRUSTED_PACKAGES": "house_rules,team",
        "HTTPS_PROXY": "http://proxy.example.com:3128",
    }

    assert want.items() <= full.environment.items()


def test_all_namespaces_are_watched_by_default_as_an_installation_of_its_own_name(plain: Objects) -> None:
    assert plain.environment["LABELPLANE_WATCH_NAMESPACES"] == ""
    assert plain.environment["LABELPLANE_INSTALLATION"] == f"{NAMESPACE}-labelplane"


def test_the_pod_learns_its_own_name_and_namespace(plain: Objects) -> None:
    assert plain.environment["LABELPLANE_POD_NAME"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert plain.environment["LABELPLANE_POD_NAMESPACE"] == {"fieldRef": {"fieldPath": "metadata.namespace"}}


@pytest.mark.parametrize(
    ("images", "want"),
    [
        pytest.param({}, "labelplane/operator:0.1.0", id="the chart's version by default"),
        pytest.param({"tag": "1.2"}, "labelplane/operator:1.2", id="one tag for all"),
        pytest.param({"registry": "r.example.com"}, "r.example.com/labelplane/operator:0.1.0", id="one registry"),
        pytest.param(
            {"registry": "r.example.com", "operator": {"registry": "own.example.com", "tag": "x"}, "tag": "1.2"},
            "own.example.com/labelplane/operator:x",
            id="the image's own registry and tag win",
        ),
        pytest.param(
            {"operator": {"tag": "x", "digest": DIGEST}}, f"labelplane/operator@{DIGEST}", id="a digest beats a tag"
        ),
    ],
)
def test_the_address_of_an_image(chart: Chart, images: dict[str, Any], want: str) -> None:
    objects = chart.render({"images": images})

    assert objects.container["image"] == want
    assert objects.only("Pod")["spec"]["containers"][0]["image"] == want


def test_images_of_jobs_are_addressed_in_the_same_way(full: Objects) -> None:
    assert full.environment["LABELPLANE_IMAGE_SMALL"] == "registry.example.com:5000/labelplane/small:1.2.3"
    assert full.environment["LABELPLANE_IMAGE_SCORING"] == "other.example.com/mirror/scoring:gpu"


# --- The installation key ---


def test_a_key_is_generated_and_mounted_where_the_operator_looks(plain: Objects) -> None:
    secret = plain.only("Secret")
    volume = next(each for each in plain.pod["volumes"] if each["name"] == "installation")
    mount = next(each for each in plain.container["volumeMounts"] if each["name"] == "installation")

    assert set(secret["data"]) == {"key"}
    assert secret["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    assert volume["secret"]["secretName"] == secret["metadata"]["name"]
    assert plain.environment["LABELPLANE_INSTALLATION_KEY_FILE"] == f"{mount['mountPath']}/key"


def test_a_secret_that_is_there_already_is_used_and_none_is_made(chart: Chart) -> None:
    objects = chart.render(VALUES["without rights and roles"])
    volume = next(each for each in objects.pod["volumes"] if each["name"] == "installation")

    assert objects.of("Secret") == []
    assert volume["secret"]["secretName"] == "given"


# --- Rights ---


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES.keys())
def test_no_right_is_a_wildcard_and_of_secrets_only_create(chart: Chart, values: dict[str, Any]) -> None:
    objects = chart.render(values)
    for rule in (rule for kind in ("Role", "ClusterRole") for role in objects.of(kind) for rule in role["rules"]):
        assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
        assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"])
        if "secrets" in rule["resources"]:
            assert rule["verbs"] == ["create"]


def test_named_namespaces_get_roles_and_the_cluster_none_for_the_operator(chart: Chart) -> None:
    cluster_wide, namespaced = chart.render(), chart.render(VALUES["namespaced"])
    watched = VALUES["namespaced"]["watchNamespaces"]
    roles = [each for each in namespaced.of("Role") if each["metadata"]["namespace"] in watched]

    assert namespaced.of("ClusterRoleBinding") == []
    assert [each["metadata"]["namespace"] for each in roles] == watched
    assert all(each["rules"] == cluster_wide.only("ClusterRole", ending="operator")["rules"] for each in roles)


def test_somebody_else_may_grant_the_rights(chart: Chart) -> None:
    objects = chart.render(VALUES["without rights and roles"])

    kinds = {each["kind"] for each in objects.manifests}
    assert not kinds & {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding", "ServiceAccount"}
    assert objects.pod["serviceAccountName"] == "somebody"


def test_rights_on_scaled_objects_come_with_keda_alone(chart: Chart, plain: Objects) -> None:
    with_keda = chart.render(VALUES["with KEDA"])
    more = [
        rule
        for rule in with_keda.only("ClusterRole", ending="operator")["rules"]
        if rule not in plain.only("ClusterRole", ending="operator")["rules"]
    ]

    assert [(rule["apiGroups"], rule["resources"]) for rule in more] == [(["keda.sh"], ["scaledobjects"])]


# --- Network ---


def test_keda_reaches_the_scaler_where_the_operator_says_that_it_serves(chart: Chart, plain: Objects) -> None:
    with_keda = chart.render(VALUES["with KEDA"])
    service = with_keda.only("Service")
    ports = {each["name"]: each["port"] for each in service["spec"]["ports"]}
    name = f"{service['metadata']['name']}.{service['metadata']['namespace']}.svc"

    assert with_keda.environment["LABELPLANE_SCALER_ADDRESS"] == f"{name}:{ports['scaler']}"
    assert with_keda.environment["LABELPLANE_SCALER_PORT"] == str(ports["scaler"])
    assert {"ports": [{"port": "scaler"}]} in with_keda.only("NetworkPolicy")["spec"]["ingress"]
    assert not any("scaler" in str(plain.only(kind)["spec"]) for kind in ("Service", "NetworkPolicy"))


def test_only_named_peers_ask_the_scaler_where_the_values_name_them(full: Objects) -> None:
    ingress = full.only("NetworkPolicy")["spec"]["ingress"]

    assert {"ports": [{"port": "scaler"}], "from": EVERYTHING["networkPolicy"]["scalerFrom"]} in ingress


def test_the_operator_reaches_names_the_api_server_and_jobs_only(plain: Objects) -> None:
    egress = plain.only("NetworkPolicy")["spec"]["egress"]
    ports = [[each["port"] for each in rule["ports"]] for rule in egress]

    assert ports == [[53, 53], [443, 6443, 8443, 16443], [50051]]
    assert egress[2]["to"] == [
        {
            "namespaceSelector": {},
            "podSelector": {"matchExpressions": [{"key": "labelplane.io/job", "operator": "Exists"}]},
        }
    ]


def test_a_namespaced_operator_reaches_jobs_of_its_namespaces_only(full: Objects) -> None:
    spec = full.only("NetworkPolicy")["spec"]

    assert spec["egress"][1]["to"] == [{"ipBlock": {"cidr": "10.0.0.1/32"}}]
    assert spec["egress"][2]["to"][0]["namespaceSelector"]["matchExpressions"][0]["values"] == ["labelling-a"]
    assert spec["ingress"][0]["from"] == EVERYTHING["networkPolicy"]["metricsFrom"]


# --- The work queue ---


def test_without_a_queue_nothing_of_one_is_made_or_reached(plain: Objects) -> None:
    assert plain.environment["LABELPLANE_QUEUE_SERVERS"] == ""
    assert plain.of("StatefulSet") == []
    assert "queue" not in [each["name"] for each in plain.pod["volumes"]]


def test_the_operator_reaches_a_queue_with_its_own_credentials_and_names_those_of_jobs(full: Objects) -> None:
    (mount,) = (each for each in full.container["volumeMounts"] if each["name"] == "queue")
    (volume,) = (each for each in full.pod["volumes"] if each["name"] == "queue")

    assert full.environment["LABELPLANE_QUEUE_SERVERS"] == EVERYTHING["queue"]["servers"]
    assert full.environment["LABELPLANE_QUEUE_CREDENTIALS_SECRET"] == "queue"
    assert full.environment["LABELPLANE_QUEUE_CREDENTIALS"] == mount["mountPath"]
    assert volume["secret"]["secretName"] == "queue-operator"
    assert full.only("NetworkPolicy")["spec"]["egress"][3]["ports"] == [{"port": 4222}]


def test_the_bundled_queue_is_used_where_no_other_is_named(chart: Chart) -> None:
    bundled = chart.render(VALUES["a queue of its own"])
    service, server = bundled.only("Service", ending="-nats"), bundled.only("StatefulSet")
    template = server["spec"]["template"]

    name = f"{service['metadata']['name']}.{NAMESPACE}.svc"
    assert bundled.environment["LABELPLANE_QUEUE_SERVERS"] == f"nats://{name}:4222"
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    assert template["spec"]["containers"][0]["image"] == "nats:2.15.2"
    other = {"queue": {"bundled": {"enabled": True}, "servers": "nats://nats.example.com:4222"}}
    assert chart.render(other).of("StatefulSet") == []


@pytest.mark.parametrize(("storage", "want"), [("", []), ("2Gi", ["2Gi"])], ids=["in the pod", "on a volume"])
def test_the_bundled_queue_keeps_shards_where_the_values_say(chart: Chart, storage: str, want: list[str]) -> None:
    server = chart.render({"queue": {"bundled": {"enabled": True, "storage": storage}}}).only("StatefulSet")
    claims = server["spec"].get("volumeClaimTemplates", ())

    assert [each["spec"]["resources"]["requests"]["storage"] for each in claims] == want
    assert sum(each["name"] == "data" for each in server["spec"]["template"]["spec"]["volumes"]) == 1 - len(want)


# --- The object store ---


def test_without_an_object_store_nothing_of_one_is_made(plain: Objects) -> None:
    assert not any(each["metadata"]["name"].endswith("-store") for each in plain.manifests)


def test_the_bundled_object_store_has_its_bucket_and_generated_credentials(chart: Chart) -> None:
    bundled = chart.render(VALUES["an object store of its own"])
    pod = bundled.only("StatefulSet")["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    secret = bundled.only("Secret", ending="-store")

    service = bundled.only("Service", ending="-store")
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert container["image"] == "versity/versitygw:v1.8.0"
    assert "/data/buckets/labelplane" in pod["spec"]["initContainers"][0]["command"]
    references = [each["valueFrom"]["secretKeyRef"] for each in container["env"]]
    assert references == [{"name": secret["metadata"]["name"], "key": key} for key in secret["data"]]
    assert pod["spec"]["volumes"] == [{"name": "data", "emptyDir": {}}]


def test_the_bundled_object_store_keeps_its_objects_and_takes_credentials_where_the_values_say(chart: Chart) -> None:
    bundled = chart.render(VALUES["an object store of its own that stays"])
    spec = bundled.only("StatefulSet")["spec"]

    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"]["resources"]["requests"]["storage"] == "10Gi"
    assert "volumes" not in spec["template"]["spec"]
    assert {each["valueFrom"]["secretKeyRef"]["name"] for each in spec["template"]["spec"]["containers"][0]["env"]} == {
        "store"
    }
    assert [
        each["metadata"]["name"] for each in bundled.of("Secret") if each["metadata"]["name"].endswith("-store")
    ] == []


def test_the_test_pod_may_ask_whether_the_operator_is_ready(plain: Objects) -> None:
    pod = plain.only("Pod")
    allowed = plain.only("NetworkPolicy")["spec"]["ingress"][1]["from"][0]["podSelector"]["matchLabels"]
    service = plain.only("Service")["metadata"]["name"]

    assert pod["metadata"]["annotations"]["helm.sh/hook"] == "test"
    assert allowed.items() <= pod["metadata"]["labels"].items()
    assert pod["spec"]["containers"][0]["args"][-1] == f"http://{service}.{NAMESPACE}.svc:8080/readyz"
    compile(pod["spec"]["containers"][0]["args"][0], "test pod", "exec")


def test_every_value_says_what_it_does_in_the_packaged_chart(chart: Chart, tmp_path: Any) -> None:
    packaged = chart.run("package", str(ROOT / "charts" / "labelplane"), "--destination", str(tmp_path))

    shown = chart.run("show", "all", packaged.rsplit(" ", 1)[-1].strip())
    assert "`watchNamespaces`" in shown
    assert "Namespaces whose LabelingJobs this installation runs" in shown
