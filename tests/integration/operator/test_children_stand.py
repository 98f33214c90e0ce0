"""On a real API server, what stands as wanted is not sent again, and an object of somebody else is left alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from api_server import ApiServer
from cluster_jobs import CASES, PLATFORM, TOKEN, ClusterJob
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.dynamic import DynamicClient

from labelplane_operator.act import Actor
from labelplane_operator.builders import JOB_LABEL
from labelplane_operator.cache import ObjectCache
from labelplane_operator.errors import NameTaken
from labelplane_operator.job_services import JobServices
from labelplane_operator.kinds import CHILDREN
from labelplane_operator.kube import Kube
from labelplane_operator.plan import Plan
from labelplane_operator.service_channels import ServiceChannels

SERVICE_ACCOUNT = next(kind for kind in CHILDREN if kind.kind == "ServiceAccount")
Call = tuple[str, str, int]

EVERY_CASE = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@dataclass
class Leader:
    """What one leader acts with, and the requests that it has sent."""

    kube: Kube
    calls: list[Call]
    cache: ObjectCache = field(default_factory=ObjectCache)

    def __post_init__(self) -> None:
        services = JobServices(self.cache, ServiceChannels("{service}"), token_of=lambda _: TOKEN, wake=lambda _: None)
        self.actor = Actor(self.kube, self.cache, services, PLATFORM, token_of=lambda _: TOKEN)

    async def act(self, case: ClusterJob) -> list[Call]:
        """Have the objects of a job, and return the requests that this took."""
        del self.calls[:]
        job = case.build()
        await self.actor.act(job, Plan(job.status, parts=case.parts, training=case.training))
        return list(self.calls)

    async def look(self, namespace: str) -> None:
        """See what stands, as by the first lists of the watches."""
        for kind in CHILDREN:
            for each in (await self.kube.list_all(kind, namespace=namespace, labels=JOB_LABEL)).objects:
                self.cache.put(kind, each)


@asynccontextmanager
async def _leader(server: ApiServer) -> AsyncIterator[Leader]:
    configuration = Configuration()
    await config.load_kube_config(str(server.kubeconfig()), client_configuration=configuration)  # type: ignore[no-untyped-call]
    calls: list[Call] = []
    async with ApiClient(configuration=configuration) as client:
        kube = Kube(
            DynamicClient(client),  # type: ignore[no-untyped-call]
            may_write=lambda: True,
            count=lambda verb, kind, code: calls.append((verb, kind, code)),
        )
        yield Leader(kube, calls)


def _in_namespace(case: ClusterJob, namespace: str) -> ClusterJob:
    return replace(case, job=case.job.having("metadata.namespace", namespace))


@EVERY_CASE
async def test_what_was_applied_is_not_applied_again(api_server: ApiServer, case: ClusterJob, request: Any) -> None:
    here = _in_namespace(case, api_server.make_namespace(request.node.callspec.id))
    async with _leader(api_server) as leader:
        assert await leader.act(here) != []
        assert await leader.act(here) == []


@EVERY_CASE
async def test_a_new_leader_applies_at_most_once_what_the_server_writes_in_its_own_way(
    api_server: ApiServer, case: ClusterJob, request: Any
) -> None:
    here = _in_namespace(case, api_server.make_namespace(f"next-{request.node.callspec.id}"))
    namespace = here.build().metadata.namespace
    async with _leader(api_server) as first:
        await first.act(here)
    async with _leader(api_server) as second:
        await second.look(namespace)
        calls = await second.act(here)
        assert await second.act(here) == []
    assert ("create", "secrets", 409) in calls
    assert [call for call in calls if call[0] != "apply"] == [("create", "secrets", 409)]


async def test_a_quantity_in_other_words_is_not_applied_again_when_the_replicas_change(api_server: ApiServer) -> None:
    half = {"small": {"resources": {"requests": {"cpu": "0.5"}}}}
    job = CASES["small"].job.having("spec.podOverrides", half)
    here = _in_namespace(replace(CASES["small"], job=job), api_server.make_namespace("quantities"))
    async with _leader(api_server) as leader:
        await leader.act(here)
        assert await leader.act(here) == []
        suspended = replace(here, parts=frozenset())
        assert await leader.act(suspended) == [("scale", "deployments", 200)]
        await leader.look("quantities")
        assert await leader.act(suspended) == []


async def test_a_field_that_is_not_wanted_any_more_goes_away(api_server: ApiServer) -> None:
    namespace = api_server.make_namespace("removed-fields")
    before = _in_namespace(CASES["small-with-overrides"], namespace)
    after = _in_namespace(CASES["small"], namespace)
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/digits"
    async with _leader(api_server) as leader:
        await leader.act(before)
        first = api_server.get(path)
        await leader.act(after)

    second = api_server.get(path)
    assert first["spec"]["template"]["spec"]["nodeSelector"] == {"example.com/pool": "gpu"}
    assert "nodeSelector" not in second["spec"]["template"]["spec"]
    assert "team" not in second["spec"]["template"]["metadata"]["labels"]
    assert second["spec"]["replicas"] == 1


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="that says nothing else than we do"),
        pytest.param({"automountServiceAccountToken": False}, id="that says the same"),
        pytest.param({"automountServiceAccountToken": True}, id="that says something else"),
    ],
)
async def test_a_service_account_of_somebody_else_is_left_alone(
    api_server: ApiServer, fields: dict[str, Any], request: Any
) -> None:
    namespace = api_server.make_namespace(f"taken-{request.node.callspec.id.replace(' ', '-')}")
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    metadata = {"name": "digits", "namespace": namespace}
    theirs = api_server.create(path, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata, **fields})
    async with _leader(api_server) as leader:
        with pytest.raises(NameTaken, match="ServiceAccount digits exists and is not this job's"):
            await leader.act(_in_namespace(CASES["small"], namespace))

    assert api_server.get(f"{path}/digits") == theirs


POLICY = "apis/networking.k8s.io/v1/namespaces/{}/networkpolicies"
BUDGET = "apis/policy/v1/namespaces/{}/poddisruptionbudgets"
SERVICE = "api/v1/namespaces/{}/services"


@pytest.mark.parametrize(
    ("path", "kind", "spec"),
    [
        pytest.param(POLICY, "NetworkPolicy", {}, id="a policy that says nothing"),
        pytest.param(POLICY, "NetworkPolicy", {"policyTypes": ["Ingress", "Egress"]}, id="a policy of the same types"),
        pytest.param(BUDGET, "PodDisruptionBudget", {}, id="a budget that says nothing"),
        pytest.param(BUDGET, "PodDisruptionBudget", {"maxUnavailable": 1}, id="a budget of the same bound"),
        pytest.param(SERVICE, "Service", {"clusterIP": "None"}, id="a service without pods"),
    ],
)
async def test_an_object_of_somebody_else_is_left_alone_though_no_field_differs(
    api_server: ApiServer, path: str, kind: str, spec: dict[str, Any], request: Any
) -> None:
    namespace = api_server.make_namespace(f"bare-{request.node.callspec.id.replace(' ', '-')}")
    where = f"/{path.format(namespace)}/digits"
    group = path.partition("/namespaces")[0].removeprefix("apis/").removeprefix("api/")
    metadata = {"name": "digits", "namespace": namespace}
    api_server.apply(where, {"apiVersion": group, "kind": kind, "metadata": metadata, "spec": spec}, manager="theirs")
    theirs = api_server.get(where)
    async with _leader(api_server) as leader:
        with pytest.raises(NameTaken, match=f"{kind} digits exists and is not this job's"):
            await leader.act(_in_namespace(CASES["small"], namespace))

    assert api_server.get(where) == theirs


async def test_a_new_job_costs_seven_requests_before_its_status(api_server: ApiServer) -> None:
    here = _in_namespace(CASES["small"], api_server.make_namespace("counted"))
    async with _leader(api_server) as leader:
        assert await leader.act(here) == [
            ("apply", "serviceaccounts", 201),
            ("create", "secrets", 201),
            ("apply", "networkpolicies", 201),
            ("apply", "poddisruptionbudgets", 201),
            ("apply", "services", 201),
            ("apply", "deployments", 201),
            ("apply", "deployments", 200),
        ]


async def test_own_objects_that_no_watch_has_shown_yet_are_found(api_server: ApiServer) -> None:
    here = _in_namespace(CASES["small"], api_server.make_namespace("unseen"))
    async with _leader(api_server) as first:
        await first.act(here)
    async with _leader(api_server) as second:
        await second.act(here)
        assert await second.act(here) == []
    deployment = api_server.get(f"/apis/apps/v1/namespaces/{here.build().metadata.namespace}/deployments/digits")
    assert deployment["spec"]["replicas"] == 1


async def test_a_child_that_lost_its_label_gets_it_again(api_server: ApiServer) -> None:
    namespace = api_server.make_namespace("lost-label")
    here = _in_namespace(CASES["small"], namespace)
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/digits"
    async with _leader(api_server) as leader:
        await leader.act(here)
        change = {"metadata": {"labels": {JOB_LABEL: None}}}
        lost = api_server.request("PATCH", path, body=change, content_type="application/merge-patch+json")
        seen = leader.cache.child(("lost-label", "digits"), SERVICE_ACCOUNT, "digits")
        assert seen is not None
        version = lost["metadata"]["resourceVersion"]
        leader.cache.remove(SERVICE_ACCOUNT, {**seen, "metadata": {**seen["metadata"], "resourceVersion": version}})
        await leader.act(here)
        assert await leader.act(here) == []

    assert api_server.get(path)["metadata"]["labels"][JOB_LABEL] == "digits"
