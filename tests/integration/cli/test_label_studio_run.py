"""A whole job of `labelplane run` that people label in a real Label Studio, over its HTTP API alone."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from label_studio import ANN, BOB, TOKENS, LabelStudio, Person
from review_run import live_answers

pytestmark = pytest.mark.timeout(900)

WORDS = {"order": ["buy", "send", "parcel", "box"], "praise": ["great", "lovely", "thanks", "best"]}
ITEMS = 40
BATCH = 10
ROUNDS = 2


def text_of(number: int) -> str:
    words = WORDS[label_of(number)]
    return " ".join(["please", words[number % 4], words[number // 4 % 4], f"number {number}"])


def label_of(number: int) -> str:
    return ("order", "praise")[number % 2]


def write_job(folder: Path, url: str) -> Path:
    (folder / "data").mkdir(parents=True)
    lines = [json.dumps({"id": f"t{number:02d}", "text": text_of(number)}) for number in range(ITEMS)]
    (folder / "data/items.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    job = {
        "apiVersion": "labelplane.io/v1alpha1",
        "kind": "LabelingJob",
        "metadata": {"name": "mail"},
        "spec": {
            "task": {"type": "TextClassification", "classes": sorted(WORDS)},
            "dataset": {"uri": "data", "format": "Jsonl", "index": "items.jsonl", "idField": "id", "itemField": "text"},
            "storage": {"uri": "out"},
            "sources": {"humans": {"votesPerItem": 2, "labelStudio": {"url": url, "tokenSecret": "label-studio"}}},
            "sampling": {"strategy": "Random", "initialBatchSize": BATCH, "batchSize": BATCH},
            "model": {"teacher": {"encoder": "Linear"}, "student": {"encoder": "Linear"}},
            "budget": {"votes": 2 * BATCH * ROUNDS},
        },
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "label-studio"},
        "stringData": {"token": TOKENS[ANN]},
    }
    path = folder / "mail.yaml"
    path.write_text(yaml.safe_dump_all([job, secret], sort_keys=False), encoding="utf-8")
    return path


class Annotator:
    """Asks the server for the next task of a project as its page does, and answers it."""

    def __init__(self, person: Person) -> None:
        self._person = person

    def answer_all(self, project: int) -> int:
        """Answer what there is, and return how many tasks that were."""
        count = 0
        while True:
            response = self._person.http.get(f"/api/projects/{project}/next/")
            if response.status_code == 404:
                return count
            task = response.json()
            label = label_of(int(task["data"]["text"].rsplit(" ", 1)[1]))
            self._person.annotate(task["id"], label)
            count += 1


def project_of(person: Person, title: str) -> int | None:
    return next((each["id"] for each in person.get("/api/projects/")["results"] if each["title"] == title), None)


def test_a_job_is_labelled_from_its_first_round_to_its_last_in_label_studio(
    tmp_path: Path, label_studio: LabelStudio
) -> None:
    job = write_job(tmp_path, label_studio.url)
    with label_studio.person(ANN) as ann, label_studio.person(BOB) as bob:
        command = [sys.executable, "-m", "labelplane_cli", "run", str(job)]
        with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
            try:
                project = None
                while process.poll() is None:
                    project = project or project_of(ann, "mail")
                    if project is None or not Annotator(ann).answer_all(project) + Annotator(bob).answer_all(project):
                        time.sleep(0.2)  # another process has no event to wait for
            finally:
                process.kill()
    said = (tmp_path / "log").read_text(encoding="utf-8")
    assert process.returncode == 0, said
    assert f"vote at {label_studio.url}/projects/{project}" in said
    answers = live_answers(tmp_path / "out")
    assert len(answers) == 2 * BATCH * ROUNDS
    assert {who for _, who in answers} == {ANN, BOB}
    assert all(label == label_of(int(item[1:])) for (item, _), label in answers.items())


def test_a_job_without_its_token_is_refused_in_one_line_that_says_where_it_goes(tmp_path: Path) -> None:
    job = write_job(tmp_path, "http://127.0.0.1:9")
    job.write_text(job.read_text().split("---")[0])
    ended = subprocess.run(
        [sys.executable, "-m", "labelplane_cli", "run", str(job)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "tokenSecret: Secret label-studio with the key token is not in the job file" in ended.stderr
    assert "Traceback" not in ended.stderr
