"""A world for the planner: services that answer at once with figures of one's choosing, and a clock that moves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from job_builder import JobBuilder

from labelplane_api.conditions import ConditionType, find_condition
from labelplane_api.job import LabelingJob
from labelplane_api.status import Stage
from labelplane_operator.observed import InboxView, Observed, OperationError, OperationState, OperationView
from labelplane_operator.plan import Event, Plan, make_plan
from labelplane_operator.requests import Installation, StageRequest

LAPTOP = Installation("here", 7)
CLUSTER = Installation("here", 7, is_cluster=True)
START = datetime(2026, 1, 1, tzinfo=UTC)

Figures = Callable[[int], Mapping[str, float]]
"""Figures of a stage by the number of its round."""


def _default_figures() -> dict[Stage, Figures]:
    return {
        Stage.PREPARE: lambda _: {"items": 1000, "gold_gate": 50, "gold_audit": 50, "last_round": -1},
        Stage.AGGREGATE: lambda number: {"labelled": 100 * number, "min_class_count": 5 * number},
        Stage.TRAIN: lambda number: {
            "student_accuracy": 0.80 + 0.01 * number,
            "standing_accuracy": 0.79 + 0.01 * number,
            "only_student_right": 2,
            "only_standing_right": 1,
        },
        Stage.SCORE: lambda _: {"items": 1000, "kappa": 0.9},
        Stage.SELECT: lambda _: {"selected": 20},
    }


_RESULTS: dict[Stage, tuple[str, ...]] = {
    Stage.PREPARE: ("index",),
    Stage.VOTE: ("votes",),
    Stage.AGGREGATE: ("posteriors", "reliabilities"),
    Stage.TRAIN: ("model", "teacher", "out_of_fold"),
    Stage.SCORE: ("scores",),
    Stage.SELECT: ("selection",),
    Stage.REVIEW: ("tasks",),
    Stage.FINALIZE: ("labels", "report"),
}


@dataclass
class PlannedWorld:
    """Plays a job against the planner alone.

    `results` are those beside the usual ones. `votes` and `votes_missing` are the inbox; people answer a task at once
    unless `people_answer` is False.
    """

    job: LabelingJob
    now: datetime = START
    installation: Installation = LAPTOP
    votes: int = 0
    votes_missing: int = 0
    people_answer: bool = True
    connector_address: str = ""
    connector_problem: str = ""
    figures: dict[Stage, Figures] = field(default_factory=_default_figures)
    results: dict[Stage, Callable[[int], Mapping[str, str]]] = field(default_factory=dict)
    errors: dict[str, OperationError] = field(default_factory=dict)
    operations: dict[str, OperationView] = field(default_factory=dict)
    started: list[StageRequest] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    plan: Plan | None = None

    def observe(self) -> Observed:
        named = self.job.status.operation
        view = self.operations.get(named.request_id) if named else None
        told = InboxView(
            votes=self.votes,
            votes_missing=self.votes_missing,
            connector_address=self.connector_address,
            connector_problem=self.connector_problem,
        )
        inbox = told if self.job.status.prepare else None
        return Observed(operation=view, inbox=inbox)

    def step(self, observed: Observed | None = None) -> Plan:
        """Reconcile once."""
        seen = self.observe() if observed is None else observed
        self.plan = make_plan(self.job, seen, installation=self.installation, now=self.now)
        if self.plan.start is not None and self.plan.start.request_id not in self.operations:
            self._answer(self.plan.start)
        self.job = self.job.with_status(self.plan.status)
        self.events += self.plan.events
        self.now += timedelta(seconds=self.plan.requeue_after_seconds or 0)
        return self.plan

    def reach(self, stage: Stage, number: int = 0, *, most_steps: int = 1000) -> Plan:
        """Reconcile until a stage of a round is started."""
        for _ in range(most_steps):
            plan = self.step()
            if plan.start is not None and plan.start.stage is stage and self._round(plan.start) == number:
                return plan
        raise AssertionError(f"{stage}/{number} is not reached: {self.stages()}")

    def wait(self, seconds: float) -> None:
        """Let time pass that nobody uses."""
        self.now += timedelta(seconds=seconds)

    def change(self, builder: JobBuilder) -> None:
        """Let the user change the spec."""
        changed = builder.build()
        metadata = changed.metadata.model_copy(
            update={"uid": self.job.metadata.uid, "generation": self.job.metadata.generation + 1}
        )
        self.job = changed.model_copy(update={"metadata": metadata}).with_status(self.job.status)

    def condition(self, kind: ConditionType) -> tuple[str, str, str]:
        """Return status, reason and message of a condition that stands."""
        found = find_condition(self.job.status.conditions, kind)
        assert found is not None, kind
        return found.status, found.reason, found.message

    def play(self, *, most_steps: int = 1000) -> Plan:
        """Reconcile until nothing is to be done any more."""
        for _ in range(most_steps):
            plan = self.step()
            if plan.requeue_after_seconds is None:
                return plan
        raise AssertionError(f"not done after {most_steps} steps: {self.job.status.operation}")

    def stages(self) -> list[str]:
        """What was started, as `Stage/round`, in order."""
        return [f"{each.stage}/{self._round(each)}" for each in self.started]

    @staticmethod
    def _round(request: StageRequest) -> int:
        return request.message.round.number if request.stage is not Stage.PREPARE else 0  # type: ignore[attr-defined]

    def _answer(self, request: StageRequest) -> None:
        self.started.append(request)
        number = self._round(request)
        error = self.errors.get(request.request_id)
        figures = dict(self.figures.get(request.stage, lambda _: {})(number))
        if request.stage is Stage.VOTE:
            figures = {"people_votes": self.votes} | figures
        if request.stage is Stage.REVIEW:
            selected = self.figures[Stage.SELECT](number)["selected"]
            wanted = int(selected) * request.message.votes_per_item  # type: ignore[attr-defined]
            if self.people_answer:
                self.votes += wanted
            else:
                self.votes_missing += wanted
        self.operations[request.request_id] = OperationView(
            request_id=request.request_id,
            state=OperationState.FAILED if error else OperationState.SUCCEEDED,
            started=self.now,
            updated=self.now,
            results={name: f"{name}-{number}" for name in _RESULTS[request.stage]}
            | dict(self.results.get(request.stage, lambda _: {})(number)),
            figures=figures,
            error=error,
        )
