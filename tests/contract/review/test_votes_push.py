"""`labelplane votes push` against the real front: every vote once, bad rows by file and line, going on where it was."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aggregation_world import Service, World, prepare, vote_stage
from cli_app import CommandLine, Ended
from front_world import SECRET, Browser, front_of
from label_studio import result

from labelplane_cli.commands.votes import push
from labelplane_cli.errors import BadFile, BadUsage, CliError
from labelplane_cli.pushing.client import ReviewClient
from labelplane_cli.pushing.memory import PushMemory, state_folder
from labelplane_cli.pushing.pushing import MOST_BYTES, MOST_VOTES, batches, push_rows
from labelplane_cli.pushing.target import Target, target_of_folder, target_of_link
from labelplane_core.tables import VOTES, current_votes
from labelplane_review.vote_files import BadRow, VoteRow, read_rows

ITEMS = 2500


@pytest.fixture
async def service(world: World) -> Service:
    world.write_csv(["id,text", *(f"i{place},text {place}" for place in range(ITEMS))])
    service = await world.start()
    await service.run("StartPrepare", prepare())
    return service


@pytest.fixture
async def browser(service: Service) -> AsyncIterator[Browser]:
    async with front_of(service) as made:
        yield made


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return CommandLine({"push": push, "other": lambda: None}, capsys)


def link(browser: Browser) -> str:
    return str(browser.client.make_url(f"/enter/{SECRET}"))


async def pushed(command: CommandLine, browser: Browser, *arguments: object) -> Ended:
    return await asyncio.to_thread(command, "push", *arguments, "--to", link(browser))


async def counting(service: Service) -> dict[tuple[str, str], str]:
    operation = await service.run("StartVote", vote_stage(1))
    rows = current_votes(await service.tables.read(operation.results["votes"], VOTES)).to_pylist()
    return {(row["item_id"], row["annotator"]): row["answer"] for row in rows}


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> Path:
    path = folder / name
    if name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif name.endswith(".jsonl"):
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    elif name.endswith(".json"):  # as Label Studio exports it
        tasks = [{"data": {"item": row["item"]}, "annotations": [{"result": result(row["label"])}]} for row in rows]
        path.write_text(json.dumps(tasks), encoding="utf-8")
    else:
        lines = [",".join(rows[0]), *(",".join(str(cell) for cell in row.values()) for row in rows)]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("ending", ["csv", "json", "jsonl", "parquet"])
async def test_votes_of_every_format_count_and_the_file_is_the_annotator_where_it_names_none(
    command: CommandLine, browser: Browser, service: Service, tmp_path: Path, ending: str
) -> None:
    rows = [{"item": f"i{place}", "label": "cat" if place % 2 else "dog"} for place in range(4)]
    ended = await pushed(command, browser, write(tmp_path, f"zoe.{ending}", rows))
    assert (ended.code, ended.out.strip(), ended.err) == (0, "4 rows: 4 new", "")
    assert await counting(service) == {(row["item"], "zoe"): row["label"] for row in rows}


async def test_bad_rows_are_named_by_file_and_line_and_all_others_count(
    command: CommandLine, browser: Browser, service: Service, tmp_path: Path
) -> None:
    path = tmp_path / "zoe.csv"
    path.write_text("item,label,annotator\ni0,cat,ann\nnothing,cat,ann\ni1,cow,ann\n,cat,ann\ni2,dog,bob\n")
    ended = await pushed(command, browser, path)
    assert ended.code == 1
    assert ended.out.strip() == "5 rows: 2 new, 3 set aside"
    assert sorted(ended.err.splitlines()) == [
        "set aside: zoe.csv:3: item 'nothing' is not in the data set",
        "set aside: zoe.csv:4: item 'i1': answer 'cow' is no class of the task; the task has 2: cat, dog",
        "set aside: zoe.csv:5: the item is empty",
    ]
    assert (await service.progress()).votes_set_aside == 3
    assert await counting(service) == {("i0", "ann"): "cat", ("i2", "bob"): "dog"}


async def test_the_same_command_sends_what_is_new_alone_and_a_changed_answer_takes_the_place_of_the_last(
    command: CommandLine, browser: Browser, service: Service, tmp_path: Path
) -> None:
    for label, want in (("cat", "1 new"), ("cat", "0 new, 1 sent before"), ("dog", "1 new"), ("cat", "1 new")):
        path = write(tmp_path, "zoe.csv", [{"item": "i0", "label": label}])
        assert (await pushed(command, browser, path)).out.strip() == f"1 rows: {want}"
    assert await counting(service) == {("i0", "zoe"): "cat"}


async def test_without_its_memory_votes_are_sent_again_and_count_once(
    command: CommandLine, browser: Browser, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "zoe.csv", [{"item": "i0", "label": "cat"}])
    await pushed(command, browser, path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another machine"))
    assert (await pushed(command, browser, path)).out.strip() == "1 rows: 0 new, 1 were there already"
    assert (await service.progress()).votes == 1


async def test_a_push_that_breaks_off_goes_on_with_the_batch_that_was_not_confirmed(
    browser: Browser, service: Service, tmp_path: Path
) -> None:
    rows = [VoteRow(f"zoe.csv:{place + 2}", f"i{place}", "cat", "zoe") for place in range(ITEMS)]
    sizes: list[int] = []

    class LosesTheSecond(httpx.HTTPTransport):
        """Delivers every call; the second batch's answer is lost, and then there is no connection."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            is_push = request.method == "POST"
            if is_push:
                sizes.append(len(json.loads(request.content)["votes"]))
            if len(sizes) > 2:
                raise httpx.ConnectError("away")
            response = super().handle_request(request)
            if is_push and len(sizes) == 2:
                response.read()
                raise httpx.ReadError("the answer is lost")
            return response

    def attempt(transport: httpx.BaseTransport | None) -> Any:
        target = target_of_link(link(browser), token="")
        with ReviewClient(target, patience_seconds=1, transport=transport, sleep=lambda _: None) as client:
            job = client.job("")
            memory = PushMemory(tmp_path, job_uid=job.uid, name="zoe.csv")
            progress: list[tuple[int, ...]] = []
            done = push_rows(
                client,
                job,
                memory,
                name="zoe.csv",
                rows=rows,
                told=pytest.fail,
                progress=lambda *counts: progress.append(counts),
            )
            return done, progress

    with pytest.raises(CliError, match="run the same command again, it goes on from where it was"):
        await asyncio.to_thread(attempt, LosesTheSecond())
    done, progress = await asyncio.to_thread(attempt, None)
    assert (done.before, done.duplicates, done.accepted) == (MOST_VOTES, MOST_VOTES, ITEMS - 2 * MOST_VOTES)
    assert progress == [(0, 1500), (1000, 1500), (1500, 1500)]
    assert (await service.progress()).votes == ITEMS


@pytest.mark.parametrize(
    ("arguments", "want"),
    [
        pytest.param(["none.csv"], "none.csv: No such file", id="no file"),
        pytest.param(["votes.xlsx"], "votes.xlsx: is no .csv, .json, .jsonl or .parquet file", id="another format"),
        pytest.param(["-"], "--format: say which of csv, json, jsonl, parquet", id="standard input without a format"),
        pytest.param(["zoe.csv", "--job", "other"], "--job other: there is no such job", id="another job"),
    ],
)
async def test_what_cannot_be_sent_is_one_line(
    command: CommandLine,
    browser: Browser,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    want: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "zoe.csv", [{"item": "i0", "label": "cat"}])
    assert want in (await pushed(command, browser, *arguments)).error_line


async def test_a_wrong_token_and_an_address_that_is_no_page_are_one_line(
    command: CommandLine, browser: Browser, tmp_path: Path
) -> None:
    path = write(tmp_path, "zoe.csv", [{"item": "i0", "label": "cat"}])
    ended = await asyncio.to_thread(command, "push", path, "--to", f"{link(browser)}x")
    assert "the token is not the owner's" in ended.error_line
    nobody = "http://127.0.0.1:9/enter/token"
    ended = await asyncio.to_thread(command, "push", path, "--to", nobody, "--patience", "0")
    assert "http://127.0.0.1:9: does not answer (ConnectError)" in ended.error_line
    assert "token" not in ended.err.replace("--token", "")
    assert "say where the votes go" in command("push", path).error_line


async def test_standard_input_is_read(
    command: CommandLine, browser: Browser, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    import io
    import sys

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"item,label,annotator\ni0,cat,ann\n")))
    assert (await pushed(command, browser, "-", "--format", "csv")).out.strip() == "1 rows: 1 new"
    assert await counting(service) == {("i0", "ann"): "cat"}


# -- parts ------------------------------------------------------------------------------------------------------------


def test_batches_are_small_enough_for_the_server_whatever_the_rows_hold() -> None:
    from labelplane_cli.pushing.pushing import _Row
    from labelplane_review.file_votes import new_votes

    rows = [VoteRow(f"f.csv:{place}", f"{'é' * 900}{place}", "cat", "zoe") for place in range(500)]
    made = [_Row(vote, voter, answer) for voter, (answer, vote) in new_votes("f.csv", rows, {}).items()]
    cut = list(batches(made))
    assert sum(map(len, cut)) == 500
    assert len(cut) > 1
    assert max(len(json.dumps([row.vote.item_id for row in batch])) for batch in cut) < MOST_BYTES


def test_memory_passes_over_a_line_that_was_cut_short(tmp_path: Path) -> None:
    memory = PushMemory(tmp_path, job_uid="u", name="f.csv")
    rows = list(read_rows("f.csv", b"item,label\ni0,cat\n"))
    assert not isinstance(rows[0], BadRow)
    (tmp_path / memory._path.name).write_bytes(b'["a", "cat", 0]\n["b", "do')
    assert list(memory.read()) == ["a"]
    assert state_folder({"XDG_STATE_HOME": "/s"}) == Path("/s/labelplane/pushed")


def test_the_link_says_where_and_with_what(tmp_path: Path) -> None:
    assert target_of_link(" http://h:1/enter/abc ", token="t") == Target("http://h:1", "abc")
    assert target_of_link("https://h", token="t") == Target("https://h", "t")
    for wrong in ("h:1/enter/abc", "file:///etc", "http://user@h/enter/a", "http://h:1"):
        with pytest.raises(BadUsage):
            target_of_link(wrong, token="")
    with pytest.raises(BadFile, match="no review page was served from here"):
        target_of_folder(tmp_path)
    (tmp_path / "review-link.json").write_text('{"secret": "abc", "port": 80}')
    assert target_of_folder(tmp_path) == Target("http://127.0.0.1:80", "abc")
