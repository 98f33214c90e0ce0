"""`labelplane run --review` as a process, and what people have answered according to its folder."""

import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from PIL import Image, ImageDraw
from real_parts import heeding_ctrl_c

SHAPES = ("round", "square")


def write_images(folder: Path, count: int) -> None:
    """Draw discs and squares, named by what they are: `round-00.png`, `square-01.png`, and so on."""
    folder.mkdir(parents=True)
    for number in range(count):
        shape = SHAPES[number % 2]
        image = Image.new("RGB", (96, 72), (24 + number % 40, 30, 60))
        box = (20 + number % 17, 10 + number % 11, 60 + number % 17, 50 + number % 11)
        drawing = ImageDraw.Draw(image)
        (drawing.ellipse if shape == "round" else drawing.rectangle)(box, fill=(240, 200 - number % 60, 80))
        image.save(folder / f"{shape}-{number:02d}.png")


def write_text_job(
    folder: Path, texts: list[str], *, classes: list[str], guidelines: str = "", batch: int = 20, **inbox: Any
) -> Path:
    """Write a job that asks about texts, `t00`, `t01` and so on; it ends after its first batch is answered."""
    (folder / "data").mkdir(parents=True)
    lines = [json.dumps({"id": f"t{number:02d}", "text": text}) for number, text in enumerate(texts)]
    (folder / "data/items.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    job = {
        "apiVersion": "labelplane.io/v1alpha1",
        "kind": "LabelingJob",
        "metadata": {"name": "texts"},
        "spec": {
            "task": {"type": "TextClassification", "classes": classes},
            "dataset": {"uri": "data", "format": "Jsonl", "index": "items.jsonl", "idField": "id", "itemField": "text"},
            "storage": {"uri": "out"},
            "sources": {"humans": {"votesPerItem": 1, "inbox": inbox}},
            "sampling": {"strategy": "Random", "initialBatchSize": batch, "batchSize": batch},
            "model": {"teacher": {"encoder": "Linear"}, "student": {"encoder": "Linear"}},
            "budget": {"votes": batch},
            "review": {"guidelines": guidelines},
        },
    }
    path = folder / "texts.yaml"
    path.write_text(yaml.safe_dump(job, sort_keys=False), encoding="utf-8")
    return path


class ReviewRun:
    """A run with its page. `link` lets a browser in; `address` is where the pages lie."""

    def __init__(self, job_file: Path, *words: str, cwd: Path | None = None) -> None:
        self.lines: list[str] = []
        self._links: queue.Queue[str] = queue.Queue()
        self.process = subprocess.Popen(
            heeding_ctrl_c(
                [sys.executable, "-m", "labelplane_cli", "run", str(job_file), "--review", "--no-browser", *words]
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=cwd,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()
        self.link = self._links.get(timeout=120)
        assert self.link, "\n".join(self.lines)
        self.address = self.link.split("/enter/")[0]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if found := re.search(r"Review page: (\S+)", line):
                self._links.put(found.group(1))
        self._links.put("")

    def kill(self) -> None:
        """End the process as SIGKILL does."""
        self.process.kill()
        self._ended()

    def stop(self) -> int:
        """End the process as Ctrl-C does, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self._ended()

    def _ended(self) -> int:
        code = self.process.wait(timeout=120)
        self._reading.join(timeout=60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


@contextmanager
def review_run(job_file: Path, *words: str, cwd: Path | None = None) -> Iterator[ReviewRun]:
    """A run that is stopped afterwards if it is still there."""
    run = ReviewRun(job_file, *words, cwd=cwd)
    try:
        yield run
    finally:
        run.stop()


def journal(out: Path) -> list[dict[str, Any]]:
    """Return every vote that the inbox has acknowledged, in order, from the run's folder."""
    batches = sorted((out / "review/inbox").glob("*.jsonl"))
    lines = [json.loads(line) for batch in batches for line in batch.read_text(encoding="utf-8").splitlines()]
    return [line["vote"] for line in lines if "reason" not in line]


def live_answers(out: Path) -> dict[tuple[str, str], str]:
    """Return the answers that count, by item and annotator."""
    votes = journal(out)
    superseded = {vote["supersedes"] for vote in votes}
    return {
        (vote["item_id"], vote["annotator"]): vote["answer"]
        for vote in votes
        if vote["vote_id"] not in superseded and not vote["retracted"]
    }
