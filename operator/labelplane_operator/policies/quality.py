"""Whether the results are good enough to leave the job, and whether the machine may accept labels by itself.

The services only measure; here the figures of the newest Aggregate meet the bounds of `spec.quality.gates`. A gate
never holds a round. Serving outside the job, and exports that are asked for later, will be held by the same condition
when those parts come.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from labelplane_api.conditions import ConditionStatus, Reason
from labelplane_api.job import LabelingJob
from labelplane_api.limits import Gates
from labelplane_api.status import LabelingJobStatus, Stage
from labelplane_operator.history import last_figure, rounds_with

__all__ = ["has_gate_gold", "has_gates", "may_accept", "may_export", "quality_gate"]

_ASK_GOLD = "a larger sampling.goldShare asks about more gold"

Verdict = tuple[ConditionStatus, Reason, str]


def has_gate_gold(status: LabelingJobStatus) -> bool:
    """Whether there is gold that decides."""
    return status.prepare is not None and status.prepare.gold_gate > 0


def has_gates(job: LabelingJob) -> bool:
    """Whether the job sets a gate."""
    return job.spec.quality.gates != Gates()


def quality_gate(job: LabelingJob, status: LabelingJobStatus) -> Verdict:
    """Return the condition QualityGatePassed by the newest Aggregate.

    - False, GateMissed: a gate is missed, whatever the others are; the message names each that is.
    - Unknown, NoGold: a gate needs gate gold and there is none; or no gate is set and there is none, so that nothing
      vouches for the labels.
    - Unknown, NotMeasured: a figure is not there: no Aggregate yet, no votes on the gold, undefined agreement.
    - True, GatesMet or NoGates.
    """
    if not has_gates(job):
        return _without_gates(status)
    gates = list(_gates(job, status))
    missed = [each.told for each in gates if each.is_missed]
    if missed:
        return ConditionStatus.FALSE, Reason.GATE_MISSED, "; ".join(missed)
    if not has_gate_gold(status) and any(each.needs_gold for each in gates):
        names = ", ".join(each.name for each in gates if each.needs_gold)
        return ConditionStatus.UNKNOWN, Reason.NO_GOLD, f"{names}: no gate gold: set dataset.goldField for some items"
    if not rounds_with(status, Stage.AGGREGATE):
        return ConditionStatus.UNKNOWN, Reason.NOT_MEASURED, "the first Aggregate measures what the gates ask for"
    unknown = [each.told for each in gates if each.figure is None]
    if unknown:
        return ConditionStatus.UNKNOWN, Reason.NOT_MEASURED, "; ".join(unknown)
    return ConditionStatus.TRUE, Reason.GATES_MET, "; ".join(each.told for each in gates)


def may_accept(job: LabelingJob, status: LabelingJobStatus) -> bool:
    """Whether Finalize may accept labels inside the risk bound: the gate holds, and there is gold to find the bound."""
    gate, _, _ = quality_gate(job, status)
    return job.spec.quality.acceptance.enabled and gate is ConditionStatus.TRUE and has_gate_gold(status)


def may_export(job: LabelingJob, status: LabelingJobStatus) -> bool:
    """Whether Finalize may write the exports; a missed gate holds them, one that is not known does not."""
    gate, _, _ = quality_gate(job, status)
    return gate is not ConditionStatus.FALSE


@dataclass(frozen=True, slots=True)
class _Gate:
    """One bound and the figure that it is about.

    Attributes:
        name: of the field.
        what: the figure, in words.
        figure: as measured; None where it is not known.
        bound: the least or, with `is_maximum`, the largest that is wanted.
        unknown: why there may be no figure.
        needs_gold: whether the figure is measured on gate gold.
    """

    name: str
    what: str
    figure: float | None
    bound: float
    unknown: str
    is_maximum: bool = False
    needs_gold: bool = False

    @property
    def is_missed(self) -> bool:
        if self.figure is None:
            return False
        return self.figure > self.bound if self.is_maximum else self.figure < self.bound

    @property
    def told(self) -> str:
        if self.figure is None:
            return f"{self.name}: {self.unknown}"
        extreme = "most" if self.is_maximum else "least"
        return f"{self.name}: {self.what} is {self.figure:.4g}, at {extreme} {self.bound:g} is wanted"


def _without_gates(status: LabelingJobStatus) -> Verdict:
    if not has_gate_gold(status):
        return (
            ConditionStatus.UNKNOWN,
            Reason.NO_GOLD,
            "no gate gold: nothing is accepted by the machine alone; set dataset.goldField for some items",
        )
    return ConditionStatus.TRUE, Reason.NO_GATES, "no gates are set"


def _gates(job: LabelingJob, status: LabelingJobStatus) -> Iterator[_Gate]:
    """Yield the gates that the job sets."""
    gates = job.spec.quality.gates
    no_agreement = "not defined yet: it needs items with two votes or more, and votes for two classes"
    if gates.minimum_alpha is not None:
        alpha = last_figure(status, Stage.AGGREGATE, "alpha")
        yield _Gate("minimumAlpha", "alpha", alpha, gates.minimum_alpha, no_agreement)
    if gates.minimum_ac1 is not None:
        ac1 = last_figure(status, Stage.AGGREGATE, "ac1")
        yield _Gate(
            "minimumAc1", "AC1", ac1, gates.minimum_ac1, "not defined yet: it needs items with two votes or more"
        )
    if gates.maximum_estimated_error is not None:
        error = last_figure(status, Stage.AGGREGATE, "estimated_error")
        bound = gates.maximum_estimated_error
        yield _Gate(
            "maximumEstimatedError",
            "the estimated error",
            error,
            bound,
            "no item outside gold has votes",
            is_maximum=True,
        )
    if gates.minimum_gold_accuracy is not None:
        accuracy = last_figure(status, Stage.AGGREGATE, "gate_accuracy")
        bound = gates.minimum_gold_accuracy
        yield _Gate(
            "minimumGoldAccuracy",
            "accuracy",
            accuracy,
            bound,
            f"gate gold has no votes yet: {_ASK_GOLD}",
            needs_gold=True,
        )
    if gates.minimum_class_accuracy:
        yield _class_gate(job, status)


def _class_gate(job: LabelingJob, status: LabelingJobStatus) -> _Gate:
    """Return the gate of the class that Aggregate found nearest to missing; it speaks for all that are measured."""
    wanted, name = job.spec.quality.gates.minimum_class_accuracy, "minimumClassAccuracy"
    measured = int(last_figure(status, Stage.AGGREGATE, "gate_classes") or 0)
    place = last_figure(status, Stage.AGGREGATE, "gate_class")
    accuracy = last_figure(status, Stage.AGGREGATE, "gate_class_accuracy")
    worst = job.spec.task.classes[int(place)] if place is not None else ""
    gate = _Gate(
        name,
        f"accuracy of class {worst!r}",
        accuracy if worst in wanted else None,
        wanted.get(worst, 0.0),
        f"{measured} of {len(wanted)} classes have votes on their gate gold: {_ASK_GOLD}",
        needs_gold=True,
    )
    is_known = gate.is_missed or measured == len(wanted)
    return gate if is_known else replace(gate, figure=None)
