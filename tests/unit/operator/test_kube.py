"""Requests to the API server: what is sent, how refusals are told apart, and that nobody writes who may not."""

from dataclasses import dataclass, field

import aiohttp
import pytest
from kubernetes.aio.client.exceptions import ApiException
from played_api import PlayedApi, refusal

from labelplane_operator.errors import (
    ApiConflict,
    ApiError,
    ApiForbidden,
    ApiInvalid,
    ApiNotFound,
    ApiUnavailable,
    NamespaceEnding,
    NotLeader,
)
from labelplane_operator.kinds import DEPLOYMENT, LABELING_JOB, POD, SECRET
from labelplane_operator.kube import Kube

PATH = "/apis/apps/v1/namespaces/team/deployments/digits"


@dataclass
class World:
    """A client, its server, and the requests that were counted."""

    api: PlayedApi = field(default_factory=PlayedApi)
    is_leader: bool = True
    counted: list[tuple[str, str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.kube = Kube(self.api, may_write=lambda: self.is_leader, count=lambda *call: self.counted.append(call))  # type: ignore[arg-type]


@pytest.fixture
def world() -> World:
    """A leader and an empty server."""
    return World()


def answered(code: int, body: object) -> ApiException:
    error = ApiException(status=code)  # type: ignore[no-untyped-call]
    error.body = body
    return error


@pytest.mark.parametrize(
    ("error", "want", "text"),
    [
        pytest.param(refusal(400, "bad"), ApiInvalid, "400: bad", id="malformed"),
        pytest.param(refusal(401, "who?"), ApiError, "401: who?", id="not known"),
        pytest.param(refusal(403, "quota"), ApiForbidden, "403: quota", id="forbidden"),
        pytest.param(
            refusal(403, "ending", causes=("NamespaceTerminating",)), NamespaceEnding, "ending", id="namespace ends"
        ),
        pytest.param(refusal(404, "none"), ApiNotFound, "404: none", id="not found"),
        pytest.param(refusal(408, "late"), ApiUnavailable, "408: late", id="too late"),
        pytest.param(refusal(409, "changed"), ApiConflict, "409: changed", id="conflict"),
        pytest.param(refusal(413, "big"), ApiError, "413: big", id="too big"),
        pytest.param(refusal(422, "wrong"), ApiInvalid, "422: wrong", id="invalid"),
        pytest.param(refusal(429, "busy"), ApiUnavailable, "429: busy", id="too many requests"),
        pytest.param(refusal(500, "etcd"), ApiUnavailable, "500: etcd", id="server error"),
        pytest.param(answered(0, None), ApiUnavailable, "0: ", id="no status"),
        pytest.param(answered(403, b"<html>no</html>"), ApiForbidden, "<html>no</html>", id="a proxy's page"),
        pytest.param(answered(403, '{"message": null}'), ApiForbidden, "null", id="a status without a message"),
        pytest.param(answered(403, "[1]"), ApiForbidden, "403: [1]", id="no status of Kubernetes"),
        pytest.param(answered(502, "x" * 9000), ApiUnavailable, "x" * 500, id="a very long page"),
        pytest.param(aiohttp.ClientConnectionError(), ApiUnavailable, "ClientConnectionError", id="no connection"),
        pytest.param(TimeoutError(), ApiUnavailable, "TimeoutError", id="no answer in time"),
        pytest.param(OSError("reset"), ApiUnavailable, "reset", id="a broken connection"),
    ],
)
async def test_a_refusal_is_told_by_its_code(world: World, error: Exception, want: type[Exception], text: str) -> None:
    world.api.fail("get", PATH, error)

    with pytest.raises(want, match=r"^get /apis/apps/v1/namespaces/team/deployments/digits: ") as caught:
        await world.kube.get(DEPLOYMENT, "team", "digits")

    assert type(caught.value) is want
    assert text in str(caught.value)
    assert len(str(caught.value)) < 700
    assert world.counted == [("get", "deployments", getattr(error, "status", None) or 0)]


async def test_an_answer_that_is_no_json_counts_as_none(world: World) -> None:
    world.api.fail("get", PATH, b"<html>")

    with pytest.raises(ApiUnavailable, match="Expecting value"):
        await world.kube.get(DEPLOYMENT, "team", "digits")


async def test_who_does_not_lead_writes_nothing_but_the_lease(world: World) -> None:
    world.is_leader = False
    manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "digits", "namespace": "team"}}
    writes = (
        world.kube.create(DEPLOYMENT, manifest),
        world.kube.apply(DEPLOYMENT, manifest),
        world.kube.replace_status(DEPLOYMENT, manifest),
        world.kube.scale(DEPLOYMENT, "team", "digits", 1),
        world.kube.merge(DEPLOYMENT, "team", "digits", {}),
        world.kube.delete(DEPLOYMENT, "team", "digits", uid="1"),
    )
    for write in writes:
        with pytest.raises(NotLeader, match="does not lead any more"):
            await write
    await world.kube.create_lease({**manifest, "kind": "Lease"})

    assert world.api.asked() == ["post /apis/coordination.k8s.io/v1/namespaces/team/leases"]


async def test_a_list_says_what_each_object_is_and_how_new_it_is(world: World) -> None:
    world.api.put("/api/v1/namespaces/team/pods/digits-1", {"metadata": {"name": "digits-1", "namespace": "team"}})

    listing = await world.kube.list_all(POD, namespace="team", labels="labelplane.io/job")

    assert [(each["apiVersion"], each["kind"]) for each in listing.objects] == [("v1", "Pod")]
    assert listing.version == world.api.version
    assert world.api.requests[0].words == {"label_selector": "labelplane.io/job", "resource_version": "0"}


@pytest.mark.parametrize("is_alive", [True, False], ids=["it answers", "it does not"])
async def test_the_api_server_is_alive_when_it_answers(world: World, *, is_alive: bool) -> None:
    world.api.fail("get", "/livez", b"ok" if is_alive else TimeoutError())

    assert await world.kube.is_alive() is is_alive


async def test_replicas_are_written_by_the_scaler_and_the_rest_by_labelplane(world: World) -> None:
    metadata = {"name": "digits", "namespace": "team"}
    await world.kube.apply(DEPLOYMENT, {"metadata": metadata}, is_forced=False)
    await world.kube.scale(DEPLOYMENT, "team", "digits", 3)

    applied, scaled = world.api.requests
    assert (applied.words["field_manager"], applied.words["force_conflicts"]) == ("labelplane", False)
    assert (scaled.words["field_manager"], scaled.path, scaled.body) == (
        "labelplane-scaler",
        f"{PATH}/scale",
        {"spec": {"replicas": 3}},
    )


@pytest.mark.parametrize(
    ("kind", "words", "want"),
    [
        (POD, (), "/api/v1/pods"),
        (SECRET, ("team", "t"), "/api/v1/namespaces/team/secrets/t"),
        (DEPLOYMENT, ("team", "d", "scale"), "/apis/apps/v1/namespaces/team/deployments/d/scale"),
        (LABELING_JOB, ("team",), "/apis/labelplane.io/v1alpha1/namespaces/team/labelingjobs"),
    ],
    ids=["everywhere", "of the core group", "a subresource", "in a namespace"],
)
def test_a_kind_knows_its_paths(kind: object, words: tuple[str, ...], want: str) -> None:
    assert kind.path(*words) == want  # type: ignore[attr-defined]
