"""The same command goes on after kill -9, SIGINT and a second start: nothing is lost, nothing runs twice."""

import json
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from point_job import finished_operations, start_run, write_point_job

SECONDS = 120
KILLS = 5


def finish(process: "subprocess.Popen[str]") -> str:
    """Return what the process printed once it ended well."""
    text, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, text
    return text


def wait_for_operations(process: "subprocess.Popen[str]", out: Path, count: int) -> None:
    """Return when `count` operations have finished, or the process has."""
    deadline = time.monotonic() + SECONDS
    while process.poll() is None and len(finished_operations(out)) < count:
        assert time.monotonic() < deadline, "the run makes no progress"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    finish(start_run(write_point_job(folder)))
    return folder / "out"


def test_killed_runs_end_with_the_labels_of_an_undisturbed_one(undisturbed: Path, tmp_path: Path) -> None:
    job_file, out, rng = write_point_job(tmp_path), tmp_path / "out", random.Random(5)
    total = len(finished_operations(undisturbed))
    for done in sorted(rng.sample(range(total), KILLS)):
        process = start_run(job_file)
        wait_for_operations(process, out, done)
        time.sleep(rng.uniform(0, 0.3))
        before = finished_operations(out)
        process.kill()
        process.communicate()
        after = finished_operations(out)
        assert {path: after[path] for path in before} == before
    stood = finished_operations(out)
    finish(start_run(job_file))
    ended = finished_operations(out)
    assert {path: ended[path] for path in stood} == stood, "a finished stage ran again"
    assert (out / "export/labels.csv").read_bytes() == (undisturbed / "export/labels.csv").read_bytes()
    assert list(ended) == [out / path.relative_to(undisturbed) for path in finished_operations(undisturbed)] or (
        _without_prepare(ended, out) == _without_prepare(finished_operations(undisturbed), undisturbed)
    )


def _without_prepare(records: dict[Path, bytes], out: Path) -> list[str]:
    """Return the operations' names; Prepare's has the object's uid in it."""
    names = [str(path.relative_to(out)) for path in records]
    return [name for name in names if "/prepare/" not in name]


@pytest.mark.parametrize("told", [signal.SIGINT, signal.SIGTERM], ids=["ctrl_c", "sigterm"])
def test_interrupted_run_says_that_nothing_is_lost_and_goes_on(tmp_path: Path, told: signal.Signals) -> None:
    job_file, out = write_point_job(tmp_path), tmp_path / "out"
    process = start_run(job_file)
    wait_for_operations(process, out, 4)
    process.send_signal(told)
    text, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 130
    assert "Stopped. Nothing is lost" in text
    assert "Traceback" not in text
    assert "goes on in round" in finish(start_run(job_file))


def test_second_run_of_a_folder_is_refused_while_the_first_lives(tmp_path: Path) -> None:
    job_file = write_point_job(tmp_path)
    first = start_run(job_file)
    wait_for_operations(first, tmp_path / "out", 1)
    second = start_run(job_file)
    text, _ = second.communicate(timeout=SECONDS)
    assert second.returncode == 2
    assert "another labelplane runs this folder" in text
    finish(first)


def test_finished_run_started_again_changes_nothing_and_shows_the_result(undisturbed: Path) -> None:
    before = (undisturbed / "status.json").read_bytes()
    text = finish(start_run(undisturbed.parent / "points.yaml"))
    assert "Next: open the report" in text
    assert (undisturbed / "status.json").read_bytes() == before


def test_removed_status_is_found_again_in_the_store(undisturbed: Path, tmp_path: Path) -> None:
    job_file, out = write_point_job(tmp_path), tmp_path / "out"
    process = start_run(job_file)
    wait_for_operations(process, out, 12)
    process.kill()
    process.communicate()
    (out / "status.json").unlink()
    finish(start_run(job_file))
    votes = json.loads((out / "status.json").read_bytes())["status"]["cost"]["votes"]
    assert votes <= 108, "votes were bought twice"


def test_replayed_round_is_the_same_to_the_bit(undisturbed: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*") if path.name != "run.lock"}
    text = finish(start_run(undisturbed.parent / "points.yaml", "--replay", "2"))
    assert text.count("same to the bit") == 4
    after = {path: path.stat().st_mtime_ns for path in undisturbed.rglob("*") if path.name != "run.lock"}
    assert {path: time for path, time in after.items() if path.is_file()} == {
        path: time for path, time in before.items() if path.is_file()
    }


def test_replay_of_a_changed_result_is_told_apart(undisturbed: Path) -> None:
    record = undisturbed / "rounds" / "0002" / "manifest.json"
    kept = record.read_bytes()
    fields = json.loads(kept)
    fields["stages"]["Aggregate"]["digests"]["posteriors"] = "0" * 64
    record.write_text(json.dumps(fields))
    try:
        process = start_run(undisturbed.parent / "points.yaml", "--replay", "2")
        text, _ = process.communicate(timeout=SECONDS)
    finally:
        record.write_bytes(kept)
    assert process.returncode == 1
    assert "DIFFERENT" in text


def test_replay_of_a_round_that_is_not_there_is_refused(undisturbed: Path) -> None:
    process = start_run(undisturbed.parent / "points.yaml", "--replay", "77")
    text, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert text.startswith("--replay 77: no such finished round")
