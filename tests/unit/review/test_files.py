"""Votes from files: each row counts once, a bad one is set aside with its place, a growing file is waited for."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelplane_core.storage import ObjectStore, open_store
from labelplane_review.files import FilesConnector, PollTimes
from labelplane_review.inbox_client import NewVote, OpenTask, Rejected


class FakeInbox:
    """Keeps what it is sent; knows some items only."""

    def __init__(self, tasks: Sequence[OpenTask] = (), *, items: frozenset[str] = frozenset({"a", "b", "c"})) -> None:
        self.tasks = list(tasks)
        self.items = items
        self.votes: dict[str, NewVote] = {}
        self.calls = 0

    async def open_tasks(self) -> AsyncIterator[OpenTask]:
        for task in self.tasks:
            yield task

    async def submit(self, votes: Sequence[NewVote], *, origin: str) -> list[Rejected]:
        assert origin
        self.calls += 1
        known = [vote for vote in votes if vote.item_id in self.items]
        self.votes |= {vote.vote_id: vote for vote in known}
        return [
            Rejected(vote.vote_id, "UnknownItem", f"no item {vote.item_id}")
            for vote in votes
            if vote.item_id not in self.items
        ]

    def answers(self) -> set[tuple[str, str, str]]:
        replaced = {vote.supersedes for vote in self.votes.values()}
        return {(vote.item_id, vote.annotator, vote.answer) for key, vote in self.votes.items() if key not in replaced}


def make_task(item_id: str, *, text: str = "", suggestion: str = "") -> OpenTask:
    return OpenTask(0, item_id, 1, 3, "" if text else f"{item_id}.png", text, suggestion, 0.75)


@pytest.fixture
def folder() -> ObjectStore:
    return open_store("memory://")


def connect(inbox: FakeInbox, folder: ObjectStore) -> FilesConnector:
    return FilesConnector(inbox, folder, times=PollTimes(1.0, 8.0))  # type: ignore[arg-type]


def parquet(rows: list[dict[str, str]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue().to_pybytes()


def label_studio_file() -> bytes:
    """What Label Studio exports as JSON: authors by address or number, a skipped task, one that nobody answered."""

    def annotation(label: str, **more: object) -> dict[str, object]:
        return {"completed_by": {"id": 1, "email": "ann"}, "result": label_studio_result(label), **more}

    tasks = [
        {"id": 1, "data": {"item": "a", "text": "x"}, "annotations": [annotation("cat")]},
        {"id": 2, "data": {"item": "b"}, "annotations": [annotation("dog"), annotation("cat", was_cancelled=True)]},
        {"id": 3, "data": {"item": "c"}, "annotations": []},
    ]
    return json.dumps(tasks).encode()


def label_studio_result(*labels: str) -> list[dict[str, object]]:
    return [{"from_name": "kind", "to_name": "x", "type": "choices", "value": {"choices": list(labels)}}]


FORMATS = [
    pytest.param("ann.csv", b"item,label\na,cat\nb,dog\n", id="csv, annotator by the file's name"),
    pytest.param("x.csv", b"item,label,annotator\na,cat,ann\nb,dog,ann\n", id="csv with annotator"),
    pytest.param("x.csv", b"\xef\xbb\xbfItem, Label ,annotator\r\na,cat,ann\r\nb,dog,ann\r\n", id="as Excel writes it"),
    pytest.param("ann.jsonl", b'{"item":"a","label":"cat"}\n\n{"item":"b","label":"dog"}\n', id="jsonl"),
    pytest.param("ann.parquet", parquet([{"item": "a", "label": "cat"}, {"item": "b", "label": "dog"}]), id="parquet"),
    pytest.param("x.json", label_studio_file(), id="json of Label Studio"),
    pytest.param("ann.csv", b"item,label,path\na,cat,x\nb,dog,y\nc,,z\n", id="open rows are passed over"),
]


@pytest.mark.parametrize(("name", "data"), FORMATS)
async def test_votes_are_read_from(folder: ObjectStore, name: str, data: bytes) -> None:
    inbox = FakeInbox()
    await folder.put(name, data)
    assert await connect(inbox, folder).poll_once()
    assert inbox.answers() == {("a", "ann", "cat"), ("b", "ann", "dog")}


async def test_file_is_read_once_and_a_restart_sends_nothing_again(folder: ObjectStore) -> None:
    inbox = FakeInbox()
    await folder.put("ann.csv", b"item,label\na,cat\n")
    connector = connect(inbox, folder)
    await connector.poll_once()
    assert not await connector.poll_once()
    await connect(inbox, folder).poll_once()
    assert len(inbox.votes) == 1


async def test_changed_answer_supersedes_the_one_before_also_after_a_restart(folder: ObjectStore) -> None:
    inbox = FakeInbox()
    await folder.put("ann.csv", b"item,label\na,cat\n")
    await connect(inbox, folder).poll_once()
    await folder.put("ann.csv", b"item,label\na,dog\n")
    await connect(inbox, folder).poll_once()
    assert inbox.answers() == {("a", "ann", "dog")}
    assert len(inbox.votes) == 2


async def test_row_that_disappears_takes_nothing_back(folder: ObjectStore) -> None:
    inbox = FakeInbox()
    await folder.put("ann.csv", b"item,label\na,cat\nb,dog\n")
    connector = connect(inbox, folder)
    await connector.poll_once()
    await folder.put("ann.csv", b"item,label\na,cat\n")
    await connector.poll_once()
    assert inbox.answers() == {("a", "ann", "cat"), ("b", "ann", "dog")}


async def test_half_written_line_is_waited_for(folder: ObjectStore) -> None:
    inbox = FakeInbox()
    connector = connect(inbox, folder)
    await folder.put("ann.csv", b"item,label\na,cat\nb,do")
    assert await connector.poll_once()
    assert inbox.votes == {}
    await folder.put("ann.csv", b"item,label\na,cat\nb,dog\n")
    await connector.poll_once()
    assert inbox.answers() == {("a", "ann", "cat"), ("b", "ann", "dog")}


async def test_last_line_without_a_break_counts_once_it_stands_still(folder: ObjectStore) -> None:
    inbox = FakeInbox()
    connector = connect(inbox, folder)
    await folder.put("ann.csv", b"item,label\na,cat")
    await connector.poll_once()
    await connector.poll_once()
    assert inbox.answers() == {("a", "ann", "cat")}


BAD = [
    pytest.param("x.csv", b"item,label\na,cat\nnone,dog\n", "x.csv:3: no item none", id="unknown item"),
    pytest.param("x.csv", b"item,label\na,cat\n,dog\n", "x.csv:3: the item is empty", id="no item"),
    pytest.param("x.csv", b"item,label\na,cat\nb,dog,ann,extra\n", "x.csv:3: has more cells", id="too many cells"),
    pytest.param("x.jsonl", b'{"item":"a","label":"cat"}\n{"item":\n', "x.jsonl:2: is no JSON", id="broken json"),
    pytest.param("x.jsonl", b'{"item":"a","label":"cat"}\n[1]\n', "x.jsonl:2: is no JSON object", id="json list"),
]


@pytest.mark.parametrize(("name", "data", "want"), BAD)
async def test_bad_row_is_set_aside_with_its_place_and_the_rest_counts(
    folder: ObjectStore, caplog: pytest.LogCaptureFixture, name: str, data: bytes, want: str
) -> None:
    inbox = FakeInbox()
    await folder.put(name, data)
    with caplog.at_level(logging.WARNING):
        await connect(inbox, folder).poll_once()
    assert ("a", "x", "cat") in inbox.answers()
    assert want in caplog.text


UNREADABLE = [
    pytest.param("x.csv", b"thing,label\na,cat\n", "column 'item' is missing", id="wrong column"),
    pytest.param("x.csv", b"item,label\n\xff\xfe\n", "is no UTF-8 text", id="no UTF-8"),
    pytest.param("x.parquet", b"PAR1 nonsense PAR1", "is no Parquet file", id="no parquet"),
]


@pytest.mark.parametrize(("name", "data", "want"), UNREADABLE)
async def test_unreadable_file_is_told_once_and_others_are_read(
    folder: ObjectStore, caplog: pytest.LogCaptureFixture, name: str, data: bytes, want: str
) -> None:
    inbox = FakeInbox()
    await folder.put(name, data)
    await folder.put("good.csv", b"item,label\na,cat\n")
    with caplog.at_level(logging.WARNING):
        await connect(inbox, folder).poll_once()
    assert inbox.answers() == {("a", "good", "cat")}
    assert caplog.text.count(want) == 1


async def test_open_tasks_are_written_with_suggestions_and_never_read_as_votes(folder: ObjectStore) -> None:
    inbox = FakeInbox([make_task("a", suggestion="cat"), make_task("b", text="=1+1")])
    await connect(inbox, folder).poll_once()
    table = (await folder.get("tasks.csv")).data.decode().splitlines()
    assert table == ["item,path,text,suggestion,confidence,label", "a,a.png,,cat,0.750,", "b,,'=1+1,,,"]
    lines = [json.loads(line) for line in (await folder.get("tasks.jsonl")).data.decode().splitlines()]
    assert [line["text"] for line in lines] == [None, "=1+1"]
    assert inbox.calls == 0


async def test_filled_in_copy_of_the_tasks_is_a_file_of_votes(folder: ObjectStore) -> None:
    inbox = FakeInbox([make_task("a"), make_task("b")])
    connector = connect(inbox, folder)
    await connector.poll_once()
    filled = (await folder.get("tasks.csv")).data.decode().replace("a,a.png,,,,", "a,a.png,,,,cat")
    await folder.put("ann.csv", filled.encode())
    await connector.poll_once()
    assert inbox.answers() == {("a", "ann", "cat")}


def test_pauses_double_while_nothing_is_new() -> None:
    times = PollTimes(30.0, 600.0)
    pauses = [30.0]
    for _ in range(6):
        pauses.append(times.after(pauses[-1], is_new=False))
    assert pauses == [30.0, 60.0, 120.0, 240.0, 480.0, 600.0, 600.0]
    assert times.after(600.0, is_new=True) == 30.0


async def test_run_goes_on_when_the_folder_is_away_and_stops_when_told(folder: ObjectStore) -> None:
    inbox, stop, pauses = FakeInbox(), asyncio.Event(), []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 1:
            await folder.put("ann.csv", b"item,label\na,cat\n")
        if len(pauses) == 4:
            stop.set()

    connector = FilesConnector(inbox, folder, times=PollTimes(1.0, 8.0), sleep=sleep)  # type: ignore[arg-type]
    await connector.run(stop)
    assert inbox.answers() == {("a", "ann", "cat")}
    assert pauses == [2.0, 1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("data", "want"),
    [
        pytest.param(b'{"tasks": []}', "x.json: is no list of tasks", id="another export"),
        pytest.param(
            json.dumps(
                [
                    {
                        "id": 4,
                        "data": {"item": "a"},
                        "annotations": [{"id": 9, "result": label_studio_result("cat", "dog")}],
                    }
                ]
            ).encode(),
            "x.json: task 4: annotation 9 holds 2 choices",
            id="two choices",
        ),
        pytest.param(
            json.dumps([{"id": 4, "data": {}, "annotations": [{"result": label_studio_result("cat")}]}]).encode(),
            "x.json: task 4: column 'item' is missing",
            id="no item",
        ),
    ],
)
async def test_a_file_of_label_studio_that_holds_no_vote_is_told(
    folder: ObjectStore, caplog: pytest.LogCaptureFixture, data: bytes, want: str
) -> None:
    inbox = FakeInbox()
    await folder.put("x.json", data)
    assert await connect(inbox, folder).poll_once()
    assert inbox.answers() == set()
    assert want in caplog.text
