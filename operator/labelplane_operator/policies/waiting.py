"""What a round that has asked people does next: wait on, take the next round, or give up."""

from dataclasses import dataclass
from datetime import datetime

from labelplane_api.conditions import Reason
from labelplane_api.job import LabelingJob
from labelplane_api.review import OnDeadline
from labelplane_api.status import LabelingJobStatus, RoundStatus, Stage
from labelplane_operator.history import current_round
from labelplane_operator.observed import InboxView
from labelplane_operator.policies.deadlines import review_deadline

__all__ = ["FRUITLESS_ROUNDS", "GiveUp", "GoOn", "Wait", "decide_waiting", "fruitless_rounds"]

FRUITLESS_ROUNDS = 3
"""How many rounds in a row may pass their deadline without a vote: people are gone, and each costs a training."""


@dataclass(frozen=True, slots=True)
class Wait:
    """People are waited for.

    Attributes:
        missing: how many votes they still owe; None while that is not known.
        until: when the wait ends by itself; None when it does not.
    """

    missing: int | None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class GoOn:
    """The next round begins; `late` says why it does so without all votes, empty when all are in."""

    late: str = ""


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The job fails."""

    reason: Reason
    message: str


def decide_waiting(
    job: LabelingJob, status: LabelingJobStatus, inbox: InboxView | None, *, now: datetime
) -> Wait | GoOn | GiveUp:
    """Return what a round does whose tasks are with people.

    It goes on when every vote is in, or when `review.deadlineSeconds` have passed and `onDeadline` is Proceed; with
    Fail the job fails then, and so it does when nobody ever voted in `FRUITLESS_ROUNDS` rounds. While the votes cannot
    be counted, it waits.
    """
    until = review_deadline(job, status)
    if inbox is None:
        return Wait(None, until)
    if inbox.votes_missing == 0:
        return GoOn()
    if until is None or now < until:
        return Wait(inbox.votes_missing, until)
    late = f"{inbox.votes_missing:,} votes are missing after {job.spec.review.deadline_seconds:,} s"
    if job.spec.review.on_deadline is OnDeadline.FAIL:
        return GiveUp(Reason.DEADLINE_EXCEEDED, f"{late} (review.deadlineSeconds): change the spec to wait again")
    if inbox.votes == 0 and fruitless_rounds(status) + 1 >= FRUITLESS_ROUNDS:
        return GiveUp(
            Reason.NO_VOTES,
            f"{FRUITLESS_ROUNDS} rounds were asked about and nobody has voted: see that people reach the tasks, "
            "then change the spec to wait again",
        )
    return GoOn(late=f"{late}: the next round goes on with the votes there are")


def fruitless_rounds(status: LabelingJobStatus) -> int:
    """Return how many rounds in a row, up to the one before the present, asked people and got no vote."""
    current = current_round(status)
    if current is None:
        return 0
    count = 0
    for each in reversed(status.rounds[:-1]):
        if not _has_asked(each) or each.votes != current.votes:
            break
        count += 1
    return count


def _has_asked(each: RoundStatus) -> bool:
    return Stage.REVIEW in each.stages
