"""Votes in files that came while no run looked are counted before a deadline decides."""

import csv
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from point_job import start_run, write_point_job

SECONDS = 120


def asked_by_files(*, deadline: bool) -> Any:
    """Return a change: one batch of 12 items, three votes each, and no more; maybe a deadline that is long over."""

    def change(fields: dict[str, Any]) -> None:
        fields["spec"]["sources"]["humans"] = {"votesPerItem": 3, "files": {"uri": "votes"}}
        fields["spec"]["budget"]["votes"] = 36
        if deadline:
            fields["spec"]["review"] = {"deadlineSeconds": 1, "onDeadline": "Fail"}

    return change


def tasks_in(folder: Path) -> list[str]:
    """Return the items that people are asked about, by the list that they are given."""
    path = folder / "tasks.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [row["item"] for row in csv.DictReader(file)]


def wait_for_tasks(process: "subprocess.Popen[str]", folder: Path) -> list[str]:
    """Return the items as soon as people are asked about some."""
    deadline = time.monotonic() + SECONDS
    while not (items := tasks_in(folder)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "nobody is asked"
        time.sleep(0.05)
    return items


def vote_on(items: list[str], folder: Path) -> None:
    """Let three people answer every task."""
    for person in ("ann", "bob", "eve"):
        lines = ["item,label", *(f"{item},left" for item in items)]
        (folder / f"{person}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_votes_that_came_while_nobody_ran_are_no_late_votes(tmp_path: Path) -> None:
    job_file = write_point_job(tmp_path, asked_by_files(deadline=False))
    first = start_run(job_file)
    items = wait_for_tasks(first, tmp_path / "votes")
    first.send_signal(signal.SIGINT)
    first.communicate(timeout=SECONDS)
    vote_on(items, tmp_path / "votes")
    write_point_job(tmp_path, asked_by_files(deadline=True))

    second = start_run(job_file)

    text, _ = second.communicate(timeout=SECONDS)
    assert second.returncode == 0, text
    assert "36 votes of people (the budget of 36 votes is used up)" in text
