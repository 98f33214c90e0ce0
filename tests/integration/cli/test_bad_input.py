"""Bad input ends with one line that says what, where and what to do, and code 2."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from point_job import read_items, write_items, write_point_job

from labelplane_cli.__main__ import invoke

Prepared = Callable[[Path], Path]


@dataclass(frozen=True)
class Case:
    id: str
    prepare: Prepared
    want: str


def spec(*path: str, value: Any) -> Prepared:
    """Return a preparation that sets one field of the spec."""

    def change(fields: dict[str, Any]) -> None:
        holder = fields["spec"]
        for name in path[:-1]:
            holder = holder[name]
        holder[path[-1]] = value

    return lambda folder: write_point_job(folder, change)


def items(edit: Callable[[list[dict[str, str]]], list[dict[str, str]]]) -> Prepared:
    """Return a preparation that edits the table of items."""

    def prepare(folder: Path) -> Path:
        job_file = write_point_job(folder)
        rows = read_items(folder)
        write_items(folder, edit(rows), fields=list(rows[0]))
        return job_file

    return prepare


def missing_job(folder: Path) -> Path:
    return folder / "none.yaml"


def missing_data(folder: Path) -> Path:
    job_file = write_point_job(folder)
    (folder / "data").rename(folder / "elsewhere")
    return job_file


def corrupt_images(folder: Path) -> Path:
    job_file = spec("dataset", value=_strict_dataset())(folder)
    for number in (3, 4):
        (folder / f"data/images/point-{number:04d}.png").write_bytes(b"no picture")
    return job_file


def _strict_dataset() -> dict[str, Any]:
    return {
        "uri": "data",
        "format": "Csv",
        "index": "items.csv",
        "idField": "id",
        "itemField": "image",
        "goldField": "gold",
        "truthField": "truth",
        "maxItemErrors": 1,
    }


def out_is_a_file(folder: Path) -> Path:
    job_file = write_point_job(folder)
    (folder / "out").write_text("here already")
    return job_file


def with_gold(value: str) -> Prepared:
    return items(lambda rows: [{**rows[0], "gold": value}, *rows[1:]])


CASES = (
    Case("missing_job_file", missing_job, "none.yaml: no such file"),
    Case("missing_data_folder", missing_data, "is no folder"),
    Case("unknown_column", spec("dataset", "goldField", value="golden"), "no column 'golden'"),
    Case("class_that_the_task_lacks", with_gold("sideways"), "sideways"),
    Case("empty_table", items(lambda _: []), "no row"),
    Case("too_many_corrupt_images", corrupt_images, "2 items cannot be read, dataset.maxItemErrors allows 1"),
    Case("duplicate_ids", items(lambda rows: [*rows, rows[5]]), "point-0005"),
    Case("budget_of_nothing", spec("budget", "votes", value=0), "spec.budget.votes"),
    Case("number_that_is_none", spec("stop", "minimumGain", value=float("nan")), "spec.stop.minimumGain"),
    Case("misspelt_strategy", spec("sampling", "strategy", value="Margins"), "spec.sampling.strategy"),
    Case("what_is_not_built", spec("model", "image", value="me/train:1"), "not supported yet: spec.model.image"),
    Case("suspended", spec("run", "suspend", value=True), "spec.run.suspend is true, so nothing runs: set it to false"),
    Case("output_that_is_a_file", out_is_a_file, "choose"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_bad_input_ends_with_lines_for_people(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = invoke(["run", str(case.prepare(tmp_path))])
    told = capsys.readouterr()
    assert code == 2, told.err
    assert case.want in told.err
    assert len(told.err.strip().splitlines()) == 1
    assert "Traceback" not in told.err + told.out


def test_debug_shows_the_traceback_as_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["run", str(tmp_path / "none.yaml"), "--debug"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_unknown_option_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["run", "job.yaml", "--outt", "x"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_mended_input_lets_the_failed_job_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job_file = with_gold("sideways")(tmp_path)
    assert invoke(["run", str(job_file)]) == 2
    rows = read_items(tmp_path)
    write_items(tmp_path, [{**rows[0], "gold": ""}, *rows[1:]])
    assert invoke(["run", str(job_file), "--quiet"]) == 0
    assert "150 labels" in capsys.readouterr().out


def test_suspended_job_goes_on_when_it_is_suspended_no_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job_file = spec("run", "suspend", value=True)(tmp_path)
    assert invoke(["run", str(job_file)]) == 2
    assert not (tmp_path / "out/rounds").exists()
    spec("run", "suspend", value=False)(tmp_path)
    assert invoke(["run", str(job_file), "--quiet"]) == 0
    assert "150 labels" in capsys.readouterr().out


def test_job_that_worked_too_long_fails_with_what_to_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job_file = spec("run", value={"activeDeadlineSeconds": 1, "deterministic": True})(tmp_path)
    assert invoke(["run", str(job_file)]) == 1
    assert "run.activeDeadlineSeconds is 1" in capsys.readouterr().err


def people_who_never_vote(on_deadline: str) -> Prepared:
    def change(fields: dict[str, Any]) -> None:
        fields["spec"]["sources"]["humans"] = {"votesPerItem": 3, "files": {"uri": "votes"}}
        fields["spec"]["review"] = {"deadlineSeconds": 1, "onDeadline": on_deadline}

    return lambda folder: write_point_job(folder, change)


@pytest.mark.parametrize(
    ("on_deadline", "want", "want_rounds"),
    [
        pytest.param("Fail", "36 votes are missing after 1 s (review.deadlineSeconds)", 1, id="Fail"),
        pytest.param("Proceed", "3 rounds were asked about and nobody has voted", 3, id="Proceed"),
    ],
)
def test_run_that_nobody_votes_in_ends(
    on_deadline: str, want: str, want_rounds: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job_file = people_who_never_vote(on_deadline)(tmp_path)
    assert invoke(["run", str(job_file)]) == 1
    told = capsys.readouterr()
    assert want in told.err
    assert told.out.count("the next round goes on with the votes there are") == want_rounds - 1
    assert len(list((tmp_path / "out/rounds").iterdir())) == want_rounds
