import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_app import CommandLine

from labelplane_cli.commands.aggregate import Method, aggregate

ROWS = [
    {"item": item, "annotator": f"a{number}", "label": label}
    for item, labels in {"i1": ["cat", "cat", "dog"], "i2": ["dog"] * 3, "i3": ["cat"] * 3, "i4": ["dog"] * 3}.items()
    for number, label in enumerate(labels)
]
LABELS = {"i1": "cat", "i2": "dog", "i3": "cat", "i4": "dog"}
HEAD = "item,annotator,label\n"
WEIGHED = "item,annotator,label,weight\n"


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path)


def read_labels(path: Path) -> dict[str, tuple[str, float]]:
    match path.suffix:
        case ".csv":
            with path.open(newline="", encoding="utf-8") as file:
                rows: list[dict[str, Any]] = list(csv.DictReader(file))
        case ".parquet":
            rows = pq.read_table(path).to_pylist()
        case _:
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert all(list(row) == ["item", "label", "confidence"] for row in rows)
    return {row["item"]: (row["label"], float(row["confidence"])) for row in rows}


WRITERS: dict[str, Callable[[Path, list[dict[str, Any]]], None]] = {
    ".csv": write_csv,
    ".jsonl": write_jsonl,
    ".parquet": write_parquet,
}


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.chdir(tmp_path)
    return CommandLine({"aggregate": aggregate}, capsys)


@pytest.fixture
def votes(tmp_path: Path) -> Path:
    write_csv(tmp_path / "votes.csv", ROWS)
    return Path("votes.csv")


@pytest.mark.parametrize("read", WRITERS)
@pytest.mark.parametrize("written", WRITERS)
def test_every_format_is_read_and_every_format_is_written(run: CommandLine, *, read: str, written: str) -> None:
    WRITERS[read](Path(f"votes{read}"), ROWS)
    ended = run("aggregate", "--votes", f"votes{read}", "--output", f"labels{written}", "--method", "majority-vote")
    assert ended.code == 0, ended.err
    assert {item: label for item, (label, _) in read_labels(Path(f"labels{written}")).items()} == LABELS
    assert read_labels(Path(f"labels{written}"))["i1"][1] == pytest.approx(2 / 3, abs=1e-6)


def test_dawid_skene_tells_its_iterations_and_the_least_reliable_annotator_first(run: CommandLine) -> None:
    noisy = [
        {"item": f"i{item:03d}", "annotator": f"a{who}", "label": str((item if who else item // 3) % 3)}
        for item in range(90)
        for who in range(4)
    ]
    write_csv(Path("votes.csv"), noisy)
    ended = run("aggregate", "--votes", "votes.csv", "--output", "labels.csv", "--method", "dawid-skene")
    lines = [line.split() for line in ended.out.splitlines()]
    assert "360 votes on 90 items by 4 annotators, 3 classes" in ended.out
    assert "iterations, converged" in ended.out
    worst = lines[lines.index(["least", "reliable", "votes", "right"]) + 1]
    assert worst[:2] == ["a0", "90"]
    assert float(worst[2]) < 0.5
    assert lines[-1] == ["Next:", "open", "labels.csv"]


def test_the_accuracy_is_told_on_the_items_with_truth_alone(run: CommandLine, votes: Path) -> None:
    write_csv(
        Path("truth.csv"), [{"item": "i1", "label": "dog"}, {"item": "i2", "label": "dog"}, {"item": "x", "label": "y"}]
    )
    ended = run("aggregate", "--votes", votes, "--output", "labels.csv", "--truth", "truth.csv")
    assert "50.0 % right on 2 items with truth" in ended.out


def test_a_later_answer_of_the_same_annotator_replaces_the_earlier_one(run: CommandLine, votes: Path) -> None:
    write_csv(votes, [*ROWS, {"item": "i1", "annotator": "a0", "label": "dog"}])
    ended = run("aggregate", "--votes", votes, "--output", "labels.csv", "--method", "majority-vote")
    assert "1 rows count no more" in ended.out
    assert read_labels(Path("labels.csv"))["i1"][0] == "dog"


@pytest.mark.parametrize("method", list(Method))
def test_every_method_labels_what_all_agree_on(run: CommandLine, votes: Path, method: Method) -> None:
    pairs = [(item, annotator) for item in range(6) for annotator in range(3)]
    write_csv(votes, [{"item": f"i{i}", "annotator": f"a{a}", "label": "ox" if i % 2 else "cow"} for i, a in pairs])
    ended = run("aggregate", "--votes", votes, "--output", "labels.csv", "--method", method)
    assert ended.code == 0, ended.err
    assert {item: label for item, (label, _) in read_labels(Path("labels.csv")).items()} == {
        f"i{n}": "ox" if n % 2 else "cow" for n in range(6)
    }
    assert ("a held-out vote has mean log-likelihood" in ended.out) == (method is Method.AUTO)


def test_weights_count(run: CommandLine, votes: Path) -> None:
    weighted = [{**row, "weight": 5 if row["annotator"] == "a2" else 1} for row in ROWS]
    write_csv(votes, weighted)
    run("aggregate", "--votes", votes, "--output", "labels.csv", "--method", "majority-vote")
    assert read_labels(Path("labels.csv"))["i1"][0] == "dog"


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_whole_numbers_are_classes_as_they_are_in_csv(run: CommandLine, *, suffix: str) -> None:
    rows = [{"item": n // 2, "annotator": n % 2, "label": n // 2 % 2} for n in range(8)]
    WRITERS[suffix](Path(f"votes{suffix}"), rows)
    assert run("aggregate", "--votes", f"votes{suffix}", "--output", "labels.csv").code == 0
    assert {item: label for item, (label, _) in read_labels(Path("labels.csv")).items()} == {
        "0": "0",
        "1": "1",
        "2": "0",
        "3": "1",
    }


def test_one_class_alone_is_no_fault(run: CommandLine, votes: Path) -> None:
    write_csv(votes, [{"item": "i", "annotator": "a", "label": "cat"}])
    assert run("aggregate", "--votes", votes, "--output", "labels.csv").code == 0
    assert read_labels(Path("labels.csv")) == {"i": ("cat", 1.0)}


def test_an_output_that_is_there_is_replaced_and_keeps_its_rights(run: CommandLine, votes: Path) -> None:
    old = Path("labels.csv")
    old.write_text("old")
    old.chmod(0o640)
    assert run("aggregate", "--votes", votes, "--output", old).code == 0
    assert old.stat().st_mode & 0o777 == 0o640
    assert set(read_labels(old)) == set(LABELS)
    assert sorted(path.name for path in Path().iterdir()) == ["labels.csv", "votes.csv"]


def test_a_refused_command_leaves_the_old_output_as_it_was(run: CommandLine) -> None:
    Path("labels.csv").write_text("old")
    Path("votes.csv").write_text(f"{HEAD}i1,,cat\n")
    assert run("aggregate", "--votes", "votes.csv", "--output", "labels.csv").code == 2
    assert Path("labels.csv").read_text() == "old"


BAD_VOTES = {
    "missing column": ("votes.csv", "item,annotator,answer\ni,a,x\n", "votes.csv: no column 'label' among"),
    "column spelled otherwise": ("votes.csv", "item,Annotator,label\ni,a,x\n", "rename 'Annotator' to 'annotator'"),
    "semicolons": ("votes.csv", "item;annotator;label\ni;a;x\n", "its cells are separated by ';': save it with commas"),
    "no byte": ("votes.csv", "", "votes.csv: the file is empty"),
    "header alone": ("votes.csv", HEAD, "votes.csv: the table has no row: give a file"),
    "unknown ending": ("votes.xlsx", "x", "votes.xlsx: cannot be read by its ending: give a file in .csv"),
    "empty cell in csv": ("votes.csv", f"{HEAD}i,a,x\ni,,x\n", "votes.csv:3: column 'annotator' is empty: fill it"),
    "empty cell below a broken line": ("votes.csv", f'{HEAD}"i\n1",a,x\ni,a,\n', "votes.csv:4: column 'label' is"),
    "null in jsonl": (
        "votes.jsonl",
        '{"item": 1, "annotator": "a", "label": "x"}\n\n{"item": 2, "annotator": "a", "label": null}\n',
        "votes.jsonl:3: column 'label' is empty",
    ),
    "list in jsonl": (
        "votes.jsonl",
        '{"item": 1, "annotator": "a", "label": ["x"]}\n',
        "votes.jsonl:1: column 'label' holds a list: write a text",
    ),
    "no json": ("votes.jsonl", "{item}\n", "votes.jsonl:1: not JSON"),
    "no parquet": ("votes.parquet", "text", "votes.parquet: not a Parquet file"),
    "too few cells": ("votes.csv", f"{HEAD}i,a\n", "votes.csv: not a CSV file"),
    "weight of no number": (
        "votes.csv",
        f"{WEIGHED}i,a,x,1\ni,b,x,nan\n",
        "votes.csv:3: column 'weight' is 'nan'",
    ),
    "negative weight": ("votes.csv", f"{WEIGHED}i,a,x,-1\n", "votes.csv:2: column 'weight' is '-1'"),
    "column twice": ("votes.csv", "item,item,label\ni,a,x\n", "votes.csv:1: column 'item' stands twice"),
}


@pytest.mark.parametrize(("name", "content", "want"), BAD_VOTES.values(), ids=BAD_VOTES)
def test_bad_votes_are_refused_in_one_line(run: CommandLine, *, name: str, content: str, want: str) -> None:
    Path(name).write_text(content, encoding="utf-8")
    assert want in run("aggregate", "--votes", name, "--output", "labels.csv").error_line


def test_votes_in_another_encoding_are_refused_in_one_line(run: CommandLine) -> None:
    Path("votes.csv").write_bytes(HEAD.encode() + "i,a,süß\n".encode("latin-1"))
    assert (
        "votes.csv: not a CSV file in UTF-8" in run("aggregate", "--votes", "votes.csv", "--output", "l.csv").error_line
    )


BAD_ARGUMENTS: dict[str, tuple[list[str], str]] = {
    "votes that are not there": (["--votes", "no.csv", "--output", "l.csv"], "no.csv: no such file: check the path"),
    "votes that are a folder": (["--votes", "folder.csv", "--output", "l.csv"], "folder.csv: cannot be read"),
    "output of unknown ending": (["--votes", "votes.csv", "--output", "l.txt"], "l.txt: no labels can be written"),
    "output in no folder": (["--votes", "votes.csv", "--output", "no/l.csv"], "its folder no is not there: make it"),
    "output that is a folder": (["--votes", "votes.csv", "--output", "folder.csv"], "folder.csv: is a folder"),
    "output that is read": (["--votes", "votes.csv", "--output", "./votes.csv"], "--output votes.csv is also read"),
    "unknown method": (["--votes", "votes.csv", "--output", "l.csv", "--method", "mean"], "aggregate --help"),
    "no votes": (["--output", "l.csv"], "missing option '--votes'"),
    "truth of other items": (
        ["--votes", "votes.csv", "--output", "l.csv", "--truth", "others.csv"],
        "others.csv: none of its items has a vote",
    ),
    "truth that contradicts itself": (
        ["--votes", "votes.csv", "--output", "l.csv", "--truth", "twice.csv"],
        "twice.csv:3: item 'i1' is 'dog' here and 'cat' before",
    ),
}


@pytest.mark.parametrize(("arguments", "want"), BAD_ARGUMENTS.values(), ids=BAD_ARGUMENTS)
def test_bad_arguments_are_refused_in_one_line(
    run: CommandLine, votes: Path, *, arguments: list[str], want: str
) -> None:
    Path("folder.csv").mkdir()
    Path("others.csv").write_text("item,label\nother,cat\n")
    Path("twice.csv").write_text("item,label\ni1,cat\ni1,dog\n")
    assert want in run("aggregate", *arguments).error_line
    assert not Path("l.csv").exists()


def test_a_name_cannot_steer_the_terminal(run: CommandLine, votes: Path) -> None:
    write_csv(votes, [{"item": "i", "annotator": "\x1b[31mred", "label": "<script>"}])
    ended = run("aggregate", "--votes", votes, "--output", "labels.csv")
    assert "\x1b" not in ended.out
    assert read_labels(Path("labels.csv"))["i"][0] == "<script>"
