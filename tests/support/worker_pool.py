"""Scoring workers as processes, cheap enough to be killed by the dozen: forked from one that has loaded everything."""

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import NoReturn

_STOP_SECONDS = 60.0
_LOOK_SECONDS = 0.02
_READY = "takes shards from"
_CONTEXT = multiprocessing.get_context("forkserver")


def _run(environment: Mapping[str, str], log: str) -> NoReturn:
    """Be a worker process, as `python -m labelplane_scoring.worker` is one."""
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for stream in (1, 2):
        os.dup2(output, stream)
    for name in [name for name in os.environ if name.startswith("LABELPLANE_")]:
        del os.environ[name]
    os.environ.update(environment)
    from labelplane_core.leaving import leave
    from labelplane_scoring.worker import run_worker

    leave(run_worker())


@dataclass
class Worker:
    """A worker, and the file with what it says."""

    process: ForkServerProcess
    log: Path

    def is_ready(self) -> bool:
        """Whether it takes shards, and heeds SIGTERM."""
        return self.log.exists() and _READY in self.log.read_text()


@dataclass
class WorkerPool:
    """Workers that share an environment.

    Attributes:
        environment: their LABELPLANE_* variables.
        folder: where their logs lie.
    """

    environment: Mapping[str, str]
    folder: Path
    workers: list[Worker] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    def start(self, many: int = 1) -> None:
        """Start more workers."""
        for _ in range(many):
            log = self.folder / f"worker-{next(self._numbers)}.log"
            process = _CONTEXT.Process(target=_run, args=(dict(self.environment), str(log)))
            process.start()
            self.workers.append(Worker(process, log))

    def kill(self, worker: Worker) -> None:
        """Kill a worker, as a node that dies does."""
        self.workers.remove(worker)
        worker.process.kill()
        worker.process.join(_STOP_SECONDS)

    def stop(self, worker: Worker) -> int | None:
        """Stop a worker as the kubelet does, once it has begun to work, and return its exit code."""
        while worker.process.is_alive() and not worker.is_ready():
            time.sleep(_LOOK_SECONDS)
        self.workers.remove(worker)
        assert worker.process.pid is not None
        os.kill(worker.process.pid, signal.SIGTERM)
        worker.process.join(_STOP_SECONDS)
        return worker.process.exitcode

    def said(self) -> str:
        """What all workers have said."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("worker-*.log")))


@contextmanager
def worker_pool(folder: Path, servers: str, *, job: str, lease_seconds: float = 5.0) -> Iterator[WorkerPool]:
    """Run workers over `folder/store` and `folder/data`; what is left of them is killed at the end."""
    _CONTEXT.set_forkserver_preload(["labelplane_scoring.worker"])
    environment = {
        "LABELPLANE_STORE_URI": f"file://{folder / 'store'}",
        "LABELPLANE_DATA_URI": f"file://{folder / 'data'}",
        "LABELPLANE_QUEUE_SERVERS": servers,
        "LABELPLANE_QUEUE_NAMESPACE": "team-a",
        "LABELPLANE_QUEUE_JOB": job,
        "LABELPLANE_QUEUE_LEASE_SECONDS": str(lease_seconds),
        "LABELPLANE_DRAIN_GRACE_SECONDS": "20",
        "NUMBA_NUM_THREADS": "1",
    }
    folder.mkdir(parents=True, exist_ok=True)
    pool = WorkerPool(environment, folder)
    try:
        yield pool
    finally:
        for worker in tuple(pool.workers):
            pool.kill(worker)
