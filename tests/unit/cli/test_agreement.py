import csv
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from cli_app import CommandLine, Ended

from labelplane_aggregation import Level, VoteMatrix
from labelplane_cli.agreeing.measuring import Bootstrap, measure
from labelplane_cli.commands.agreement import Scale, agreement

HEAD = "item,annotator,label\n"
Row = tuple[str, str, str]

TEXTBOOK = [("yes", "yes")] * 20 + [("yes", "no")] * 5 + [("no", "yes")] * 10 + [("no", "no")] * 15
"""Cohen's kappa 0.4; of 55 votes for yes 40 are agreed with, of 45 for no 30."""

SKEWED = [("ok", "ok")] * 118 + [("ok", "bad")] * 5 + [("bad", "ok")] * 2
"""Gwet (2002): AC1 0.9408, Cohen's kappa -0.0234."""

OBSERVERS = list(zip("123321412   ", "1233224125 3", " 3332342251 ", "12332441251 ", strict=True))
"""Krippendorff (2011), section C: alpha 0.743 nominal, 0.815 ordinal, 0.849 interval."""


def rows_of(answers: Iterable[Iterable[str]], names: str = "xyzuv") -> list[Row]:
    """Return votes from the answers to each item; an empty one is none."""
    return [
        (f"i{item:03d}", names[who], label)
        for item, labels in enumerate(answers)
        for who, label in enumerate(labels)
        if label.strip()
    ]


def write(rows: Iterable[Row]) -> None:
    with Path("votes.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEAD.strip().split(","), *rows])


def matrix_of(rows: list[Row]) -> VoteMatrix:
    item, annotator, label = zip(*rows, strict=True)
    return VoteMatrix.from_table({"item": list(item), "annotator": list(annotator), "label": list(label)})


def line_of(ended: Ended, head: str) -> list[str]:
    """Return the words that follow the beginning of a line."""
    assert ended.code == 0, ended.err
    found = [line for line in map(str.strip, ended.out.splitlines()) if line.startswith(head)]
    assert len(found) == 1, ended.out
    return found[0].removeprefix(head).split()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.chdir(tmp_path)
    return CommandLine({"agreement": agreement}, capsys)


def test_the_scales_of_the_command_are_those_of_the_package() -> None:
    assert [str(each) for each in Scale] == [str(each) for each in Level]


def test_the_textbook_table_gives_its_coefficients_and_its_pair(run: CommandLine) -> None:
    write(rows_of(TEXTBOOK))
    ended = run("agreement", "--votes", "votes.csv")
    assert "100 votes on 50 items by 2 annotators, 50 items with two votes or more" in ended.out
    value, low, to, high = line_of(ended, "Krippendorff alpha, nominal")
    assert value == "0.400"  # 1 - 99 x 30 / (2 x 55 x 45)
    assert to == "to"
    assert float(low) < 0.4 < float(high)
    assert line_of(ended, "Fleiss kappa")[0] == "0.394"  # (0.7 - 0.505) / (1 - 0.505)
    assert line_of(ended, "Gwet AC1")[0] == "0.406"  # (0.7 - 0.495) / (1 - 0.495)
    assert line_of(ended, "yes") == ["55.0", "%", "0.73"]
    assert line_of(ended, "no") == ["45.0", "%", "0.67"]
    assert line_of(ended, "x ") == ["y", "50", "0.40"]
    last = " ".join(ended.out.splitlines()[-1].split())
    assert last == "Next: weigh annotators labelplane aggregate --votes votes.csv --output labels.csv"
    assert "alpha and kappa look low" not in ended.out
    assert "set aside" not in ended.out


def test_a_dominant_class_is_told_where_it_spoils_alpha(run: CommandLine) -> None:
    write(rows_of(SKEWED))
    ended = run("agreement", "--votes", "votes.csv")
    assert line_of(ended, "Gwet AC1")[0] == "0.941"
    assert line_of(ended, "x ") == ["y", "125", "-0.02"]
    assert "97 % of the votes are for ok, so chance alone agrees on most items: alpha and kappa look low" in ended.out


def test_a_dominant_class_is_not_blamed_where_alpha_is_high_too(run: CommandLine) -> None:
    write(rows_of([("ok", "ok")] * 90 + [("bad", "bad")] * 10))
    assert "look low" not in run("agreement", "--votes", "votes.csv").out


def test_fleiss_kappa_says_why_it_is_left_out(run: CommandLine) -> None:
    write(rows_of([("a", "a", "b"), ("b", "b", ""), ("a", "", ""), ("b", "b", "b")]))
    ended = run("agreement", "--votes", "votes.csv")
    assert "it needs as many votes on every item, here are 1 to 3; read alpha" in ended.out
    assert "9 votes on 4 items by 3 annotators, 3 items with two votes or more" in ended.out


def test_the_agreement_of_a_class_is_over_the_pairs_of_an_item() -> None:
    found = measure(matrix_of(rows_of([("a", "a", "b"), ("a", "b", ""), ("c", "", "")])), "nominal", Bootstrap(0, 0))
    classes = {each.name: each for each in found.classes}
    assert [each.name for each in found.classes] == ["a", "b", "c"]
    assert classes["a"].agreement == pytest.approx(2 / 5)
    assert classes["b"].agreement == 0.0
    assert classes["c"].agreement != classes["c"].agreement  # one vote has nobody to agree with
    assert classes["a"].share == pytest.approx(1 / 2)


@pytest.mark.parametrize(
    ("scale", "names", "want"),
    [
        pytest.param("nominal", {}, "0.743", id="nominal"),
        pytest.param("ordinal", {}, "0.815", id="ordinal by the numbers"),
        pytest.param("ordinal", {"5": "10"}, "0.815", id="ordinal where ten comes after four"),
        pytest.param("interval", {}, "0.849", id="interval by the numbers"),
        pytest.param("interval", {n: str(10 * int(n) - 30) for n in "12345"}, "0.849", id="interval of another unit"),
    ],
)
def test_alpha_is_that_of_krippendorffs_example(
    run: CommandLine, *, scale: str, names: dict[str, str], want: str
) -> None:
    write(rows_of([[names.get(label, label) for label in unit] for unit in OBSERVERS], "ABCD"))
    ended = run("agreement", "--votes", "votes.csv", "--scale", scale)
    assert line_of(ended, f"Krippendorff alpha, {scale}")[0] == want


def test_numbers_lie_as_far_apart_as_they_are(run: CommandLine) -> None:
    write(rows_of([("0", "0"), ("1", "1"), ("10", "10"), ("0", "1")]))
    ended = run("agreement", "--votes", "votes.csv", "--scale", "interval")
    assert line_of(ended, "Krippendorff alpha, interval")[0] == "0.994"  # 1 - 7 x 2 / (2 (8 x 203 - 23^2))


@pytest.mark.parametrize(("scale", "want"), [("ordinal", "0.815"), ("interval", "0.849")])
def test_classes_that_are_no_numbers_take_the_order_that_is_given(run: CommandLine, *, scale: str, want: str) -> None:
    words = {"1": "none", "2": "low", "3": "middle", "4": "high, or so", "5": "all"}
    write(rows_of([[words.get(label, "") for label in unit] for unit in OBSERVERS], "ABCD"))
    order = 'none, low, middle, "high, or so", all'
    ended = run("agreement", "--votes", "votes.csv", "--scale", scale, "--order", order)
    assert line_of(ended, f"Krippendorff alpha, {scale}")[0] == want


def test_a_class_that_nobody_chose_counts_for_ac1(run: CommandLine) -> None:
    write(rows_of(TEXTBOOK))
    ended = run("agreement", "--votes", "votes.csv", "--order", "yes,no,maybe")
    assert line_of(ended, "Gwet AC1")[0] == "0.601"  # (0.7 - 0.2475) / (1 - 0.2475)
    assert line_of(ended, "maybe") == ["0.0", "%", "-"]


def test_the_seed_decides_the_interval_and_nothing_else(run: CommandLine) -> None:
    write(rows_of(TEXTBOOK))
    first, again, other = (
        line_of(run("agreement", "--votes", "votes.csv", "--seed", seed, "--resamples", 50), "Gwet AC1")
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first[0] == other[0]
    assert first[1:] != other[1:]


def test_without_resamples_there_is_no_interval(run: CommandLine) -> None:
    write(rows_of(TEXTBOOK))
    assert line_of(run("agreement", "--votes", "votes.csv", "--resamples", 0), "Gwet AC1") == ["0.406", "-"]


def test_one_class_alone_leaves_the_coefficients_undefined(run: CommandLine) -> None:
    write(rows_of([("a", "a")] * 6))
    ended = run("agreement", "--votes", "votes.csv", "--output", "pairs.csv")
    for name in ("Krippendorff alpha, nominal", "Fleiss kappa", "Gwet AC1"):
        assert line_of(ended, name)[:3] == ["-", "not", "defined:"]
    assert "no two annotators can be compared on 10 shared items or more" in ended.out
    assert Path("pairs.csv").read_text() == "annotator_a,annotator_b,items,kappa\nx,y,6,\n"


def test_the_pair_that_agrees_least_comes_first_and_short_ones_are_set_aside(run: CommandLine) -> None:
    answers = [("ab"[n % 2], "ab"[n % 2], "ab"[n // 2 % 2], "b" if n < 3 else "") for n in range(12)]
    write(rows_of(answers))
    ended = run("agreement", "--votes", "votes.csv")
    lines = [line.split() for line in ended.out.splitlines()]
    first = lines.index(["agree", "least", "shared", "items", "Cohen", "kappa"]) + 1
    assert lines[first : first + 3] == [
        ["x", "z", "12", "0.00"],
        ["y", "z", "12", "0.00"],
        ["x", "y", "12", "1.00"],
    ]
    assert "set aside, fewer than 10 items shared with anyone: 1 (u)" in ended.out
    assert "set aside" not in run("agreement", "--votes", "votes.csv", "--min-shared", 3).out


def test_a_long_list_of_classes_is_cut(run: CommandLine) -> None:
    write(rows_of([(f"c{n % 13:02d}",) * 2 for n in range(26)]))
    ended = run("agreement", "--votes", "votes.csv")
    assert "and 3 smaller ones" in ended.out
    assert "c09" in ended.out
    assert "c10" not in ended.out


def read_pairs(path: Path) -> list[dict[str, Any]]:
    match path.suffix:
        case ".csv":
            with path.open(newline="", encoding="utf-8") as file:
                return [
                    {**row, "items": int(row["items"]), "kappa": float(row["kappa"])} for row in csv.DictReader(file)
                ]
        case ".parquet":
            rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
            return rows
        case _:
            return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_every_pair_that_shares_an_item_is_written_once(run: CommandLine, *, suffix: str) -> None:
    write(rows_of([(*pair, "yes" if number == 0 else "") for number, pair in enumerate(TEXTBOOK[::-1])]))
    ended = run("agreement", "--votes", "votes.csv", "--output", f"pairs{suffix}")
    assert "Next: open" in " ".join(ended.out.split())
    rows = read_pairs(Path(f"pairs{suffix}"))
    assert [list(row) for row in rows] == [["annotator_a", "annotator_b", "items", "kappa"]] * 3
    assert [(row["annotator_a"], row["annotator_b"], row["items"]) for row in rows] == [
        ("x", "y", 50),
        ("x", "z", 1),
        ("y", "z", 1),
    ]
    assert rows[0]["kappa"] == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("suffix", "want"),
    [
        (".csv", "annotator_a,annotator_b,items,kappa\nx,y,6,0.333333\n"),
        (".jsonl", '{"annotator_a": "x", "annotator_b": "y", "items": 6, "kappa": 0.333333}\n'),
    ],
    ids=["csv", "jsonl"],
)
def test_a_kappa_in_text_has_no_digits_that_votes_cannot_tell(run: CommandLine, *, suffix: str, want: str) -> None:
    write(rows_of(["aa", "aa", "ab", "ba", "bb", "bb"]))
    assert run("agreement", "--votes", "votes.csv", "--output", f"pairs{suffix}").code == 0
    assert Path(f"pairs{suffix}").read_text() == want


def test_what_does_not_count_is_told(run: CommandLine) -> None:
    votes = [(item, who, "ab"[item % 2], 2) for item in range(10) for who in "xy"]
    odd = [(0, "x", "b", 1), (5, "z", "a", 0)]
    Path("votes.csv").write_text(
        "item,annotator,label,weight\n" + "".join(f"{','.join(map(str, row))}\n" for row in [*votes, *odd])
    )
    ended = run("agreement", "--votes", "votes.csv")
    assert "20 votes on 10 items by 2 annotators" in ended.out
    assert "1 rows count no more: the same annotator answered the item again later" in ended.out
    assert "1 votes of weight 0 are left out" in ended.out
    assert "weights do not count here" in ended.out
    assert line_of(ended, "x ")[:2] == ["y", "10"]


def test_annotators_too_many_for_a_table_cost_the_pairs_alone(run: CommandLine) -> None:
    write(
        rows_of([(f"c{n:03d}", f"c{n:03d}") for n in range(400)], "xy")
        + [("i000", f"w{n}", "c000") for n in range(600)]
    )
    ended = run("agreement", "--votes", "votes.csv", "--resamples", 0)
    assert "pairs of annotators: left out" in ended.out
    refused = run("agreement", "--votes", "votes.csv", "--resamples", 0, "--output", "pairs.csv")
    assert "--output pairs.csv: annotators and classes are too many" in refused.error_line
    assert not Path("pairs.csv").exists()


def test_a_name_cannot_steer_the_terminal(run: CommandLine) -> None:
    write([(f"i{n}", who, f"\x1b[31m{n % 2}") for n in range(10) for who in ("\x1b[32ma", "[bold]b")])
    ended = run("agreement", "--votes", "votes.csv")
    assert "\x1b" not in ended.out
    assert "[bold]b" in ended.out


BAD_VOTES = {
    "one annotator": (
        f"{HEAD}i,a,x\nj,a,y\n",
        [],
        "votes.csv: all votes are by the annotator 'a': add those of another",
    ),
    "one annotator beside votes of weight 0": (
        "item,annotator,label,weight\ni,a,x,1\ni,b,x,0\n",
        [],
        "votes.csv: all votes are by the annotator 'a'",
    ),
    "no item with two votes": (f"{HEAD}i,a,x\nj,b,y\n", [], "votes.csv: no item has two votes: let a second annotator"),
    "no vote that counts": (
        "item,annotator,label,weight\ni,a,x,0\ni,b,x,0\n",
        [],
        "votes.csv: no item has two votes",
    ),
    "missing column": ("item,annotator,answer\ni,a,x\n", [], "votes.csv: no column 'label' among"),
    "empty cell": (f"{HEAD}i,a,x\ni,,x\n", [], "votes.csv:3: column 'annotator' is empty"),
    "no row": (HEAD, [], "votes.csv: the table has no row"),
    "ordinal words without an order": (
        f"{HEAD}i,a,1\ni,b,high\n",
        ["--scale", "ordinal"],
        "--scale ordinal: class 'high' is no number: give the order, as in --order low,middle,high",
    ),
    "interval words without an order": (
        f"{HEAD}i,a,1\ni,b,nan\n",
        ["--scale", "interval"],
        "--scale interval: class 'nan' is no number: give the order",
    ),
    "one number written in two ways": (
        f"{HEAD}i,a,1\ni,b,1.0\n",
        ["--scale", "ordinal"],
        "--scale ordinal: classes '1' and '1.0' are one number: write it one way",
    ),
    "an order that leaves out a class": (
        f"{HEAD}i,a,low\ni,b,high\n",
        ["--order", "low"],
        "--order leaves out the class 'high'",
    ),
    "an order that repeats itself": (f"{HEAD}i,a,x\ni,b,y\n", ["--order", "x,y,x"], "--order names 'x' twice"),
    "an order with a gap": (f"{HEAD}i,a,x\ni,b,y\n", ["--order", "x,,y"], "--order 'x,,y' has an empty name"),
    "no order at all": (f"{HEAD}i,a,x\ni,b,y\n", ["--order", ""], "--order '' has an empty name"),
    "an unknown scale": (f"{HEAD}i,a,x\ni,b,y\n", ["--scale", "ratio"], "'ratio' is not one of"),
    "resamples below zero": (f"{HEAD}i,a,x\ni,b,y\n", ["--resamples", "-1"], "--resamples"),
    "an output of unknown ending": (
        f"{HEAD}i,a,x\ni,b,y\n",
        ["--output", "pairs.txt"],
        "pairs.txt: no pairs can be written by its ending",
    ),
    "an output that is read": (f"{HEAD}i,a,x\ni,b,y\n", ["--output", "votes.csv"], "--output votes.csv is also read"),
}


@pytest.mark.parametrize(("content", "arguments", "want"), BAD_VOTES.values(), ids=BAD_VOTES)
def test_bad_input_is_refused_in_one_line(run: CommandLine, *, content: str, arguments: list[str], want: str) -> None:
    Path("votes.csv").write_text(content, encoding="utf-8")
    assert want in run("agreement", "--votes", "votes.csv", *arguments).error_line
    assert Path("votes.csv").read_text(encoding="utf-8") == content
    assert [path.name for path in Path().iterdir()] == ["votes.csv"]
