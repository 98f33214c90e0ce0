"""The review page of an embedded run: served by this process, to this machine alone, behind a secret link."""

import asyncio
import getpass
import json
import os
import secrets
import socket
import webbrowser
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from labelplane_api.job import LabelingJob
from labelplane_cli.embedded.run_folder import RunFolder
from labelplane_cli.embedded.runtime import Watcher
from labelplane_cli.errors import CliError
from labelplane_core.clock import Clock
from labelplane_operator.plan import Plan
from labelplane_review.desk_client import DeskClient
from labelplane_review.jury_client import JuryClient
from labelplane_review.web.access import SecretLink
from labelplane_review.web.app import make_app
from labelplane_review.web.jobs import JobAtHand

__all__ = ["CurrentJob", "FrontWish", "both", "running_front"]

HOST: Final = "127.0.0.1"
LINGER_SECONDS: Final = 2.5
"""How long pages that are open have to hear that the job is complete."""
VISIT_SECONDS: Final = 15.0
"""A page asks at least so often while it is open."""


@dataclass(frozen=True, slots=True)
class FrontWish:
    """How to serve the page.

    `tell` is given its secret links, the owner's and the one for others; without `port` it is the last one, or a free
    one.
    """

    tell: Callable[[str, str], None]
    port: int | None = None
    opens_browser: bool = False


class CurrentJob:
    """The one job of a run, as its last plan left it; also a watcher of plans."""

    def __init__(self, job: LabelingJob, channel: Any) -> None:
        self._job = job
        self._desk = DeskClient(channel)
        self._jury = JuryClient(channel)

    def __call__(self, job: LabelingJob, plan: Plan) -> None:
        """Take the job's new status in."""
        del plan  # its status is the job's
        self._job = job

    def names(self) -> Sequence[str]:
        """Return the one name."""
        return (self._job.metadata.name,)

    def look_at(self, name: str) -> LabelingJob | None:
        """Return the job as such when it is the one."""
        return self._job if name == self._job.metadata.name else None

    def find(self, name: str) -> JobAtHand | None:
        """Return the job with its inbox when it is the one."""
        return JobAtHand(self._job, self._desk, self._jury) if name == self._job.metadata.name else None


def both(first: Watcher, second: Watcher) -> Watcher:
    """Return a watcher that tells two."""

    def watch(job: LabelingJob, plan: Plan) -> None:
        first(job, plan)
        second(job, plan)

    return watch


@asynccontextmanager
async def running_front(
    wish: FrontWish, job: LabelingJob, *, folder: RunFolder, channel: Any, clock: Clock
) -> AsyncIterator[CurrentJob]:
    """Serve the page while the block runs, and yield what is to be told of the job's plans.

    The link stays the same over restarts of a run, so that an open page finds it again.

    Raises:
        CliError: the port that was asked for is taken.
    """
    link = _Link.read(folder.path / "review-link.json")
    listening = _listen(wish.port, before=link.port)
    port = listening.getsockname()[1]
    replace(link, port=port).write(folder.path / "review-link.json")
    hosts = (f"{HOST}:{port}", f"localhost:{port}")
    access = SecretLink(link.secret, name=_user(), hosts=hosts, guest_secret=link.guest_secret)
    current, closing, visits = CurrentJob(job, channel), asyncio.Event(), _Visits(clock)
    app = make_app(current, access, now=clock.now, closing=closing)
    app.on_response_prepare.append(visits.note)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        address = f"http://{HOST}:{port}/enter/{link.secret}"
        wish.tell(address, f"http://{HOST}:{port}/enter/{link.guest_secret}")
        if wish.opens_browser and _has_display():
            await asyncio.to_thread(webbrowser.open, address)
        yield current
        closing.set()
        if visits.was_lately():
            await asyncio.sleep(LINGER_SECONDS)
    finally:
        closing.set()
        await runner.cleanup()


@dataclass(frozen=True, slots=True)
class _Link:
    """What the secret links are made of; kept for the next start, readable by this user alone."""

    secret: str
    port: int
    guest_secret: str

    @classmethod
    def read(cls, path: Path) -> "_Link":
        try:
            fields = json.loads(path.read_bytes())
            guest_secret = str(fields.get("guest_secret") or secrets.token_urlsafe(24))
            return cls(str(fields["secret"]), int(fields["port"]), guest_secret)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return cls(secrets.token_urlsafe(24), 0, secrets.token_urlsafe(24))

    def write(self, path: Path) -> None:
        part = path.with_name(f".{path.name}")
        part.touch(mode=0o600)
        part.write_text(json.dumps(asdict(self)), encoding="utf-8")
        part.replace(path)


class _Visits:
    """Notes when a page was served last."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = -VISIT_SECONDS

    async def note(self, request: web.Request, response: web.StreamResponse) -> None:
        del request, response
        self._last = self._clock.monotonic()

    def was_lately(self) -> bool:
        return self._clock.monotonic() - self._last < VISIT_SECONDS


def _listen(wanted: int | None, *, before: int) -> socket.socket:
    """Return a socket that listens on the wanted port, else on that of the last run, else on a free one."""
    if wanted is not None:
        try:
            return socket.create_server((HOST, wanted))
        except OSError as error:
            why = os.strerror(error.errno or 0)  # `strerror` of the error itself repeats the address
            raise CliError(f"--port {wanted}: {why}: choose another, or leave --port out") from error
    try:
        return socket.create_server((HOST, before))
    except OSError:
        return socket.create_server((HOST, 0))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _has_display() -> bool:
    return (
        os.name != "posix" or os.uname().sysname == "Darwin" or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())
    )
