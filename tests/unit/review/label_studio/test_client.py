"""Calls of Label Studio: tokens, pages, and what each failure says."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from labelplane_review.errors import LabelStudioAway, NotFoundThere, RequestRefused, TokenRefused
from labelplane_review.label_studio.client import LabelStudioClient

Handle = Callable[[httpx.Request], httpx.Response]
LEGACY, PERSONAL = "a" * 40, "head.body.signature"
PROJECT = {"id": 3, "title": "t", "description": None, "label_config": "<View/>", "task_number": 5}


def client_of(handle: Handle, *, token: str = LEGACY) -> LabelStudioClient:
    http = httpx.AsyncClient(base_url="http://ls", transport=httpx.MockTransport(handle))
    return LabelStudioClient(http, token=token)


FAILURES = [
    pytest.param(httpx.Response(401, json={"detail": "Invalid token."}), TokenRefused, "Invalid token", id="token"),
    pytest.param(httpx.Response(403, json={"detail": "no"}), TokenRefused, "refuses the token", id="forbidden"),
    pytest.param(httpx.Response(404, json={"detail": "Not found"}), NotFoundThere, "/api/projects/3/", id="gone"),
    pytest.param(httpx.Response(500, text="<h1>Error</h1>"), LabelStudioAway, "HTTP 500: Error", id="broken"),
    pytest.param(httpx.Response(502, text=""), LabelStudioAway, "Bad Gateway", id="proxy"),
    pytest.param(httpx.Response(400, json={"title": ["bad"]}), RequestRefused, "bad", id="refused"),
    pytest.param(httpx.Response(200, text="<html>"), RequestRefused, "is that address a Label Studio", id="a page"),
    pytest.param(httpx.Response(200, json={"number": 3}), RequestRefused, "form that is not known", id="upgraded"),
]


@pytest.mark.parametrize(("response", "want", "text"), FAILURES)
async def test_a_failure_says_what_it_is(response: httpx.Response, want: type[Exception], text: str) -> None:
    with pytest.raises(want, match=text):
        await client_of(lambda _: response).project(3)


async def test_a_server_that_does_not_answer_is_away() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused", request=request)

    with pytest.raises(LabelStudioAway, match=r"http://ls does not answer \(connection refused\)"):
        await client_of(refuse).project(3)
    with pytest.raises(LabelStudioAway):
        await client_of(refuse, token=PERSONAL).project(3)


async def test_a_token_that_cannot_be_sent_is_told() -> None:
    with pytest.raises(TokenRefused, match="copy it again"):
        await client_of(lambda _: httpx.Response(200), token="tökèn").project(3)


async def test_a_legacy_token_is_sent_as_it_is() -> None:
    seen: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["Authorization"])
        return httpx.Response(200, json=PROJECT)

    assert (await client_of(handle).project(3)).tasks == 5
    assert seen == [f"Token {LEGACY}"]


async def test_a_personal_token_gives_access_again_when_that_has_run_out() -> None:
    given = 0

    def handle(request: httpx.Request) -> httpx.Response:
        nonlocal given
        if request.url.path == "/api/token/refresh/":
            assert json.loads(request.content) == {"refresh": PERSONAL}
            given += 1
            return httpx.Response(200, json={"access": f"access-{given}"})
        is_new = request.headers["Authorization"] == "Bearer access-2"
        return httpx.Response(200, json=PROJECT) if is_new else httpx.Response(401, json={"detail": "expired"})

    assert (await client_of(handle, token=PERSONAL).project(3)).number == 3
    assert given == 2


async def test_a_personal_token_that_was_revoked_is_told() -> None:
    with pytest.raises(TokenRefused, match="run out or was revoked"):
        await client_of(lambda _: httpx.Response(401, json={}), token=PERSONAL).project(3)


async def test_pages_go_by_number_so_that_none_is_passed_over_while_tasks_change() -> None:
    tasks = [{"id": number} for number in (2, 3, 5, 8, 9)]
    queries = []

    def handle(request: httpx.Request) -> httpx.Response:
        query = json.loads(request.url.params["query"])
        queries.append(query)
        after = query["filters"]["items"][0]["value"]
        found = [task for task in tasks if task["id"] > after][:2]
        return httpx.Response(200, json={"tasks": found}, headers={"Date": "Thu, 01 Jan 2026 00:00:00 GMT"})

    client = client_of(handle)
    since = datetime(2026, 1, 1, tzinfo=UTC)
    pages = [[task["id"] for task in page] async for page in client.tasks(3, since=since, page_size=2)]
    assert pages == [[2, 3], [5, 8], [9]]
    assert queries[0]["filters"]["items"][1]["value"] == "2026-01-01T00:00:00.000000Z"
    assert client.answered_at == since


async def test_a_page_past_the_end_ends_the_listing_and_a_project_that_is_gone_is_told() -> None:
    def gone(request: httpx.Request) -> httpx.Response:
        is_there = request.url.path == "/api/projects/3/"
        return httpx.Response(200, json=PROJECT) if is_there else httpx.Response(404, json={"detail": "Invalid page."})

    assert [page async for page in client_of(gone).tasks(3)] == []
    with pytest.raises(NotFoundThere):
        _ = [page async for page in client_of(lambda _: httpx.Response(404)).tasks(3)]


async def test_the_oldest_project_with_the_mark_is_ours() -> None:
    pages = {
        "1": {"results": [{"id": 9, "description": "mark: x."}, {"id": 4, "description": ""}], "next": "more"},
        "2": {"results": [{"id": 3, "description": "mark: x."}], "next": None},
    }

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/api/projects/":
            return httpx.Response(200, json=pages[request.url.params["page"]])
        return httpx.Response(200, json=PROJECT)

    found = await client_of(handle).find_project("mark: x")
    assert found is not None
    assert found.number == 3
    assert await client_of(handle).find_project("mark: y") is None
