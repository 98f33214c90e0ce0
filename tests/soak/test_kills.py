"""kill -9 a run over and over: the labels are those of an undisturbed one, and no finished stage runs twice."""

import random
import time
from pathlib import Path

import pytest
from point_job import finished_operations, start_run, write_point_job

KILLS = 40
LONGEST_SECONDS = 4.0


def finish(job_file: Path) -> None:
    process = start_run(job_file)
    text, _ = process.communicate(timeout=300)
    assert process.returncode == 0, text


@pytest.mark.parametrize("seed", range(5))
def test_run_that_is_killed_forty_times_gives_the_same_labels(seed: int, tmp_path: Path) -> None:
    undisturbed, disturbed, rng = tmp_path / "undisturbed", tmp_path / "disturbed", random.Random(seed)
    for folder in (undisturbed, disturbed):
        folder.mkdir()
    finish(write_point_job(undisturbed))
    job_file, out = write_point_job(disturbed), disturbed / "out"
    kept: dict[Path, bytes] = {}
    for _ in range(KILLS):
        process = start_run(job_file)
        time.sleep(rng.uniform(0, LONGEST_SECONDS))
        process.kill()
        process.communicate()
        stands = finished_operations(out)
        assert {path: stands.get(path) for path in kept} == kept
        kept = stands
    finish(job_file)
    assert (out / "export/labels.csv").read_bytes() == (undisturbed / "out/export/labels.csv").read_bytes()
