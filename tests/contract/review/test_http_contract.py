"""The contract for tools, held against the real front: every documented operation and every documented error."""

import io
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from aggregation_world import Service, World, aggregation_world, prepare, review, vote, write_selection
from front_world import GUEST_SECRET, SECRET, Browser, front_of, page_job
from page_values import conforms

from labelplane.aggregation.v1 import review_inbox_pb2 as pb
from labelplane_api.conditions import Condition, ConditionStatus, ConditionType
from labelplane_api.job import LabelingJob
from labelplane_api.status import RoundStatus, Stage, StageResult
from labelplane_core.tables import RULE_DIAGNOSTICS
from labelplane_review.web.contract import OPERATIONS, Operation, problems_of
from labelplane_review.web.openapi import openapi_document

BEARER = {"Authorization": f"Bearer {SECRET}"}
DOCUMENT = openapi_document()
NAMED = {each.name: each for each in OPERATIONS}

GOOD: dict[str, Any] = {
    "list_jobs": {},
    "get_job": {},
    "list_tasks": {"after": -1, "limit": 10},
    "get_item": {"item": "i0"},
    "push_votes": {"origin": "t.csv", "votes": [{"vote_id": "p", "item": "i0", "label": "dog", "annotator": "bob"}]},
    "list_conflicts": {"limit": 5},
    "decide": {"id": "d", "item": "i0", "label": "cat"},
    "send_back": {"id": "s", "item": "i0", "note": "look again"},
    "list_audit": {},
    "list_rules": {},
}
BAD: dict[str, Any] = {
    "list_jobs": {"page": 1},
    "get_job": {"page": 1},
    "list_tasks": {"limit": 1001},
    "get_item": {},
    "push_votes": {"votes": [{"vote_id": "", "item": "i0", "label": "dog", "annotator": "bob"}]},
    "list_conflicts": {"limit": 0},
    "decide": {"id": "d", "item": "i0"},
    "send_back": {"id": "s", "item": "i0", "why": "a field that is not known"},
    "list_audit": {"before": -1},
    "list_rules": {"round": 3},
}


@dataclass
class Server:
    """A front, its browser and the service below it; `others` are fronts in another state."""

    browser: Browser
    service: Service
    stack: AsyncExitStack
    folder: Path

    async def call(
        self, operation: Operation, sent: Any, *, browser: Browser | None = None, job: str = "job", **extra: Any
    ) -> tuple[int, Any]:
        client = (browser or self.browser).client
        path = operation.path.replace("{job}", job)
        extra.setdefault("headers", BEARER)
        if operation.method == "GET":
            response = await client.get(path, params=sent, **extra)
        elif isinstance(sent, bytes | io.BytesIO):
            response = await client.post(path, data=sent, **extra)
        else:
            response = await client.post(path, json=sent, **extra)
        return response.status, await response.json()

    async def unprepared(self) -> Browser:
        (self.folder / "unprepared").mkdir()
        world = await self.stack.enter_async_context(aggregation_world(self.folder / "unprepared"))
        return await self.stack.enter_async_context(front_of(await world.start()))

    async def over(self) -> Browser:
        return await self.stack.enter_async_context(front_of(self.service, job=ended()))

    async def guest(self) -> Browser:
        browser = await self.stack.enter_async_context(front_of(self.service))
        await browser.enter(GUEST_SECRET)
        return browser


def ended() -> LabelingJob:
    job = page_job()
    done = Condition(
        type=ConditionType.COMPLETE,
        status=ConditionStatus.TRUE,
        reason="Finished",
        message="done",
        last_transition_time=datetime(2026, 1, 1, tzinfo=UTC),
        observed_generation=1,
    )
    return job.with_status(job.status.model_copy(update={"conditions": (done,)}))


@pytest.fixture
async def server(world: World, tmp_path: Path) -> AsyncIterator[Server]:
    world.write_csv(["id,text", *(f"i{place},text {place}" for place in range(3)), "unasked,nothing"])
    service = await world.start()
    await service.run("StartPrepare", prepare())
    await service.run("StartReview", review(0, await write_selection(service, 0, ["i0", "i1", "i2"])))
    await service.submit(vote("v1", "i0", "ann", "cat"), vote("v2", "i0", "eve", "dog"))
    async with AsyncExitStack() as stack:
        browser = await stack.enter_async_context(front_of(service))
        yield Server(browser, service, stack, tmp_path)


# -- errors: each reason of the contract, brought about on the real front ----------------------------------------------


async def _as_guest(server: Server, operation: Operation) -> tuple[int, Any]:
    return await server.call(operation, GOOD[operation.name], browser=await server.guest(), headers={})


async def _without_anything(server: Server, operation: Operation) -> tuple[int, Any]:
    return await server.call(operation, GOOD[operation.name], headers={})


async def _with_a_wrong_token(server: Server, operation: Operation) -> tuple[int, Any]:
    return await server.call(operation, GOOD[operation.name], headers={"Authorization": f"Bearer {SECRET}x"})


async def _bad(server: Server, operation: Operation) -> tuple[int, Any]:
    return await server.call(operation, BAD[operation.name])


async def _of_another_job(server: Server, operation: Operation) -> tuple[int, Any]:
    return await server.call(operation, GOOD[operation.name], job="nothing")


async def _as_a_form(server: Server, operation: Operation) -> tuple[int, Any]:
    return await server.call(operation, b"a=b", headers=BEARER | {"Content-Type": "text/plain"})


async def _ten_megabytes(server: Server, operation: Operation) -> tuple[int, Any]:
    return await server.call(
        operation, io.BytesIO(b"x" * (10 << 20)), headers=BEARER | {"Content-Type": "application/json"}
    )


async def _away(server: Server, operation: Operation) -> tuple[int, Any]:
    await server.service.server.stop(grace_seconds=0)
    return await server.call(operation, GOOD[operation.name])


async def _unprepared(server: Server, operation: Operation) -> tuple[int, Any]:
    return await server.call(operation, GOOD[operation.name], browser=await server.unprepared())


async def _after_the_end(server: Server, operation: Operation) -> tuple[int, Any]:
    return await server.call(operation, GOOD[operation.name], browser=await server.over())


async def _unknown_item(server: Server, operation: Operation) -> tuple[int, Any]:
    return await server.call(operation, GOOD[operation.name] | {"item": "nothing"})


async def _what_cannot_stand(server: Server, operation: Operation) -> tuple[int, Any]:
    wrong = {"label": "cow"} if operation.name == "decide" else {"item": "i1"}  # the id is that of i0
    return await server.call(operation, GOOD[operation.name] | wrong)


async def _unasked(server: Server, operation: Operation) -> tuple[int, Any]:
    return await server.call(operation, GOOD[operation.name] | {"item": "unasked", "id": "u"})


PROVOKED: dict[str, Callable[[Server, Operation], Awaitable[tuple[int, Any]]]] = {
    "WrongToken": _with_a_wrong_token,
    "NoAccess": _without_anything,
    "InvalidInput": _bad,
    "UnknownJob": _of_another_job,
    "OwnerOnly": _as_guest,
    "NotAdjudicator": _as_guest,
    "ForeignCall": _as_a_form,
    "TooLarge": _ten_megabytes,
    "UNAVAILABLE": _away,
    "NotPrepared": _unprepared,
    "JobIsOver": _after_the_end,
    "UnknownItem": _unknown_item,
    "BadDecision": _what_cannot_stand,
    "NobodyAsked": _unasked,
}


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
async def test_every_operation_answers_as_documented_and_fails_as_documented(
    server: Server, operation: Operation
) -> None:
    status, answer = await server.call(operation, GOOD[operation.name])
    described = DOCUMENT["paths"][operation.path][operation.method.lower()]["responses"]
    assert status == 200, answer
    assert conforms(answer, described["200"]["content"]["application/json"]["schema"], DOCUMENT) == []
    for problem in sorted(problems_of(operation), key=lambda each: each.reason == "UNAVAILABLE"):  # the end of it
        status, answer = await PROVOKED[problem.reason](server, operation)
        assert (status, answer["error"]["reason"]) == (problem.status, problem.reason), answer
        assert conforms(answer, described[str(status)]["content"]["application/json"]["schema"], DOCUMENT) == []
        assert problem.reason in described[str(status)]["x-reasons"]


async def test_the_front_serves_the_contract_and_exactly_its_operations(server: Server) -> None:
    response = await server.browser.client.get("/openapi.json")
    assert await response.json() == DOCUMENT
    served = {
        (route.method, route.resource.canonical)
        for route in server.browser.client.app.router.routes()
        if route.resource.canonical.startswith("/api/v1/") and route.method != "HEAD"
    }
    assert served == {(each.method, each.path) for each in OPERATIONS}


async def test_the_page_of_the_contract_names_every_operation_and_reason_and_loads_nothing_from_elsewhere(
    server: Server,
) -> None:
    text = await server.browser.text("/api")
    for operation in OPERATIONS:
        assert f"{operation.method} {operation.path}" in text
        assert all(problem.reason in text for problem in problems_of(operation))
    assert "http://" not in text.replace("http://host/enter/TOKEN", "")
    assert "https://" not in text


# -- votes of others --------------------------------------------------------------------------------------------------


async def push(server: Server, *votes: dict[str, Any]) -> Any:
    operation = NAMED["push_votes"]
    status, answer = await server.call(operation, {"votes": list(votes)})
    assert status == 200, answer
    return answer


def pushed(vote_id: str, label: str = "cat", **extra: Any) -> dict[str, Any]:
    return {"vote_id": vote_id, "item": "i1", "label": label, "annotator": "bob"} | extra


async def test_votes_count_once_and_what_cannot_count_comes_back_with_its_reason(server: Server) -> None:
    first = await push(server, pushed("1"), pushed("2", item="nothing"), pushed("3", "cow"))
    assert (first["accepted"], [each["reason"] for each in first["set_aside"]]) == (1, ["UnknownItem", "UnknownClass"])
    assert (await push(server, pushed("1")))["duplicates"] == 1
    assert (await server.service.progress()).votes_set_aside == 2


async def test_a_clock_that_is_ahead_does_no_harm(server: Server) -> None:
    ahead = datetime.now(UTC) + timedelta(days=400)
    await push(server, pushed("1", time=ahead.isoformat()))
    await push(server, pushed("2", "dog"))  # came later, so it stands
    _, answer = await server.call(NAMED["list_conflicts"], {})
    assert [each["item"] for each in answer["conflicts"]] == ["i0"]
    _, job = await server.call(NAMED["get_job"], {})
    assert job["votes"] == 4
    people = await server.service.inbox.ListPeople(pb.ListPeopleRequest())
    assert max(each.last_seen.ToDatetime(UTC) for each in people.people) <= datetime.now(UTC)


async def test_the_author_of_a_decision_is_who_came_in_whatever_the_body_says(server: Server) -> None:
    decide = NAMED["decide"]
    status, answer = await server.call(decide, GOOD["decide"] | {"annotator": "somebody"})
    assert (status, answer["error"]["message"]) == (400, "annotator: Extra inputs are not permitted")
    await server.call(decide, GOOD["decide"])
    _, audit = await server.call(NAMED["list_audit"], {})
    assert [(each["annotator"], each["did"], each["label"]) for each in audit["deeds"]] == [("ann", "accept", "cat")]


async def test_a_guest_whom_the_job_names_may_decide(server: Server) -> None:
    job = page_job(people=[{"name": "judy", "adjudicator": True}])
    browser = await server.stack.enter_async_context(front_of(server.service, job=job))
    await browser.enter(GUEST_SECRET)
    assert (await browser.call("/api/v1/jobs/job/conflicts"))[0] == 403
    await browser.call("/api/name", {"name": "judy"})
    assert (await browser.call("/api/v1/jobs/job/conflicts"))[0] == 200
    for path in ("/jobs/job/conflicts", "/jobs/job/audit"):
        assert (await browser.client.get(path)).status == 200


async def test_rules_come_with_shares_and_what_gold_says(server: Server) -> None:
    zeros: dict[str, Any] = {"answers": [[1, 0]], "outvoted": [0], "source": ["rules"]}
    figures = {"hits": [2], "overlaps": [1], "conflicts": [1], "estimated_accuracy": [0.75], "gold_hits": [0]}
    for gold_hits, gold_right, want in ((0, 0, None), (4, 3, 0.75)):
        row = zeros | figures | {"annotator": ["short"], "gold_hits": [gold_hits], "gold_right": [gold_right]}
        table = pa.table({name: row[name] for name in RULE_DIAGNOSTICS.columns.names}, schema=RULE_DIAGNOSTICS.arrow)
        keys = {"part_key": f"rounds/{gold_hits}.parquet", "manifest_key": f"rounds/{gold_hits}.json"}
        reference = await server.service.tables.write_table(table, RULE_DIAGNOSTICS, **keys)
        browser = await server.stack.enter_async_context(front_of(server.service, job=measured(reference)))
        _, answer = await server.call(NAMED["list_rules"], {}, browser=browser)
        rule = answer["rules"][0]
        assert (rule["coverage"], rule["overlap"], rule["conflict"]) == (0.5, 0.25, 0.25)
        assert (rule["estimated_accuracy"], rule["measured_accuracy"], answer["round"]) == (0.75, want, 0)


def measured(reference: str) -> LabelingJob:
    """A job of four items whose first round has measured rules."""
    job = page_job()
    done = StageResult(request_id="r", attempt=1, results={"rule_diagnostics": reference})
    status = job.status.model_copy(
        update={
            "rounds": (RoundStatus(round=0, stages={Stage.AGGREGATE: done}),),
            "progress": job.status.progress.model_copy(update={"items": 4}),
        }
    )
    return job.with_status(status)


async def test_pages_of_adjudication_are_closed_to_guests(server: Server) -> None:
    guest = await server.guest()
    for path in ("/jobs/job/conflicts", "/jobs/job/audit"):
        response = await guest.client.get(path)
        assert response.status == 403
        assert "review.people[].adjudicator" in await response.text()
    assert "/conflicts" not in await guest.text("/jobs/job")


async def test_guests_are_asked_their_part_alone(server: Server) -> None:
    job = page_job(people=[{"name": "guest", "classes": ["dog"]}])  # the machine takes every item for a cat
    browser = await server.stack.enter_async_context(front_of(server.service, job=job))
    await browser.enter(GUEST_SECRET)
    status, answer = await browser.call("lease", {"count": 3})
    assert (status, answer["tasks"]) == (200, [])
    await browser.call("/api/name", {"name": "zoe"})
    assert len((await browser.call("lease", {"count": 3}))[1]["tasks"]) == 2


async def test_two_tabs_decide_and_the_later_stands(server: Server) -> None:
    decide = NAMED["decide"]
    for decision_id, label in (("d", "cat"), ("e", "dog"), ("d", "cat")):
        assert (await server.call(decide, {"id": decision_id, "item": "i0", "label": label}))[0] == 200
    remark = pb.CommentRequest(comment_id="c", annotator="ann", item_id="i0", text="<b>odd</b>")
    await server.service.inbox.Comment(remark)
    _, page = await server.call(NAMED["list_conflicts"], {})
    assert page["conflicts"][0]["decision"]["label"] == "dog"
