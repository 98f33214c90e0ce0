"""The sample with rules, a knowledge base and a simulated crowd runs to its end on real text."""

import csv
import json
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from point_job import start_run

SAMPLES = Path(__file__).parents[3] / "manifests/samples"
SECONDS = 280


@pytest.fixture(scope="module")
def job_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample with less training, so that it takes seconds."""
    folder = tmp_path_factory.mktemp("sample")
    for name in ("glosses", "glosses-rules"):
        shutil.copytree(SAMPLES / name, folder / name)
    job, rules = list(yaml.safe_load_all((SAMPLES / "glosses-rules.yaml").read_text(encoding="utf-8")))
    for network in ("teacher", "student"):
        job["spec"]["model"][network] |= {"members": 1, "epochs": 2}
    job["spec"]["sampling"]["initialBatchSize"] = 50
    job["spec"]["budget"]["votes"] = 100
    job["spec"]["storage"]["uri"] = "out"
    rules["data"]["rules.yaml"] = rules["data"]["rules.yaml"].replace(
        "name: beasts", "name: beasts\n    reviewShare: 1.0"
    )
    path = folder / "job.yaml"
    path.write_text(yaml.safe_dump_all([job, rules], sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def finished(job_file: Path) -> Path:
    process = start_run(job_file)
    text, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, text
    return job_file.parent / "out"


def status_of(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "status.json").read_text(encoding="utf-8"))["status"]
    return found


def test_rules_train_the_first_model_and_people_alone_are_counted(finished: Path) -> None:
    first, last = status_of(finished)["rounds"]

    assert first["stages"]["Train"]["figures"]["items"] > 1000
    assert (first.get("votes", 0), last["votes"]) == (0, 100)
    assert (first.get("labelled", 0), last["labelled"]) == (0, 50)
    assert first["stages"]["Vote"]["figures"]["source_votes"] > 2000
    assert last["stages"]["Aggregate"]["figures"]["rule_coverage"] > 0.9
    assert last["stages"]["Aggregate"]["figures"]["silent_rules"] == 0


def test_people_look_at_the_items_of_a_rule_of_which_they_are_to_see_a_share(finished: Path) -> None:
    first = status_of(finished)["rounds"][0]["stages"]["Select"]["figures"]

    assert first["selected"] == 50
    assert first["rule"] == 23  # half of what gold and the check sample leave


def test_labels_are_far_better_than_chance_and_only_people_make_them_human(finished: Path) -> None:
    with (finished / "export/labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    states = Counter(row["state"] for row in rows)

    assert len(rows) == 2000
    assert 300 <= states["human"] <= 350  # gold, and the 50 items that people were asked about, some of them gold
    assert status_of(finished)["finalize"]["figures"]["truth_accuracy"] > 0.5  # eight classes


def test_the_report_and_explain_tell_of_the_rules(finished: Path) -> None:
    report = (finished / "report/index.html").read_text(encoding="utf-8")
    assert "Rules and knowledge bases" in report
    assert "person-who" in report

    command = [sys.executable, "-m", "labelplane_cli", "explain", str(finished), "n10019888"]
    told = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "rule person-who -> person   right on about" in told.stdout


def test_unchanged_rules_vote_once(finished: Path) -> None:
    folders = [path for source in ("rules", "knowledge-bases") for path in (finished / "votes" / source).iterdir()]
    assert len(folders) == 2


def test_a_rule_with_a_typo_ends_the_command_before_anything_runs(job_file: Path) -> None:
    broken = job_file.parent / "broken.yaml"
    text = job_file.read_text(encoding="utf-8")
    broken.write_text(text.replace("(city|town", "(city|town(", 1).replace("uri: out", "uri: none"), encoding="utf-8")

    process = start_run(broken)
    told, _ = process.communicate(timeout=SECONDS)

    assert process.returncode == 2
    assert told.startswith("broken.yaml: ConfigMap gloss-rules, rules.yaml:")
    assert "rule places: regex: RE2 cannot read it (missing ): " in told
    assert len(told.splitlines()) == 1
    assert not (job_file.parent / "none").exists()
