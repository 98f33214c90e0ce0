"""Shows a run while it goes on: moving lines on a terminal, one line for each finished round everywhere else."""

from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.live import Live

from labelplane_api.conditions import ConditionStatus, ConditionType, Reason, find_condition
from labelplane_api.job import LabelingJob
from labelplane_api.sources import Connector
from labelplane_api.support import unread_on_one_machine
from labelplane_cli.display import Activity, RunView, finished_rounds, live_frame, round_line, view_of
from labelplane_cli.terminal import is_live, printable
from labelplane_core.clock import Clock
from labelplane_operator.history import is_finished, is_suspended
from labelplane_operator.plan import Plan

__all__ = ["RunWatcher"]

_FRAMES_PER_SECOND = 8


class RunWatcher:
    """A context in which a run is shown; call it with every plan."""

    def __init__(self, console: Console, clock: Clock, *, quiet: bool = False) -> None:
        self._console = console
        self._clock = clock
        self._quiet = quiet
        self._view = RunView(None, 0, Activity("Starting the services"))
        self._told: set[object] = set()
        self._has_begun = False
        self._live: Live | None = None

    def __enter__(self) -> Self:
        """Show the first frame at once."""
        if not self._quiet and is_live(self._console):
            self._live = Live(
                get_renderable=self._frame,
                console=self._console,
                refresh_per_second=_FRAMES_PER_SECOND,
                transient=True,
            )
            self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the moving lines away; those of finished rounds stay."""
        if self._live is not None:
            self._live.stop()

    def __call__(self, job: LabelingJob, plan: Plan) -> None:
        """Show where the job stands."""
        del plan  # its status is the job's
        self._view = view_of(job, now=self._clock.now())
        if self._quiet:
            return
        if not self._has_begun:
            self._begin(job)
        self._tell_dataset(job)
        for each in finished_rounds(job):
            self._once(("round", each.round), round_line(job, each))
        self._tell_waiting(job)
        self._tell_where(job)
        self._tell_late(job)

    def _begin(self, job: LabelingJob) -> None:
        """Say what of the job is not read here and where this run goes on; what an earlier run has shown is told."""
        self._has_begun = True
        if unread := unread_on_one_machine(job):
            self._console.print(printable(f"  not read here, as this is no cluster: {', '.join(unread)}"))
        self._told.update(("round", each.round) for each in finished_rounds(job))
        if job.status.prepare is not None:
            self._told.add("data set")
            if not job.status.finished_at and not is_suspended(job.status):
                self._console.print(f"  goes on in round {job.status.rounds[-1].round if job.status.rounds else 0}")

    def _frame(self) -> RenderableType:
        return live_frame(self._view, seconds=self._clock.monotonic())

    def _tell_dataset(self, job: LabelingJob) -> None:
        ready = find_condition(job.status.conditions, ConditionType.DATASET_READY)
        if ready is not None and ready.status is ConditionStatus.TRUE:
            self._once("data set", f"  {ready.message}   {len(job.spec.task.classes)} classes")

    def _tell_waiting(self, job: LabelingJob) -> None:
        """Say once a round, where no line moves, that people are waited for."""
        if self._live is None and self._view.activity.name == "Waiting for people" and self._view.activity.total:
            wanted = job.status.progress.votes_wanted
            self._once(("waiting", self._view.round), f"  waiting for {wanted:,} votes of people")

    def _tell_where(self, job: LabelingJob) -> None:
        """Say where people answer, and what keeps the connector from working, when it says so itself."""
        humans = job.spec.sources.humans
        waiting = find_condition(job.status.conditions, ConditionType.WAITING_FOR_ANNOTATIONS)
        if humans is None or humans.connector is not Connector.LABEL_STUDIO or waiting is None:
            return
        where = waiting.message.partition(": ")[2]
        if waiting.status is ConditionStatus.TRUE and where:
            self._once(("where", where), f"  {where}")

    def _tell_late(self, job: LabelingJob) -> None:
        """Say once a round that it goes on without votes that did not come in time."""
        waiting = find_condition(job.status.conditions, ConditionType.WAITING_FOR_ANNOTATIONS)
        if waiting is not None and waiting.reason == Reason.DEADLINE_PASSED and not is_finished(job.status):
            self._once(("late", waiting.message, waiting.last_transition_time), f"  {waiting.message}")

    def _once(self, key: object, line: str) -> None:
        if key not in self._told:
            self._told.add(key)
            self._console.print(printable(line))
