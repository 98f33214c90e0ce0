"""What the API server is asked about people, and how long its word is believed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp.test_utils import make_mocked_request
from fake_clock import FakeClock

from labelplane_review.cluster.people import HOLDS_SECONDS, ClusterAccess
from labelplane_review.cluster.proxy import SigningProxy
from labelplane_review.cluster.recent import Recent
from labelplane_review.errors import ApiServerAway
from labelplane_review.web.refusals import Refused
from labelplane_review.web.rights import Deed, Visitor

ADA = Visitor("ada", groups=("team",), extra=(("scopes", ("label",)),))


@dataclass
class Reviews:
    """An API server that knows one token and lets people label in one namespace."""

    asked: list[Mapping[str, Any]] = field(default_factory=list)
    is_away: bool = False
    audiences: tuple[str, ...] = ("labels",)

    async def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        if self.is_away:
            raise ApiServerAway("away")
        self.asked.append(body["spec"])
        if path.endswith("tokenreviews"):
            user = {"username": "ada", "groups": ["team"], "extra": {"scopes": ["label"]}}
            is_known = body["spec"]["token"] == "right"
            return {"status": {"authenticated": is_known, "user": user, "audiences": self.audiences}}
        wanted = body["spec"]["resourceAttributes"]
        return {"status": {"allowed": wanted["namespace"] == "a" and wanted.get("subresource") != "decisions"}}


def access_of(reviews: Reviews, clock: FakeClock, *, audience: str = "") -> ClusterAccess:
    return ClusterAccess(reviews, SigningProxy(""), audience=audience, monotonic=clock.monotonic)


def request(authorization: str = "") -> Any:
    headers = {"Authorization": authorization} if authorization else {}
    return make_mocked_request("GET", "/", headers=headers, app=Mock())


async def test_a_token_is_reviewed_once_while_its_answer_holds() -> None:
    reviews, clock = Reviews(), FakeClock()
    access = access_of(reviews, clock)

    assert [await access.admit(request("Bearer right")) for _ in range(3)] == [ADA] * 3
    assert len(reviews.asked) == 1
    clock.advance(HOLDS_SECONDS + 1)
    await access.admit(request("Bearer right"))
    assert len(reviews.asked) == 2


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        pytest.param("", "NotSignedIn", id="nothing"),
        pytest.param("Basic YTpi", "NotSignedIn", id="another scheme"),
        pytest.param("Bearer ", "NotSignedIn", id="an empty token"),
        pytest.param("Bearer wrong", "WrongToken", id="a token that is not known"),
        pytest.param(f"Bearer {'x' * 40_000}", "WrongToken", id="one that is none"),
    ],
)
async def test_who_brings_no_good_token_stays_out(header: str, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        await access_of(Reviews(), FakeClock()).admit(request(header))
    assert (caught.value.status, caught.value.reason) == (401, reason)


async def test_a_token_for_somebody_else_stays_out() -> None:
    reviews = Reviews(audiences=("other",))
    with pytest.raises(Refused, match="for somebody else"):
        await access_of(reviews, FakeClock(), audience="labels").admit(request("Bearer right"))
    assert reviews.asked[0]["audiences"] == ["labels"]


async def test_rights_are_asked_for_with_all_that_is_known_of_the_user() -> None:
    reviews = Reviews()
    access = access_of(reviews, FakeClock())

    assert await access.may(ADA, Deed.LABEL, "a/digits")
    assert not await access.may(ADA, Deed.DECIDE, "a/digits")
    assert not await access.may(ADA, Deed.SEE, "b/digits")
    assert reviews.asked[0] == {
        "user": "ada",
        "groups": ["team"],
        "extra": {"scopes": ["label"]},
        "resourceAttributes": {
            "group": "labelplane.io",
            "resource": "labelingjobs",
            "namespace": "a",
            "verb": "create",
            "subresource": "votes",
            "name": "digits",
        },
    }


async def test_who_may_list_a_namespace_is_asked_about_it_once() -> None:
    reviews = Reviews()
    jobs = [f"{namespace}/job-{number}" for namespace in "ab" for number in range(3)]

    assert await access_of(reviews, FakeClock()).seen_by(ADA, jobs) == jobs[:3]
    assert len(reviews.asked) == 1 + 1 + 3


async def test_while_the_api_server_is_away_calls_come_again() -> None:
    with pytest.raises(Refused) as caught:
        await access_of(Reviews(is_away=True), FakeClock()).admit(request("Bearer right"))
    assert (caught.value.status, caught.value.reason) == (503, "ApiServerAway")


def test_of_too_many_answers_the_oldest_go() -> None:
    kept: Recent[int, str] = Recent(seconds=5, most=2, monotonic=lambda: 0.0)
    for number in range(3):
        kept.put(number, "x")

    assert [kept.get(number) for number in range(3)] == [None, "x", "x"]
