"""When the rounds end."""

from collections.abc import Callable
from dataclasses import dataclass

from labelplane_api.conditions import Reason
from labelplane_api.job import LabelingJob
from labelplane_api.status import LabelingJobStatus, RoundStatus, Stage
from labelplane_operator.history import current_round, last_figure
from labelplane_operator.policies.batches import affordable_items
from labelplane_operator.policies.waiting import FRUITLESS_ROUNDS, fruitless_rounds

__all__ = ["Stop", "decide_stop"]


@dataclass(frozen=True, slots=True)
class Stop:
    """Why no further batch is asked about."""

    reason: Reason
    message: str


Rule = Callable[[LabelingJob, LabelingJobStatus], Stop | None]


def decide_stop(job: LabelingJob, status: LabelingJobStatus) -> Stop | None:
    """Return the first rule that ends the rounds, None when the round may ask for more votes."""
    for rule in _RULES:
        if (stop := rule(job, status)) is not None:
            return stop
    return None


def _target_reached(job: LabelingJob, status: LabelingJobStatus) -> Stop | None:
    target, model = job.spec.stop.target_accuracy, status.model
    if target is None or model is None or model.accuracy is None or model.accuracy < target:
        return None
    return Stop(
        Reason.TARGET_REACHED,
        f"student is right on {100 * model.accuracy:.1f} % of gate gold, the target is {100 * target:.1f} %",
    )


def _nobody_asked(job: LabelingJob, _status: LabelingJobStatus) -> Stop | None:
    if job.spec.sources.humans is not None:
        return None
    return Stop(Reason.NOBODY_ASKED, "no person is asked (spec.sources.humans): one round of rules and training is all")


def _votes_spent(job: LabelingJob, status: LabelingJobStatus) -> Stop | None:
    if affordable_items(job, status) >= 1:
        return None
    votes, money = job.spec.budget.votes, job.spec.budget.money
    bound = f"of {votes} votes" if votes is not None else f"of {money:g} {job.spec.budget.currency}"
    if votes is not None and status.cost.votes >= votes:
        return Stop(Reason.BUDGET_SPENT, f"the budget of {votes:,} votes is used up")
    return Stop(
        Reason.BUDGET_SPENT, f"{status.cost.votes:,} votes are given; the rest {bound} pays for no further item"
    )


def _money_spent(job: LabelingJob, status: LabelingJobStatus) -> Stop | None:
    return _used_up(status.cost.money, job.spec.budget.money, job.spec.budget.currency)


def _cpu_spent(job: LabelingJob, status: LabelingJobStatus) -> Stop | None:
    return _used_up(status.cost.cpu_seconds, job.spec.budget.cpu_seconds, "CPU seconds")


def _gpu_spent(job: LabelingJob, status: LabelingJobStatus) -> Stop | None:
    return _used_up(status.cost.gpu_seconds, job.spec.budget.gpu_seconds, "GPU seconds")


def _gain_too_small(job: LabelingJob, status: LabelingJobStatus) -> Stop | None:
    """Whether the best of the last `patience` rounds gains less than `minimumGain` a round on the best before."""
    minimum, patience = job.spec.stop.minimum_gain, job.spec.stop.patience
    best_of_earlier = status.earlier.accuracy if status.earlier else None
    listed = [each.accuracy for each in status.rounds if each.accuracy is not None]
    accuracies = listed if best_of_earlier is None else [best_of_earlier, *listed]
    if minimum is None or len(accuracies) <= patience:
        return None
    before, last = max(accuracies[:-patience]), max(accuracies[-patience:])
    if last - before >= minimum * patience:
        return None
    return Stop(
        Reason.GAIN_TOO_SMALL,
        f"{patience} rounds brought {100 * (last - before):+.2f} points on gate gold, "
        f"less than {100 * minimum:g} a round",
    )


def _predictions_agree(job: LabelingJob, status: LabelingJobStatus) -> Stop | None:
    """Whether predictions hardly changed for `patience` rounds (Bloodgood and Vijay-Shanker, CoNLL 2009)."""
    wanted, patience = job.spec.stop.prediction_agreement, job.spec.stop.patience
    kappas = [each.prediction_agreement for each in status.rounds if Stage.SCORE in each.stages][-patience:]
    if wanted is None or len(kappas) < patience or any(kappa is None or kappa < wanted for kappa in kappas):
        return None
    return Stop(Reason.PREDICTIONS_AGREE, f"predictions of {patience} rounds agree with kappa {wanted:g} or more")


def _rounds_used_up(job: LabelingJob, status: LabelingJobStatus) -> Stop | None:
    current = current_round(status)
    if current is None or current.round < job.spec.stop.max_rounds:
        return None
    return Stop(Reason.MAX_ROUNDS_REACHED, f"{job.spec.stop.max_rounds} batches were asked about")


def _nobody_votes(job: LabelingJob, status: LabelingJobStatus) -> Stop | None:
    """Whether round after round passed its deadline without a vote: another would only cost a training."""
    if job.spec.review.deadline_seconds is None or fruitless_rounds(status) < FRUITLESS_ROUNDS:
        return None
    return Stop(Reason.NO_VOTES, f"{FRUITLESS_ROUNDS} rounds in a row passed review.deadlineSeconds without a vote")


def _nothing_selected(job: LabelingJob, status: LabelingJobStatus) -> Stop | None:
    current = current_round(status)
    if current is None or not _selected_nothing(current) or _may_ask_again(job, status):
        return None
    return Stop(Reason.EVERYTHING_LABELLED, "every item was asked about")


def _may_ask_again(job: LabelingJob, status: LabelingJobStatus) -> bool:
    """Whether items may be worth another vote; the last Review that found none worth it ends that."""
    humans = job.spec.sources.humans
    if humans is None or humans.max_votes_per_item is None:
        return False
    return last_figure(status, Stage.REVIEW, "tasks") != 0


def _selected_nothing(current: RoundStatus) -> bool:
    select = current.stages.get(Stage.SELECT)
    return select is not None and select.figures.get("selected", 0.0) == 0


def _used_up(used: float, bound: float | None, unit: str) -> Stop | None:
    if bound is None or used < bound:
        return None
    return Stop(Reason.BUDGET_SPENT, f"{used:.4g} of {bound:.4g} {unit} are used up")


_RULES: tuple[Rule, ...] = (
    _target_reached,
    _nobody_asked,
    _votes_spent,
    _money_spent,
    _cpu_spent,
    _gpu_spent,
    _gain_too_small,
    _predictions_agree,
    _rounds_used_up,
    _nobody_votes,
    _nothing_selected,
)
