"""The chart on a real API server: it takes the objects, grants the rights and no other, and keeps what must stay."""

import base64
import itertools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from api_server import ApiError, ApiServer
from chart_cluster import ELSEWHERE, WATCHED, await_resources
from chart_values import VALUES
from cluster_objects import ClusterObjects
from controller_manager import running_controllers
from helm import NAMESPACE, RELEASE, ROOT, Chart, Release
from job_builder import make_job
from operator_rights import FORBIDDEN, NEEDED, Right, await_right, may, rights

from labelplane_api import check_supported, parse_job
from labelplane_operator.policies.deletion import FINALIZER

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/labelingjobs.labelplane.io"
RBAC = "/apis/rbac.authorization.k8s.io/v1"


@pytest.fixture
def release(chart: Chart, objects: ClusterObjects) -> Iterator[Callable[[str], Release]]:
    """Makes releases in namespaces of their own; what a test has installed is removed after it."""
    made: list[Release] = []

    def make(namespace: str) -> Release:
        objects.server.make_namespace(namespace)
        made.append(Release(chart, objects.server.kubeconfig(), RELEASE, namespace))
        return made[-1]

    yield make
    for each in made:
        each.remove_if_there()


# --- The objects ---


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES.keys())
def test_the_server_takes_every_object(chart: Chart, objects: ClusterObjects, values: dict[str, Any]) -> None:
    for manifest in chart.render(values).manifests:
        objects.apply(manifest, dryRun="All")


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES.keys())
def test_a_namespace_of_the_restricted_standard_takes_the_operators_pods(
    chart: Chart, objects: ClusterObjects, values: dict[str, Any]
) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "as-the-deployment-makes-it", "namespace": NAMESPACE},
        "spec": {**chart.render(values).pod, "priorityClassName": ""},
    }

    objects.apply(pod, dryRun="All")


# --- Rights ---


@pytest.mark.parametrize("right", NEEDED, ids=str)
def test_the_operator_may_what_it_does(cluster_wide: ApiServer, namespaced: ApiServer, right: Right) -> None:
    assert may(cluster_wide, right, ELSEWHERE)
    assert all(may(namespaced, right, namespace) for namespace in WATCHED)


@pytest.mark.parametrize("right", FORBIDDEN, ids=str)
def test_the_operator_may_nothing_else(cluster_wide: ApiServer, namespaced: ApiServer, right: Right) -> None:
    assert not may(cluster_wide, right, "chart-wide")
    assert not may(cluster_wide, right, ELSEWHERE)
    assert not any(may(namespaced, right, namespace) for namespace in ("chart-named", *WATCHED, ""))


@pytest.mark.parametrize("right", NEEDED, ids=str)
def test_a_namespaced_operator_may_nothing_elsewhere(namespaced: ApiServer, right: Right) -> None:
    assert not any(may(namespaced, right, namespace) for namespace in (ELSEWHERE, "chart-named", ""))


@pytest.mark.parametrize("mode", ["cluster_wide", "namespaced"])
def test_the_rules_hold_no_right_that_the_table_lacks(mode: str, request: pytest.FixtureRequest) -> None:
    operator: ApiServer = request.getfixturevalue(mode)
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": WATCHED[0]},
    }
    answer = operator.create("/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", review)["status"]

    granted = {
        Right(verb, group, *resource.split("/"))
        for rule in answer["resourceRules"]
        for verb, group, resource in itertools.product(rule["verbs"], rule["apiGroups"], rule["resources"])
        if not group.startswith(("authorization.k8s.io", "authentication.k8s.io"))  # everybody may ask who they are
    }
    assert granted == set(NEEDED)
    assert not answer["incomplete"]


@pytest.mark.parametrize(("mode", "home"), [("cluster_wide", "chart-wide"), ("namespaced", "chart-named")])
def test_the_operator_holds_its_own_lease_and_no_other(mode: str, home: str, request: pytest.FixtureRequest) -> None:
    operator: ApiServer = request.getfixturevalue(mode)
    group = "coordination.k8s.io"

    own = [Right(verb, group, "leases", name="labelplane-operator") for verb in ("get", "update")]
    assert all(may(operator, right, home) for right in [*own, Right("create", group, "leases")])
    other = [Right(verb, group, "leases", name="other") for verb in ("get", "update", "patch", "delete")]
    assert not any(may(operator, right, home) for right in [*other, Right("list", group, "leases")])
    assert not any(may(operator, right, ELSEWHERE) for right in own)


def test_the_operator_makes_a_child_by_server_side_apply_and_scales_it(
    chart: Chart, cluster_wide: ApiServer, objects: ClusterObjects
) -> None:
    child = {**chart.render().only("Deployment"), "metadata": {"name": "child", "namespace": ELSEWHERE}}
    path = objects.path(child)

    ClusterObjects(cluster_wide, objects._resources).apply(child)
    cluster_wide.request(
        "PATCH", f"{path}/scale", body={"spec": {"replicas": 0}}, content_type="application/merge-patch+json"
    )
    assert cluster_wide.get(path)["spec"]["replicas"] == 0
    cluster_wide.delete(path)


def test_the_operator_writes_a_secret_and_cannot_read_it_back(cluster_wide: ApiServer, objects: ClusterObjects) -> None:
    secrets = f"/api/v1/namespaces/{ELSEWHERE}/secrets"
    cluster_wide.create(secrets, {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "digits-token"}})

    with pytest.raises(ApiError) as refused:
        cluster_wide.get(f"{secrets}/digits-token")
    assert refused.value.code == 403
    objects.server.delete(f"{secrets}/digits-token")


READING = (
    *rights("labelplane.io", "labelingjobs", "get", "list", "watch"),
    *rights("labelplane.io", "labelingjobs", "get", subresource="status"),
)
WRITING = rights("labelplane.io", "labelingjobs", "create", "update", "patch", "delete", "deletecollection")
NEVER = (
    *rights("labelplane.io", "labelingjobs", "update", "patch", subresource="status"),
    *rights("labelplane.io", "labelingjobs", "update", subresource="finalizers"),
    *rights("", "secrets", "get", "create"),
    *rights("apps", "deployments", "get", "create"),
    *rights("*", "*", "*"),
)


USERS = [
    pytest.param("view", READING, (*WRITING, *NEVER), id="a viewer reads"),
    pytest.param("edit", WRITING, NEVER, id="an editor writes, but for the status"),
]


def bind(objects: ClusterObjects, user: str, role: str) -> None:
    """Give a user a ClusterRole in one namespace."""
    group = "rbac.authorization.k8s.io"
    objects.apply(
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": user, "namespace": ELSEWHERE},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "name": user, "apiGroup": group}],
        }
    )


@pytest.mark.parametrize(("role", "allowed", "refused"), USERS)
def test_users_may_what_their_role_says(
    cluster_wide: ApiServer, objects: ClusterObjects, role: str, allowed: tuple[Right, ...], refused: tuple[Right, ...]
) -> None:
    user = f"{role}er"
    bind(objects, user, f"chart-wide:labelplane-{role}")
    await_right(objects.server, allowed[0], ELSEWHERE, user=user)

    assert [str(each) for each in allowed if not may(objects.server, each, ELSEWHERE, user=user)] == []
    assert [str(each) for each in refused if may(objects.server, each, ELSEWHERE, user=user)] == []
    assert not may(objects.server, allowed[0], WATCHED[0], user=user)


def test_holders_of_the_clusters_own_roles_get_these_rights(
    cluster_wide: ApiServer, objects: ClusterObjects, tmp_path: Path
) -> None:
    holders = {"view": READING, "edit": (*READING, *WRITING), "admin": (*READING, *WRITING)}
    for role in holders:
        bind(objects, f"holder-of-{role}", role)

    with running_controllers(objects.server, tmp_path, "clusterrole-aggregation-controller"):
        for role, allowed in holders.items():
            for right in allowed:
                await_right(objects.server, right, ELSEWHERE, user=f"holder-of-{role}")

    assert not any(may(objects.server, right, ELSEWHERE, user="holder-of-view") for right in WRITING)
    assert not any(may(objects.server, right, ELSEWHERE, user="holder-of-admin") for right in NEVER[:3])


# --- Releases ---


def key_of(server: ApiServer, namespace: str) -> str:
    data = server.get(f"/api/v1/namespaces/{namespace}/secrets/labelplane-installation")["data"]
    return base64.b64decode(data["key"]).decode()


def exists(server: ApiServer, path: str) -> bool:
    try:
        server.get(path)
    except ApiError as error:
        if error.code == 404:
            return False
        raise
    return True


def test_an_upgrade_keeps_the_key_and_moves_the_rights(
    objects: ClusterObjects, release: Callable[[str], Release]
) -> None:
    server, upgraded = objects.server, release("chart-upgrade")
    binding = f"{RBAC}/clusterrolebindings/chart-upgrade:labelplane-operator"
    role = f"{RBAC}/namespaces/{WATCHED[0]}/roles/chart-upgrade:labelplane-operator"
    upgraded.install()
    key = key_of(server, "chart-upgrade")
    assert re.fullmatch(r"[A-Za-z0-9]{64}", key)
    assert exists(server, binding)

    upgraded.upgrade({"watchNamespaces": [WATCHED[0]], "replicas": 3})

    deployment = server.get("/apis/apps/v1/namespaces/chart-upgrade/deployments/labelplane-operator")
    assert key_of(server, "chart-upgrade") == key
    assert deployment["spec"]["replicas"] == 3
    assert not exists(server, binding)
    assert exists(server, role)

    upgraded.upgrade({"watchNamespaces": []})

    assert key_of(server, "chart-upgrade") == key
    assert exists(server, binding)
    assert not exists(server, role)


def test_an_uninstall_leaves_jobs_their_definition_and_the_key(
    objects: ClusterObjects, release: Callable[[str], Release]
) -> None:
    server, removed = objects.server, release("chart-uninstall")
    jobs = f"/apis/labelplane.io/v1alpha1/namespaces/{ELSEWHERE}/labelingjobs"
    removed.install()
    key = key_of(server, "chart-uninstall")
    await_resources(server, "/apis/labelplane.io/v1alpha1", count=2)
    server.create(jobs, {**make_job().as_manifest(), "metadata": {"name": "outlives"}})

    said = removed.uninstall()

    assert "[CustomResourceDefinition] labelingjobs.labelplane.io" in said
    assert "[Secret] labelplane-installation" in said
    assert exists(server, CRD)
    assert exists(server, f"{jobs}/outlives")
    assert not exists(server, "/apis/apps/v1/namespaces/chart-uninstall/deployments/labelplane-operator")
    assert not exists(server, f"{RBAC}/clusterrolebindings/chart-uninstall:labelplane-operator")

    removed.install()

    assert key_of(server, "chart-uninstall") == key
    server.delete(f"{jobs}/outlives")


def test_a_finalizer_can_be_taken_off_as_the_page_says_when_the_operator_is_gone(
    cluster_wide: ApiServer, objects: ClusterObjects
) -> None:
    job = f"/apis/labelplane.io/v1alpha1/namespaces/{ELSEWHERE}/labelingjobs/held"
    manifest = make_job().named("held", namespace=ELSEWHERE).having("metadata.finalizers", [FINALIZER]).as_manifest()
    page = (ROOT / "docs" / "install.md").read_text()
    (patch,) = re.findall(r"^kubectl patch .* --type=merge -p '([^']+)'$", page, re.MULTILINE)
    objects.apply(manifest)
    objects.server.delete(job)
    assert objects.server.get(job)["metadata"]["deletionTimestamp"]

    objects.server.request("PATCH", job, body=json.loads(patch), content_type="application/merge-patch+json")

    assert not exists(objects.server, job)


def test_two_installations_share_a_cluster(objects: ClusterObjects, release: Callable[[str], Release]) -> None:
    north, south = release("chart-north"), release("chart-south")

    north.install({"watchNamespaces": [WATCHED[0]]})
    south.install({"watchNamespaces": [WATCHED[1]], "crds": {"enabled": False}})

    assert key_of(objects.server, "chart-north") != key_of(objects.server, "chart-south")


def test_the_notes_lead_to_a_job_that_is_valid(objects: ClusterObjects, release: Callable[[str], Release]) -> None:
    notes = release("chart-notes").install({"watchNamespaces": [WATCHED[1]]})

    found = re.search(r"^kubectl apply -n chart-watched-b -f - <<'JOB'\n(.*)^JOB$", notes, re.MULTILINE | re.DOTALL)
    assert found is not None
    check_supported(parse_job(found[1], source="NOTES.txt"))
    assert len(re.findall(r"^kubectl ", notes, re.MULTILINE)) == 3
    assert "helm uninstall labelplane -n chart-notes" in notes
