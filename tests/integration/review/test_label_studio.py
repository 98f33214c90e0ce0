"""The connector against a real Label Studio, whose people are played by plain calls of its HTTP API."""

import asyncio
import base64
import json
import logging
import random
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from aggregation_world import TOKEN
from label_studio import ANN, BOB, TOKENS, LabelStudio, Person, running_label_studio
from label_studio_world import CLASSES, Asked, asked
from s3_server import ACCESS_KEY, SECRET_KEY, running_s3_server
from service_process import service_process

from labelplane_core.storage import FolderStore
from labelplane_review.errors import LabelStudioAway, NotFoundThere, TokenRefused
from labelplane_review.inbox_client import OpenTask
from labelplane_review.label_studio.forms import label_config

pytestmark = pytest.mark.timeout(900)  # where no database is kept yet, one is made first

FEW = [f"i{number}" for number in range(6)]


def task_of(person: Person, project: int) -> dict[str, int]:
    return {task["data"]["item"]: task["id"] for task in person.tasks(project)}


async def test_300_tasks_come_back_with_edits_and_deletions_as_people_left_them(
    tmp_path: Path, label_studio: LabelStudio
) -> None:
    items = [f"i{number:03d}" for number in range(300)]
    draw = random.Random(1)
    async with asked(tmp_path, label_studio.url, items) as job:
        await job.connector().poll_once()
        with label_studio.person(ANN) as ann, label_studio.person(BOB) as bob:
            tasks = task_of(ann, await job.project())
            assert set(tasks) == set(items)
            truth = {(item, ANN): draw.choice(CLASSES) for item in items}
            numbers = {(item, ANN): ann.annotate(tasks[item], truth[item, ANN]) for item in items[:150]}
            await job.connector().poll_once()
            numbers |= {(item, ANN): ann.annotate(tasks[item], truth[item, ANN]) for item in items[150:]}
            for item in draw.sample(items, 40):
                truth[item, BOB] = draw.choice(CLASSES)
                numbers[item, BOB] = bob.annotate(tasks[item], truth[item, BOB])
            connector = job.connector()
            await connector.poll_once()
            assert await job.answers() == {(*who, label) for who, label in truth.items()}
            for who in draw.sample(sorted(truth), 40):
                truth[who] = CLASSES[1 - CLASSES.index(truth[who])]
                (bob if who[1] == BOB else ann).change(numbers[who], truth[who])
            for who in draw.sample(sorted(truth), 25):
                del truth[who]
                ann.remove(numbers[who])
            await connector.poll_once()
        want = {(*who, label) for who, label in truth.items()}
        assert await job.answers() == want
        assert await job.connector().poll_once() == 0
        assert await job.answers() == want
        progress = await job.service.progress()
        assert progress.votes_set_aside == 0
        assert progress.votes_missing == 600 - len(want)


async def test_an_answer_is_of_who_wrote_it_last_and_not_of_who_is_said_to_have(
    tmp_path: Path, label_studio: LabelStudio
) -> None:
    async with asked(tmp_path, label_studio.url, FEW) as job:
        connector = job.connector()
        await connector.poll_once()
        with label_studio.person(ANN) as ann, label_studio.person(BOB) as bob:
            tasks = task_of(ann, await job.project())
            number_of_bob = bob.get("/api/current-user/whoami")["id"]
            ann.annotate(tasks["i0"], "cat", completed_by=number_of_bob)
            edited = ann.annotate(tasks["i1"], "cat")
            await connector.poll_once()
            assert await job.answers() == {("i0", ANN, "cat"), ("i1", ANN, "cat")}
            bob.change(edited, "dog")
            await connector.poll_once()
            assert await job.answers() == {("i0", ANN, "cat"), ("i1", BOB, "dog")}


async def test_a_person_who_answers_an_item_twice_has_one_vote_the_last(
    tmp_path: Path, label_studio: LabelStudio
) -> None:
    async with asked(tmp_path, label_studio.url, FEW) as job:
        connector = job.connector()
        await connector.poll_once()
        with label_studio.person(ANN) as ann:
            task = task_of(ann, await job.project())["i0"]
            first = ann.annotate(task, "cat")
            await connector.poll_once()
            second = ann.annotate(task, "dog")
            await connector.poll_once()
            assert await job.answers() == {("i0", ANN, "dog")}
            ann.remove(second)
            await connector.poll_once()
            assert await job.answers() == {("i0", ANN, "cat")}
            ann.change(first, "dog")
            await connector.poll_once()
            assert await job.answers() == {("i0", ANN, "dog")}


async def test_tasks_carry_the_suggestion_and_come_in_the_order_of_asking(
    tmp_path: Path, label_studio: LabelStudio
) -> None:
    async with asked(tmp_path, label_studio.url, FEW) as job:
        await job.connector().poll_once()
        with label_studio.person(ANN) as ann:
            project = await job.project()
            order = []
            for _ in FEW:
                task = ann.get(f"/api/projects/{project}/next/")
                order.append(task["data"]["item"])
                assert task["data"]["text"] == f"text of {order[-1]}"
                assert task["predictions"][0]["result"][0]["value"] == {"choices": ["cat"]}
                ann.annotate(task["id"], "dog")
            assert order == FEW


class DyingFolder(FolderStore):
    """A store at which the connector's process ends: right after its votes are written down."""

    async def create(self, key: str, data: bytes) -> str:
        await super().create(key, data)
        raise asyncio.CancelledError


async def test_a_process_that_dies_between_writing_votes_down_and_sending_them_loses_and_doubles_none(
    tmp_path: Path, label_studio: LabelStudio
) -> None:
    async with asked(tmp_path, label_studio.url, FEW) as job:
        await job.connector().poll_once()
        with label_studio.person(ANN) as ann:
            tasks = task_of(ann, await job.project())
            numbers = [ann.annotate(tasks[item], "cat") for item in FEW[:3]]
            with pytest.raises(asyncio.CancelledError):
                await job.connector(store=DyingFolder(job.world.out)).poll_once()
            assert await job.answers() == set()
            ann.change(numbers[0], "dog")
            ann.remove(numbers[1])
        await job.connector().poll_once()
        assert await job.answers() == {("i0", ANN, "dog"), ("i2", ANN, "cat")}


class LosesAnswers:
    """A client whose process ends right after the server has taken tasks in, or has made the project."""

    def __init__(self, job: Asked, call: str) -> None:
        self._client = job.client()
        self._call = call

    def __getattr__(self, name: str) -> object:
        real = getattr(self._client, name)
        if name != self._call:
            return real

        async def call(*words: object) -> None:
            await real(*words)
            raise asyncio.CancelledError

        return call


@pytest.mark.parametrize("call", ["create_project", "import_tasks"])
async def test_a_process_that_dies_before_it_hears_what_was_made_makes_no_second(
    tmp_path: Path, label_studio: LabelStudio, call: str
) -> None:
    async with asked(tmp_path, label_studio.url, FEW) as job:
        with label_studio.person(ANN) as ann:
            before = ann.get("/api/projects/")["count"]
            with pytest.raises(asyncio.CancelledError):
                await job.connector(LosesAnswers(job, call)).poll_once()
            await job.connector().poll_once()
            assert ann.get("/api/projects/")["count"] == before + 1
            assert len(ann.tasks(await job.project())) == len(FEW)


async def test_what_cannot_count_is_set_aside_with_its_place_and_takes_back_what_it_was_before(
    tmp_path: Path, label_studio: LabelStudio, caplog: pytest.LogCaptureFixture
) -> None:
    async with asked(tmp_path, label_studio.url, FEW) as job:
        connector = job.connector()
        await connector.poll_once()
        project = await job.project()
        with label_studio.person(ANN) as ann:
            tasks = task_of(ann, project)
            good = ann.annotate(tasks["i0"], "cat")
            ann.annotate(tasks["i1"], "horse")
            ann.post(f"/api/tasks/{tasks['i2']}/annotations/", {"result": []})
            ann.post(f"/api/tasks/{tasks['i3']}/annotations/", {"result": [], "was_cancelled": True})
            ann.post(f"/api/projects/{project}/import", [{"data": {"text": "a stray one"}}])
            await connector.poll_once()
            assert await job.answers() == {("i0", ANN, "cat")}
            assert (await job.service.progress()).votes_set_aside == 2
            ann.change(good, "horse")
            await connector.poll_once()
            assert await job.answers() == set()
        await job.connector().poll_once()
        assert (await job.service.progress()).votes_set_aside == 3
    told = [record.message for record in caplog.records if "set aside" in record.message]
    assert any("'horse' is none of the job's classes" in line and f"task {tasks['i1']}" in line for line in told)


async def test_an_interface_that_was_changed_by_hand_is_told_and_other_votes_count(
    tmp_path: Path, label_studio: LabelStudio
) -> None:
    async with asked(tmp_path, label_studio.url, FEW) as job:
        connector = job.connector()
        await connector.poll_once()
        project = await job.project()
        with label_studio.person(ANN) as ann:
            tasks = task_of(ann, project)
            config = ann.get(f"/api/projects/{project}/")["label_config"]
            ann.annotate(tasks["i0"], "cat")
            ann.patch(f"/api/projects/{project}/", {"label_config": config.replace('value="dog"', 'value="horse"')})
            await connector.poll_once()
            problem = (await job.service.progress()).connector_problem
            assert "was changed by hand: 'dog' cannot be chosen" in problem
            assert await job.answers() == {("i0", ANN, "cat")}
            ann.patch(f"/api/projects/{project}/", {"label_config": config})
            await connector.poll_once()
            assert (await job.service.progress()).connector_problem == ""


async def test_a_project_that_was_deleted_keeps_its_votes_and_is_made_again_for_the_open_items(
    tmp_path: Path, label_studio: LabelStudio
) -> None:
    async with asked(tmp_path, label_studio.url, FEW, votes_per_item=1) as job:
        connector = job.connector()
        await connector.poll_once()
        first = await job.project()
        with label_studio.person(ANN) as ann:
            ann.annotate(task_of(ann, first)["i0"], "cat")
            await connector.poll_once()
            ann.delete(f"/api/projects/{first}/")
            await connector.poll_once()
            second = await job.project()
            assert second != first
            tasks = task_of(ann, second)
            assert set(tasks) == set(FEW[1:])
            ann.annotate(tasks["i1"], "dog")
        await job.connector().poll_once()
        assert await job.answers() == {("i0", ANN, "cat"), ("i1", ANN, "dog")}


async def test_a_task_that_was_removed_keeps_its_votes(tmp_path: Path, label_studio: LabelStudio) -> None:
    async with asked(tmp_path, label_studio.url, FEW, votes_per_item=2) as job:
        connector = job.connector()
        await connector.poll_once()
        with label_studio.person(ANN) as ann:
            project = await job.project()
            task = task_of(ann, project)["i0"]
            ann.annotate(task, "cat")
            await connector.poll_once()
            ann.delete(f"/api/tasks/{task}/")
            await connector.poll_once()
            assert await job.answers() == {("i0", ANN, "cat")}
            again = task_of(ann, project)["i0"]
            assert again != task
            ann.annotate(again, "dog")
            await connector.poll_once()
        assert await job.answers() == {("i0", ANN, "dog")}


async def test_a_personal_token_works_and_a_wrong_one_of_either_kind_is_told(
    tmp_path: Path, label_studio: LabelStudio
) -> None:
    async with asked(tmp_path, label_studio.url, FEW) as job:
        personal = label_studio.personal_token(BOB)
        client = job.client(personal)
        await job.connector(client).poll_once()
        client._access = "run-out"  # as after five minutes
        await job.connector(client).poll_once()
        assert (await job.service.progress()).connector_address.startswith(label_studio.url)
        for wrong in ("c" * 40, personal[:-3] + "abc"):
            with pytest.raises(TokenRefused, match=r"put .* into the Secret"):
                await job.connector(job.client(wrong)).poll_once()


async def test_annotations_of_a_project_that_is_there_count_from_the_start(
    tmp_path: Path, label_studio: LabelStudio
) -> None:
    async with asked(tmp_path, label_studio.url, FEW) as job:
        config = (
            '<View><Text name="words" value="$body"/><Choices name="kind" toName="words">'
            '<Choice value="cat"/><Choice value="dog"/></Choices></View>'
        )
        with label_studio.person(ANN) as ann:
            project = ann.post("/api/projects/", {"title": "begun elsewhere", "label_config": config})["id"]
            ann.post(f"/api/projects/{project}/import", [{"data": {"body": "text of i0"}}])
            ann.annotate(ann.tasks(project)[0]["id"], "dog", control="kind", target="words")
            await job.connector(number=project).poll_once()
            assert await job.answers() == {("i0", ANN, "dog")}
            shown = [task["data"]["body"] for task in ann.tasks(project)]
            assert sorted(shown) == [f"text of {item}" for item in FEW]
        with pytest.raises(NotFoundThere):
            await job.connector(number=999_999).poll_once()


async def test_images_of_a_folder_stand_in_their_tasks(tmp_path: Path, label_studio: LabelStudio) -> None:
    async with asked(tmp_path, label_studio.url, ["a.png", "b.png"]) as job:
        await job.connector().poll_once()
        with label_studio.person(ANN) as ann:
            tasks = {task["data"]["item"]: task for task in ann.tasks(await job.project())}
            encoded = base64.b64encode((tmp_path / "data/a.png").read_bytes()).decode()
            assert tasks["a.png"]["data"]["image"] == f"data:image/png;base64,{encoded}"
            ann.annotate(tasks["a.png"]["id"], "dog", target="image")
        await job.connector().poll_once()
        progress = await job.service.progress()
        assert (progress.votes, progress.votes_set_aside) == (1, 0)


async def test_a_process_of_its_own_gives_images_of_a_bucket_addresses_that_browsers_open(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, label_studio: LabelStudio
) -> None:
    with running_s3_server(tmp_path_factory.mktemp("s3")) as s3:
        bucket = s3.make_bucket("items")
        async with asked(tmp_path, label_studio.url, ["a.png", "b c.png"]) as job:
            for name in job.items:
                (s3.buckets / "items" / name).write_bytes((tmp_path / "data" / name).read_bytes())
            settings = {
                "CONNECTOR": "LabelStudio",
                "INBOX_ADDRESS": job.service.address,
                "TOKEN": TOKEN,
                "CLASSES": json.dumps(CLASSES),
                "VOTES_PER_ITEM": "1",
                "POLL_SECONDS": "0.2",
                "STORE_URI": job.world.out.as_uri(),
                "DATA_URI": bucket,
                "LABEL_STUDIO_URL": label_studio.url,
                "LABEL_STUDIO_TOKEN": TOKENS[ANN],
                "LABEL_STUDIO_TITLE": "team/images",
                "LABEL_STUDIO_IMAGES": "Presigned",
                "S3_ENDPOINT": s3.endpoint,
                "S3_ALLOW_HTTP": "true",
                "S3_ACCESS_KEY": ACCESS_KEY,
                "S3_SECRET_KEY": SECRET_KEY,
            }
            environment = {f"LABELPLANE_{name}": value for name, value in settings.items()}
            async with service_process("labelplane_review", environment) as process:
                while not (await job.service.progress()).connector_address:  # noqa: ASYNC110 - another process
                    await asyncio.sleep(0.1)
                with label_studio.person(ANN) as ann:
                    tasks = ann.tasks(await job.project())
                    for task in tasks:
                        shown = await asyncio.to_thread(httpx.get, task["data"]["image"])
                        assert shown.content == (tmp_path / "data" / task["data"]["item"]).read_bytes()
                    ann.annotate(tasks[0]["id"], "cat", target="image")
                    while not (await job.service.progress()).votes:  # noqa: ASYNC110 - another process
                        await asyncio.sleep(0.1)
                assert await process.stop() == 0
            assert len(tasks) == 2


async def test_classes_that_a_job_gets_later_can_be_chosen(tmp_path: Path, label_studio: LabelStudio) -> None:
    async with asked(tmp_path, label_studio.url, FEW) as job:
        await job.connector().poll_once()
        await job.connector(classes=(*CLASSES, "owl")).poll_once()
        assert (await job.service.progress()).connector_problem == ""
        with label_studio.person(ANN) as ann:
            config = ann.get(f"/api/projects/{await job.project()}/")["label_config"]
        assert config == label_config((*CLASSES, "owl"), is_image=False)


class ShortAddresses:
    """Addresses that work for a day at first, and for a week from the second on."""

    tasks_a_page = 2

    def __init__(self) -> None:
        self.given: dict[str, int] = {}

    async def show(self, task: OpenTask) -> str:
        count = self.given[task.item_id] = self.given.get(task.item_id, 0) + 1
        days = 1 if count == 1 else 7
        signed = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        return f"https://s3/{task.item_id}?X-Amz-Date={signed}&X-Amz-Expires={days * 86_400}&count={count}"


async def test_addresses_of_open_items_are_renewed_before_they_end(tmp_path: Path, label_studio: LabelStudio) -> None:
    async with asked(tmp_path, label_studio.url, FEW, votes_per_item=1) as job:
        contents = ShortAddresses()
        await job.connector(contents=contents).poll_once()
        await job.connector(contents=contents).poll_once()
        assert contents.given == dict.fromkeys(FEW, 2)
        with label_studio.person(ANN) as ann:
            shown = {task["data"]["item"]: task["data"]["text"] for task in ann.tasks(await job.project())}
        assert {item: address[-1] for item, address in shown.items()} == dict.fromkeys(FEW, "2")


async def test_a_process_without_its_settings_ends_with_one_line() -> None:
    environment = {"LABELPLANE_CONNECTOR": "LabelStudio", "LABELPLANE_INBOX_ADDRESS": "127.0.0.1:9"}
    async with service_process("labelplane_review", environment | {"LABELPLANE_TOKEN": "t"}) as process:
        assert await process.ended() == 2
    assert process.lines == [
        "labelplane review: set LABELPLANE_LABEL_STUDIO_URL: the connector to Label Studio needs it\n"
    ]


async def test_a_server_that_is_away_is_told_and_looked_at_again(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    folder: Path = tmp_path_factory.mktemp("own-label-studio")
    with running_label_studio(folder) as server:
        url = server.url
    async with asked(tmp_path, url, FEW) as job:
        with pytest.raises(LabelStudioAway):
            await job.connector().poll_once()
        stop = asyncio.Event()
        connector = job.connector()
        running = asyncio.create_task(connector.run(stop))
        while "does not answer" not in (await job.service.progress()).connector_problem:  # noqa: ASYNC110 - another's
            await asyncio.sleep(0.05)
        assert not running.done()
        with running_label_studio(folder, port=int(url.rsplit(":", 1)[1])):
            while (await job.service.progress()).connector_problem:  # noqa: ASYNC110 - another process has no event
                await asyncio.sleep(0.05)
            with server.person(ANN) as ann:
                assert len(ann.tasks(await job.project())) == len(FEW)
            stop.set()
            await running
    assert [r.levelno for r in caplog.records if "does not answer" in r.message] == [logging.WARNING]
