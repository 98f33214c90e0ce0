"""A job small enough to run in a test: points of three clouds as pictures, a linear model, a simulated crowd."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml
from real_parts import heeding_ctrl_c

from labelplane_cli.sample_points import JOB, Points, write_points

Change = Callable[[dict[str, Any]], None]


def write_point_job(folder: Path, *changes: Change, items: int = 150) -> Path:
    """Write data and job below `folder` and return the job's file; `changes` edit its fields first."""
    write_points(Points.draw(items), folder)
    fields = yaml.safe_load(JOB)
    fields["spec"]["sampling"].update(initialBatchSize=12, batchSize=12)
    fields["spec"]["budget"]["votes"] = 108
    fields["spec"]["run"] = {"deterministic": True, "seed": 3}
    fields["spec"]["storage"]["uri"] = "out"
    for change in changes:
        change(fields)
    path = folder / "points.yaml"
    path.write_text(yaml.safe_dump(fields, sort_keys=False), encoding="utf-8")
    return path


def read_items(folder: Path) -> list[dict[str, str]]:
    """Return the rows of the table of items."""
    with (folder / "data" / "items.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_items(folder: Path, rows: Sequence[dict[str, str]], *, fields: Sequence[str] | None = None) -> None:
    """Write the table of items anew."""
    names = fields or list(rows[0])
    with (folder / "data" / "items.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def start_run(job_file: Path, *words: str) -> "subprocess.Popen[str]":
    """Start `labelplane run` as a process of its own, which heeds SIGINT even where a background job would not."""
    return subprocess.Popen(
        heeding_ctrl_c([sys.executable, "-m", "labelplane_cli", "run", str(job_file), *words]),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def finished_operations(out: Path) -> dict[Path, bytes]:
    """Return the records of the operations that have succeeded."""
    return {path: data for path, data in _records(out) if json.loads(data)["state"] == "succeeded"}


def _records(out: Path) -> Iterator[tuple[Path, bytes]]:
    for path in sorted((out / "operations").rglob("*.json")):
        yield path, path.read_bytes()
