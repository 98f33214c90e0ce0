"""How a run ended: what was labelled, how well, and where it lies."""

import shlex
from collections.abc import Mapping
from typing import Final

from rich.console import Console

from labelplane_api.conditions import ConditionStatus, ConditionType, find_condition
from labelplane_api.job import LabelingJob
from labelplane_api.status import LabelingJobStatus, Stage
from labelplane_cli.display import duration, money
from labelplane_cli.errors import JobHasFailed, JobIsSuspended
from labelplane_cli.terminal import Next, folder_at, print_next, printable, short_path
from labelplane_core.errors import ErrorCode, LabelplaneError
from labelplane_operator.history import is_suspended, last_reference
from labelplane_operator.policies.quality import has_gates

__all__ = ["conclusion", "next_steps", "print_conclusion"]

_CODES_OF_BAD_INPUT: Final = frozenset({ErrorCode.INVALID_ARGUMENT, ErrorCode.NOT_FOUND, ErrorCode.FAILED_PRECONDITION})


def print_conclusion(console: Console, job: LabelingJob, store_uri: str) -> None:
    """Print how a run ended and what to do next; `store_uri` is where its results lie.

    Raises:
        JobHasFailed: the job cannot go on, or uses what is not built.
        JobIsSuspended: the job is to rest.
    """
    _refuse_failure(job.status)
    for line in conclusion(job):
        console.print(f"  {printable(line)}")
    print_next(console, next_steps(job, store_uri))


def conclusion(job: LabelingJob) -> list[str]:
    """Return the lines that say what a complete job has brought."""
    status = job.status
    complete = find_condition(status.conditions, ConditionType.COMPLETE)
    why = f" ({complete.message})" if complete is not None and complete.message else ""
    lines = [f"{_took(status)}{_labels(status)} from {status.cost.votes:,} votes of people{_price(job)}{why}"]
    lines.extend(
        line
        for line in (_states(job), _gate(job), _audit(status), _truth(status), _choice(status), _silent(status))
        if line
    )
    return lines


def _choice(status: LabelingJobStatus) -> str:
    """Return which model of annotators weighed most in the last aggregation, and why, where several were weighed."""
    why = last_reference(status, Stage.AGGREGATE, "choice")
    return f"model of annotators: {why}" if why else ""


def _silent(status: LabelingJobStatus) -> str:
    """Return which rules never voted: nothing failed, but somebody will want to know."""
    names = last_reference(status, Stage.AGGREGATE, "silent")
    return f"never voted, correct them or take them out: {names}" if names else ""


def next_steps(job: LabelingJob, store_uri: str) -> list[Next]:
    """Return where to look at the results of a complete job."""
    artifacts, root = job.status.artifacts, store_uri.rstrip("/")
    steps: list[Next] = []
    if "report" in artifacts:
        steps.append(("open the report", short_path(f"{root}/{artifacts['report']}")))
    exports = sorted(name for name in artifacts if name.startswith("export_"))
    steps.extend(("use the labels", short_path(f"{root}/{artifacts[name]}")) for name in exports[:1])
    if (folder := folder_at(store_uri)) is not None:
        steps.append(("ask why", f"labelplane explain {shlex.quote(short_path(folder))} ITEM"))
    return steps


def _refuse_failure(status: LabelingJobStatus) -> None:
    refused = find_condition(status.conditions, ConditionType.ACCEPTED)
    if refused is not None and refused.status is ConditionStatus.FALSE:
        raise JobHasFailed(refused.message, is_bad_input=True)
    failed = find_condition(status.conditions, ConditionType.FAILED)
    if failed is not None and failed.status is ConditionStatus.TRUE:
        is_bad_input = failed.reason in _reasons_of_bad_input(LabelplaneError)
        raise JobHasFailed(failed.message, is_bad_input=is_bad_input)
    if is_suspended(status):
        raise JobIsSuspended(
            "spec.run.suspend is true, so nothing runs: set it to false, and the same command goes on from here"
        )


def _reasons_of_bad_input(base: type[LabelplaneError]) -> set[str]:
    """Return the reasons of all loaded errors below `base` that say: what was given has to be mended."""
    own = {base.reason} if base.code in _CODES_OF_BAD_INPUT else set()
    return own.union(*(_reasons_of_bad_input(each) for each in base.__subclasses__()))


def _figures(status: LabelingJobStatus) -> Mapping[str, float]:
    """Return what Finalize measured, nothing before it."""
    return status.finalize.figures if status.finalize else {}


def _took(status: LabelingJobStatus) -> str:
    if status.started_at is None or status.finished_at is None:
        return "done: "
    return f"done in {duration((status.finished_at - status.started_at).total_seconds())}: "


def _labels(status: LabelingJobStatus) -> str:
    figures = _figures(status)
    total = int(sum(figures.get(state, 0.0) for state in ("human", "accepted", "predicted")))
    return f"{total:,} labels"


def _price(job: LabelingJob) -> str:
    cost = job.status.cost
    return f" for {money(cost.money, cost.currency)}" if cost.money else ""


def _states(job: LabelingJob) -> str:
    figures = _figures(job.status)
    human, accepted, predicted = (int(figures.get(state, 0.0)) for state in ("human", "accepted", "predicted"))
    bound = f" (error at most {100 * figures['risk_bound']:.1f} %)" if accepted and "risk_bound" in figures else ""
    return f"{human:,} decided by people, {accepted:,} accepted from the model{bound}, {predicted:,} predicted only"


def _gate(job: LabelingJob) -> str:
    """Return what a quality gate holds back, nothing while none is set or all are met."""
    condition = find_condition(job.status.conditions, ConditionType.QUALITY_GATE_PASSED)
    if condition is None or condition.status is ConditionStatus.TRUE or not has_gates(job):
        return ""
    if condition.status is ConditionStatus.FALSE:
        return f"quality gate missed, nothing is accepted from the model or exported: {condition.message}"
    return f"quality gate not known, nothing is accepted from the model: {condition.message}"


def _audit(status: LabelingJobStatus) -> str:
    figures = _figures(status)
    if "audit_accuracy" not in figures:
        return "no audit gold: how many labels are right is not known; set dataset.goldField for some items"
    low, high = 100 * figures["audit_low"], 100 * figures["audit_high"]
    return f"labels right on audit gold: {100 * figures['audit_accuracy']:.1f} % ({low:.1f} to {high:.1f} %)"


def _truth(status: LabelingJobStatus) -> str:
    figures = _figures(status)
    if "truth_accuracy" not in figures:
        return ""
    return f"labels right outside gold: {100 * figures['truth_accuracy']:.1f} % (by dataset.truthField)"
