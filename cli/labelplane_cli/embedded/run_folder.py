"""The folder of a run: who holds it, where the job stands, and where its services listen."""

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError

from labelplane_api.job import LabelingJob
from labelplane_api.status import LabelingJobStatus
from labelplane_cli.errors import CliError, RunIsLive

__all__ = ["RunFolder", "RunState"]

MAX_SOCKET_PATH = 100
"""Bytes of a socket's path that every system takes (the bound is 104 to 108)."""


@dataclass(frozen=True, slots=True)
class RunState:
    """What the API server would keep of a job: its identity, its generation, its spec and its status."""

    name: str
    uid: str
    generation: int
    spec: dict[str, object]
    status: LabelingJobStatus


class RunFolder:
    """`OUT` of an embedded run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def report(self) -> Path:
        """The report, once it is written."""
        return self.path / "report" / "index.html"

    @property
    def export(self) -> Path:
        """The folder of the exported labels."""
        return self.path / "export"

    @contextmanager
    def held(self) -> Iterator[int]:
        """Hold the folder for this process and yield the leader's epoch, which is higher than any before.

        Raises:
            RunIsLive: another live process holds it.
            CliError: the folder cannot be written.
        """
        with self._open_lock() as file:
            yield _take(file, self.path)

    def _open_lock(self) -> IO[str]:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            return (self.path / "run.lock").open("a+", encoding="utf-8")
        except OSError as error:
            raise CliError(f"{self.path}: {error.strerror}: choose a folder that you may write, with --out") from error

    def read_state(self) -> RunState | None:
        """Return where the job stands, None before its first run.

        Raises:
            CliError: the file is damaged.
        """
        path = self.path / "status.json"
        if not path.exists():
            return None
        try:
            return _checked_state(json.loads(path.read_bytes()))
        except (ValueError, KeyError, TypeError, ValidationError) as error:
            raise CliError(
                f"{path} is damaged: remove it, and the run goes on after its last finished round"
            ) from error

    def write_state(self, job: LabelingJob) -> None:
        """Write where the job stands, whole or not at all."""
        fields = {
            "name": job.metadata.name,
            "uid": job.metadata.uid,
            "generation": job.metadata.generation,
            "spec": job.spec.model_dump(mode="json", by_alias=True),
            "status": job.status.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        }
        # One name for all: nobody else writes here, and what a killed run has left is written over.
        part = self.path / ".status.json"
        with part.open("w", encoding="utf-8") as file:
            json.dump(fields, file, indent=1, ensure_ascii=False)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path / "status.json")

    @contextmanager
    def socket(self) -> Iterator[str]:
        """Yield the address where the services listen: in the folder, or elsewhere when its path is too long."""
        own = self.path.resolve() / "services.sock"
        if len(os.fsencode(own)) <= MAX_SOCKET_PATH:
            own.unlink(missing_ok=True)
            try:
                yield f"unix:{own}"
            finally:
                own.unlink(missing_ok=True)
        else:
            with tempfile.TemporaryDirectory(prefix="labelplane-") as folder:
                yield f"unix:{folder}/services.sock"


def _checked_state(fields: Mapping[str, Any]) -> RunState:
    identity = {name: fields[name] for name in ("name", "uid", "generation")}
    LabelingJob.model_validate({"metadata": identity, "spec": fields["spec"]})
    return RunState(**identity, spec=fields["spec"], status=LabelingJobStatus.model_validate(fields["status"]))


def _take(file: IO[str], path: Path) -> int:
    """Lock the file and raise the epoch in it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise RunIsLive(f"{path}: another labelplane runs this folder: wait for it, or choose another --out") from error
    file.seek(0)
    text = file.read().strip()
    epoch = (int(text) if text.isdecimal() else 0) + 1
    file.seek(0)
    file.truncate()
    file.write(f"{epoch}\n")
    file.flush()
    os.fsync(file.fileno())
    return epoch
