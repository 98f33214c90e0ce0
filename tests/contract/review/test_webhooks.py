"""Webhooks against a real receiver: signed, in order, at least once with one id, over outages and restarts."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer
from front_world import page_job

from labelplane_api.conditions import Condition, ConditionStatus, ConditionType
from labelplane_api.job import LabelingJob
from labelplane_api.status import RoundStatus, Stage, StageResult
from labelplane_core.errors import InvalidInput
from labelplane_review.webhooks.addresses import GuardedResolver, checked_url
from labelplane_review.webhooks.events import implied_events
from labelplane_review.webhooks.outbox import Outbox
from labelplane_review.webhooks.sender import Webhooks, running_webhooks
from labelplane_review.webhooks.settings import WebhookSettings

SECRET = "whsec_" + base64.b64encode(b"a secret of the test, 24").decode()
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass
class Receiver:
    """A system that is told: it answers what the test says, and keeps what came."""

    answers: list[int] = field(default_factory=list)
    got: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    elsewhere: int = 0
    url: str = ""
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        verify(request.headers, body)
        self.got.append((request.headers["webhook-id"], json.loads(body)))
        self.news.set()
        status = self.answers.pop(0) if self.answers else 204
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 302 else {})

    async def wrong(self, request: web.Request) -> web.Response:
        del request
        self.elsewhere += 1
        return web.Response()

    async def until(self, count: int) -> list[str]:
        """Wait for so many calls and return their types."""
        while len(self.got) < count:
            self.news.clear()
            await self.news.wait()
        return [body["type"] for _, body in self.got]


def verify(headers: Any, body: bytes) -> None:
    """Check a signature as the Standard Webhooks specification says, by its words alone."""
    signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    mac = hmac.new(base64.b64decode(SECRET.removeprefix("whsec_")), signed, hashlib.sha256)
    assert headers["webhook-signature"] == "v1," + base64.b64encode(mac.digest()).decode()
    assert headers["Content-Type"] == "application/json"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.add_routes([web.post("/hook", made.take), web.route("*", "/elsewhere", made.wrong)])
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    made.url = str(server.make_url("/hook"))
    yield made
    await server.close()


def job_at(*, rounds: int = 0, waits_since: datetime | None = None, complete: datetime | None = None) -> LabelingJob:
    job = page_job()
    done = StageResult(request_id="r", attempt=1, finished=NOON)
    conditions = [
        Condition(
            type=kind,
            status=ConditionStatus.TRUE,
            reason="Because",
            message="words",
            last_transition_time=since,
            observed_generation=1,
        )
        for kind, since in (
            (ConditionType.WAITING_FOR_ANNOTATIONS, waits_since),
            (ConditionType.COMPLETE, complete),
        )
        if since is not None
    ]
    numbered = tuple(RoundStatus(round=number, stages={Stage.REVIEW: done}) for number in range(rounds))
    return job.with_status(job.status.model_copy(update={"rounds": numbered, "conditions": tuple(conditions)}))


@asynccontextmanager
async def sending(receiver: Receiver, path: Path, *, urls: tuple[str, ...] = ()) -> AsyncIterator[Webhooks]:
    """Send as `running_webhooks` does, without pauses between attempts."""
    settings = WebhookSettings(urls or (receiver.url,), SECRET)

    async def at_once(_: float) -> None:
        await asyncio.sleep(0)

    async with running_webhooks(settings, Outbox.read(path), now=lambda: NOON, sleep=at_once) as webhooks:
        yield webhooks


async def test_a_jobs_life_is_told_in_order_each_once(receiver: Receiver, tmp_path: Path) -> None:
    async with sending(receiver, tmp_path / "w.json") as webhooks:
        for job in (
            job_at(),
            job_at(rounds=1),
            job_at(rounds=1, waits_since=NOON),
            job_at(rounds=1, waits_since=NOON),
            job_at(rounds=2),
            job_at(rounds=2, waits_since=NOON + timedelta(hours=1)),
            job_at(rounds=2, complete=NOON + timedelta(hours=2)),
        ):
            await webhooks.see(job)
        want = ["batch.ready", "job.waiting", "batch.ready", "job.waiting", "job.complete"]
        assert await receiver.until(5) == want
        await webhooks.settle()
    assert len({event_id for event_id, _ in receiver.got}) == 5
    assert receiver.got[0][1]["data"] == {"job": "job", "uid": "uid", "round": 0}
    assert receiver.got[-1][1]["data"]["message"] == "words"


async def test_what_is_not_confirmed_is_sent_again_under_one_id(receiver: Receiver, tmp_path: Path) -> None:
    receiver.answers = [500, 404, 302]
    async with sending(receiver, tmp_path / "w.json") as webhooks:
        await webhooks.see(job_at(rounds=1))
        await receiver.until(4)
        await webhooks.settle()
    assert len({event_id for event_id, _ in receiver.got}) == 1
    assert receiver.elsewhere == 0  # no redirection is followed


async def test_a_restart_sends_what_was_not_confirmed_and_nothing_else(receiver: Receiver, tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    settings = WebhookSettings((receiver.url,), SECRET)

    async def dead(url: str, body: bytes, headers: dict[str, str]) -> int:
        raise OSError("no route")

    async def never(_: float) -> None:
        await asyncio.Event().wait()

    first = Webhooks(settings, Outbox.read(path), dead, now=lambda: NOON, sleep=never)
    await first.see(job_at(rounds=1))
    running = asyncio.create_task(first.run())
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    async with sending(receiver, path) as webhooks:
        await webhooks.see(job_at(rounds=1))
        assert await receiver.until(1) == ["batch.ready"]
        await webhooks.settle()
    async with sending(receiver, path) as webhooks:
        await webhooks.see(job_at(rounds=1))
        await webhooks.settle()
    assert len(receiver.got) == 1


async def test_an_address_that_is_dead_holds_no_other_up(receiver: Receiver, tmp_path: Path) -> None:
    urls = ("http://127.0.0.1:9/dead", receiver.url)
    settings = WebhookSettings(urls, SECRET)
    tried = asyncio.Event()

    async def never(_: float) -> None:
        tried.set()
        await asyncio.Event().wait()

    outbox = Outbox.read(tmp_path / "w.json")
    async with running_webhooks(settings, outbox, now=lambda: NOON, sleep=never, farewell_seconds=0) as webhooks:
        await webhooks.see(job_at(rounds=2))
        await receiver.until(2)
        await tried.wait()
    assert [(len(urls), next(iter(urls))) for _, urls in outbox.waiting] == [(1, "http://127.0.0.1:9/dead")] * 2


async def test_pauses_grow_and_after_three_days_an_event_is_given_up(tmp_path: Path) -> None:
    now, pauses = [NOON], []

    async def dead(url: str, body: bytes, headers: dict[str, str]) -> int:
        return 503

    async def later(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += timedelta(seconds=seconds)

    outbox = Outbox.read(tmp_path / "w.json")
    webhooks = Webhooks(WebhookSettings(("http://h/",), SECRET), outbox, dead, now=lambda: now[0], sleep=later)
    await webhooks.see(job_at(rounds=1))
    running = asyncio.create_task(webhooks.run())
    await webhooks.settle()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert pauses[:4] == [1, 2, 4, 8]
    assert max(pauses) == 600
    assert 3 * 86_400 <= sum(pauses) <= 3 * 86_400 + 1200


def test_the_same_happening_has_the_same_id_whoever_tells_of_it() -> None:
    job = job_at(rounds=2, waits_since=NOON)
    first = [each.event_id for each in implied_events(job, now=NOON)]
    assert first == [each.event_id for each in implied_events(job, now=NOON + timedelta(days=1))]
    assert len(set(first)) == 3


def test_a_file_that_is_damaged_is_an_empty_outbox(tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    path.write_text('{"known": [], "waiting": [{"event"')
    assert Outbox.read(path).waiting == []


# -- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://host/x",
        "gopher://host",
        "http://",
        "https://user:word@host/",
        "http://169.254.169.254/latest",
        "http://[fe80::1%25eth0]/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00:ec2::254]/",
        "http://0.0.0.0/",
        "http://224.0.0.1/",
        "http://host:99999/",
        "http://2852039166/latest",
        "http://169.254.43518/latest",
        "host/path",
    ],
)
def test_addresses_to_which_nothing_goes(url: str) -> None:
    with pytest.raises(InvalidInput, match="webhook"):
        checked_url(url)


class Names(AbstractResolver):
    """Names of the test."""

    def __init__(self, *hosts: str) -> None:
        self._hosts = hosts

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> list[ResolveResult]:
        return [ResolveResult(hostname=host, host=each, port=port, family=2, proto=0, flags=0) for each in self._hosts]

    async def close(self) -> None: ...


async def test_a_name_is_looked_at_when_it_is_resolved() -> None:
    mixed = await GuardedResolver(Names("169.254.169.254", "10.0.0.7")).resolve("host")
    assert [each["host"] for each in mixed] == ["10.0.0.7"]
    with pytest.raises(OSError, match="nothing is sent there"):
        await GuardedResolver(Names("169.254.169.254", "fe80::1")).resolve("metadata.internal")


# -- settings ---------------------------------------------------------------------------------------------------------


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    assert WebhookSettings.from_environment({}) is None
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    found = WebhookSettings.from_environment(
        {
            "LABELPLANE_WEBHOOK_URLS": "https://a/x, http://b:1/y https://a/x",
            "LABELPLANE_WEBHOOK_SECRET_FILE": str(tmp_path / "secret"),
        }
    )
    assert found == WebhookSettings(("https://a/x", "http://b:1/y"), SECRET)
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    ("change", "want"),
    [
        pytest.param({"URLS": "file:///x"}, "LABELPLANE_WEBHOOK_URLS: webhook 'file:///x' must be", id="an address"),
        pytest.param({"SECRET": "short"}, "LABELPLANE_WEBHOOK_SECRET: .* 16 bytes or more", id="a short secret"),
        pytest.param({"SECRET": "whsec_%%%"}, "LABELPLANE_WEBHOOK_SECRET: .* no base64", id="no base64"),
        pytest.param({"SECRET": ""}, "LABELPLANE_WEBHOOK_SECRET: ", id="no secret"),
        pytest.param(
            {"SECRET_FILE": "/nowhere"}, "LABELPLANE_WEBHOOK_SECRET_FILE /nowhere: cannot be read", id="no file"
        ),
    ],
)
def test_wrong_settings_name_their_variable(change: dict[str, str], want: str) -> None:
    given = {"URLS": "https://a/", "SECRET": SECRET} | change
    with pytest.raises(InvalidInput, match=want):
        WebhookSettings.from_environment({f"LABELPLANE_WEBHOOK_{name}": value for name, value in given.items()})
