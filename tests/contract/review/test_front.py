"""The front over a real inbox: who comes in, what pages may do, and how every error looks to them."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aggregation_world import Service, World, image_task, prepare, review, vote_stage, write_selection
from front_world import SECRET, Browser, front_of, page_job

from labelplane_core.tables import VOTES, current_votes

HOSTILE = "<script>window.hacked = true</script>"
ITEMS = [f"i{k}" for k in range(4)]


async def asking(world: World, *, votes_per_item: int = 1) -> Service:
    world.write_csv(["id,text", *(f'{item},"{HOSTILE} {item}"' for item in ITEMS)])
    service = await world.start()
    await service.run("StartPrepare", prepare())
    await service.run("StartReview", review(0, await write_selection(service, 0, ITEMS), votes_per_item=votes_per_item))
    return service


@pytest.fixture
async def service(world: World) -> Service:
    return await asking(world)


@pytest.fixture
async def browser(service: Service) -> AsyncIterator[Browser]:
    async with front_of(service) as made:
        await made.enter()
        yield made


def vote_of(task: dict[str, Any], vote_id: str = "v1", answer: str = "cat", **extra: Any) -> dict[str, Any]:
    return {"id": vote_id, "item": task["item"], "answer": answer, "lease": task["lease"]} | extra


async def leased(browser: Browser, count: int = 1) -> list[dict[str, Any]]:
    status, answer = await browser.call("lease", {"count": count})
    assert status == 200, answer
    tasks: list[dict[str, Any]] = answer["tasks"]
    return tasks


async def counting(service: Service) -> list[dict[str, Any]]:
    operation = await service.run("StartVote", vote_stage(1))
    rows: list[dict[str, Any]] = current_votes(await service.tables.read(operation.results["votes"], VOTES)).to_pylist()
    return rows


# -- who comes in -----------------------------------------------------------------------------------------------------


async def test_nobody_comes_in_without_the_link(service: Service) -> None:
    async with front_of(service) as stranger:
        for path in ("/", "/t/job", "/jobs", "/jobs/job"):
            response = await stranger.client.get(path)
            assert response.status == 403
            assert "open the link that labelplane run prints" in await response.text()
        for what in ("events", "comments", "doubtful", "content/x"):
            assert (await stranger.call(what))[0] == 403
        status, answer = await stranger.call("lease", {"count": 1})
        assert (status, answer["error"]["reason"]) == (403, "NoAccess")
        assert await stranger.enter("secret-of-the-tesT") == 403
        assert await stranger.enter("geheim-ü") == 403
        assert (await stranger.client.get("/enter/%FF%ED%A0%80")).status == 403


async def test_the_link_leads_to_the_tasks_and_its_cookie_is_out_of_scripts_reach(browser: Browser) -> None:
    response = await browser.client.get(f"/enter/{SECRET}", allow_redirects=False)
    assert (response.status, response.headers["Location"]) == (303, "/")
    cookie = response.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Label job" in await browser.text("/")


async def test_a_name_that_leads_here_from_elsewhere_is_not_served(browser: Browser) -> None:
    response = await browser.client.get("/t/job", headers={"Host": "evil.example"})
    assert response.status == 403


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Content-Type": "text/plain"}, id="a form of another site"),
        pytest.param({"Content-Type": "application/json", "Sec-Fetch-Site": "cross-site"}, id="a script of another"),
        pytest.param({"Content-Type": "application/json", "Sec-Fetch-Site": "same-site"}, id="another port"),
    ],
)
async def test_what_other_sites_ask_the_browser_to_do_is_refused(browser: Browser, headers: dict[str, str]) -> None:
    response = await browser.client.post("/api/jobs/job/lease", data=b'{"count": 1}', headers=headers)
    assert (response.status, (await response.json())["error"]["reason"]) == (403, "ForeignCall")


async def test_every_answer_forbids_what_is_not_ours(browser: Browser) -> None:
    for path in ("/t/job", "/jobs", "/nowhere", "/assets/x/page.css", "/api/jobs/job/comments"):
        response = await browser.client.get(path)
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"


# -- answers ----------------------------------------------------------------------------------------------------------


async def test_a_vote_is_of_the_person_who_came_in_whatever_the_page_says(browser: Browser, service: Service) -> None:
    (task,) = await leased(browser)
    body = {"votes": [vote_of(task, annotator="boss", age_seconds=3600, lead_seconds=2.5, suggestion_shown=True)]}
    status, answer = await browser.call("votes", body)
    assert (status, answer["accepted"], answer["standing"]["person"]["votes"]) == (200, 1, 1)
    (row,) = await counting(service)
    assert (row["annotator"], row["answer"], row["lead_time_seconds"], row["suggestion_shown"]) == (
        "ann",
        "cat",
        2.5,
        True,
    )
    age = datetime.now(UTC) - row["time"]
    assert timedelta(hours=1) <= age < timedelta(hours=2)


async def test_a_person_may_take_another_name(browser: Browser) -> None:
    assert (await browser.call("/api/name", {"name": "  Zoë   Müller "}))[0] == 200
    (task,) = await leased(browser)
    _, answer = await browser.call("votes", {"votes": [vote_of(task)]})
    assert answer["standing"]["person"]["name"] == "Zoë Müller"
    for name in ("", "   ", "x" * 65, "a\x00b"):
        assert (await browser.call("/api/name", {"name": name}))[0] == 400


async def test_votes_sent_again_count_once_and_bad_ones_come_back_with_their_reason(browser: Browser) -> None:
    one, two = await leased(browser, 2)
    votes = [vote_of(one), vote_of(two, "v2", "cow"), vote_of(one, "v3", lease="")]
    first, again = await browser.call("votes", {"votes": votes[:1]}), await browser.call("votes", {"votes": votes})
    assert (first[1]["accepted"], again[1]["accepted"], again[1]["duplicates"]) == (1, 0, 1)
    assert [(each["id"], each["reason"]) for each in again[1]["set_aside"]] == [
        ("v2", "UnknownClass"),
        ("v3", "NotLeased"),
    ]


async def test_skip_and_undo(browser: Browser) -> None:
    (task,) = await leased(browser)
    assert (await browser.call("skip", {"lease": task["lease"]}))[1]["standing"]["tasks_open"] == 3
    assert (await browser.call("skip", {"lease": task["lease"], "undo": True}))[1]["standing"]["tasks_open"] == 4
    status, answer = await browser.call("skip", {"lease": "nonsense"})
    assert (status, answer["error"]["reason"]) == (409, "NotLeased")


async def test_agreement_is_shown_from_five_gold_answers_on_and_only_when_the_job_allows(world: World) -> None:
    items = [f"g{k}" for k in range(8)]
    world.write_csv(["id,text,known", *(f"{item},text {item},cat" for item in items)])
    service = await world.start()
    await service.run("StartPrepare", prepare(gold_field="known"))
    await service.run("StartReview", review(0, await write_selection(service, 0, items), votes_per_item=1))
    async with front_of(service) as browser:
        await browser.enter()
        shown = []
        for place, task in enumerate(await leased(browser, 6)):
            body = {"votes": [vote_of(task, f"v{place}", "dog" if place == 5 else "cat")]}
            shown.append((await browser.call("votes", body))[1]["standing"]["person"]["agreement"])
        assert shown == [None, None, None, None, 1.0, 5 / 6]
        browser.jobs.job = page_job(showAgreement=False)
        (task,) = await leased(browser)
        answer = (await browser.call("votes", {"votes": [vote_of(task, "last")]}))[1]
        assert answer["standing"]["person"]["agreement"] is None


# -- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "body", "words"),
    [
        pytest.param("lease", {"count": 21}, "count: Input should be less than or equal to 20", id="too many tasks"),
        pytest.param("votes", {"votes": []}, "votes: ", id="no votes"),
        pytest.param("votes", {"votes": [{"item": "i0"}]}, "votes.0.id: Field required", id="no id"),
        pytest.param("votes", {"votes": [{"id": "x", "item": "i", "age_seconds": -1}]}, "age_seconds", id="future"),
        pytest.param("comments", {"id": "c", "item": "i0", "text": "x" * 4001}, "text: ", id="long comment"),
        pytest.param("votes", [], "Input should be", id="another shape"),
    ],
)
async def test_body_that_is_wrong_is_refused_by_field(browser: Browser, what: str, body: Any, words: str) -> None:
    status, answer = await browser.call(what, body)
    assert (status, answer["error"]["reason"]) == (400, "InvalidInput")
    assert words in answer["error"]["message"]


async def test_comment_of_ten_megabytes_is_refused_before_it_is_read(browser: Browser) -> None:
    body = io.BytesIO(json.dumps({"id": "c", "item": "i0", "text": "x" * 10_000_000}).encode())
    headers = {"Content-Type": "application/json"}
    response = await browser.client.post("/api/jobs/job/comments", data=body, headers=headers)
    assert (response.status, (await response.json())["error"]["reason"]) == (413, "TooLarge")


async def test_what_is_not_there_is_404(browser: Browser) -> None:
    assert (await browser.call("/api/jobs/other/lease", {"count": 1}))[1]["error"]["reason"] == "UnknownJob"
    assert (await browser.call("comments", {"id": "c", "item": "gone", "text": "t"}))[1]["error"] == {
        "reason": "UnknownItem",
        "message": "item 'gone' is not in the data set",
    }
    assert (await browser.client.get("/assets/x/secrets.txt")).status == 404
    assert "no job &#39;&lt;b&gt;&#39; here" in await browser.text("/t/%3Cb%3E")


async def test_a_service_that_is_away_is_503_and_the_vote_may_be_sent_again(
    world: World, service: Service, browser: Browser
) -> None:
    (task,) = await leased(browser)
    service.store.is_away = True
    assert (await browser.call("votes", {"votes": [vote_of(task)]}))[0] == 503
    service.store.is_away = False
    assert (await browser.call("votes", {"votes": [vote_of(task)]}))[1]["accepted"] == 1
    await world.kill(service)
    status, answer = await browser.call("votes", {"votes": [vote_of(task)]})
    assert (status, answer["error"]["reason"]) == (503, "UNAVAILABLE")


async def test_a_job_that_is_not_prepared_has_no_tasks_and_takes_no_vote_yet(world: World) -> None:
    async with front_of(await world.start()) as browser:
        await browser.enter()
        assert await leased(browser) == []
        status, answer = await browser.call("votes", {"votes": [{"id": "v", "item": "i0", "answer": "cat"}]})
        assert (status, answer["error"]["reason"]) == (503, "NotPrepared")


# -- content ----------------------------------------------------------------------------------------------------------


async def test_images_are_streamed_and_texts_stand_in_the_answer(world: World) -> None:
    world.write_image("a.png")
    service = await world.start()
    await service.run("StartPrepare", prepare(task=image_task()))
    selection = await write_selection(service, 0, ["a.png"])
    await service.run("StartReview", review(0, selection, task=image_task(), votes_per_item=1))
    async with front_of(service) as browser:
        await browser.enter()
        (task,) = await leased(browser)
        response = await browser.client.get(task["image"])
        assert (response.status, response.content_type) == (200, "image/png")
        assert await response.read() == (world.data / "a.png").read_bytes()
        (world.data / "a.png").unlink()
        status, answer = await browser.call(task["image"])
        assert (status, answer["error"]["reason"]) == (404, "ItemGone")
        assert (await browser.call("content/forged"))[1]["error"]["reason"] == "BadTicket"


async def test_guidelines_run_nothing_and_load_nothing(service: Service) -> None:
    words = f"# Rules\n\n{HOSTILE}\n\n**bold** [link](javascript:alert(1)) ![x](https://evil.example/x.png)"
    async with front_of(service, job=page_job(guidelines=words)) as browser:
        await browser.enter()
        text = await browser.text("/t/job")
    assert "<h1>Rules</h1>" in text
    assert "<strong>bold</strong>" in text
    assert "&lt;script&gt;window.hacked" in text
    assert HOSTILE not in text
    assert 'href="javascript' not in text
    assert "<img src" not in text


async def test_names_in_pages_are_escaped(service: Service) -> None:
    job = page_job().model_copy(deep=True)
    spec = job.spec.model_copy(update={"task": job.spec.task.model_copy(update={"classes": (HOSTILE, "b")})})
    async with front_of(service, job=job.model_copy(update={"spec": spec})) as browser:
        await browser.enter()
        await browser.call("/api/name", {"name": '"><script>x'})
        text = await browser.text("/t/job")
    assert HOSTILE not in text
    assert '"><script>x' not in text
    assert "\\u003cscript\\u003ewindow.hacked" in text


# -- the job's page ---------------------------------------------------------------------------------------------------


async def next_view(response: Any) -> dict[str, Any]:
    while not (line := await asyncio.wait_for(response.content.readline(), timeout=60)).startswith(b"data: "):
        assert line, "the stream ended"
    view: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
    return view


async def test_events_tell_the_standing_and_every_change(browser: Browser) -> None:
    response = await browser.client.get("/api/jobs/job/events")
    assert response.content_type == "text/event-stream"
    first = await next_view(response)
    assert (first["votes"], first["tasks_open"], first["people"]) == (0, 4, [])
    (task,) = await leased(browser)
    await browser.call("votes", {"votes": [vote_of(task)]})
    second = await next_view(response)
    assert (second["votes"], second["people"][0]["name"]) == (1, "ann")
    response.close()


async def test_remarks_are_listed_as_they_were_written(browser: Browser) -> None:
    await browser.call("comments", {"id": "c1", "item": "i0", "text": HOSTILE})
    await browser.call("comments", {"id": "c1", "item": "i0", "text": HOSTILE})
    (found,) = (await browser.call("comments"))[1]["comments"]
    assert (found["name"], found["item"], found["text"]) == ("ann", "i0", HOSTILE)


async def test_several_jobs_are_listed(browser: Browser) -> None:
    browser.jobs.others = ("second",)
    text = await browser.text("/jobs")
    assert 'href="/jobs/second"' in text
    assert 'href="/t/job"' in text


async def test_the_list_of_jobs_tells_their_standing_and_every_change(browser: Browser) -> None:
    response = await browser.client.get("/api/events")
    (first,) = (await next_view(response))["jobs"]
    assert (first["name"], first["path"], first["round"], first["stage"]) == ("job", "job", None, "Starting")
    browser.jobs.others = ("second",)
    assert [each["name"] for each in (await next_view(response))["jobs"]] == ["job", "second"]
    response.close()
