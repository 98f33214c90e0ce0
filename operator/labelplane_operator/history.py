"""Reading a status: what the finished stages left behind."""

from labelplane_api.status import LabelingJobStatus, RoundStatus, Stage, StageResult

__all__ = ["current_round", "figure", "is_settled", "last_figure", "last_reference", "rounds_with"]


def current_round(status: LabelingJobStatus) -> RoundStatus | None:
    """Return the round that is under way, or the last one; None before the first."""
    return status.rounds[-1] if status.rounds else None


def is_settled(current: RoundStatus, stage: Stage) -> bool:
    """Whether a round has finished a stage or goes on without it."""
    return stage in current.stages or stage in current.skipped


def rounds_with(status: LabelingJobStatus, stage: Stage) -> list[RoundStatus]:
    """Return the rounds that have finished a stage, in order."""
    return [each for each in status.rounds if stage in each.stages]


def last_reference(status: LabelingJobStatus, stage: Stage, name: str) -> str:
    """Return the newest result of a stage, from this object's rounds or those that Prepare found; empty for none."""
    for each in reversed(status.rounds):
        if stage in each.stages:
            return each.stages[stage].results.get(name, "")
    return status.prepare.result.results.get(name, "") if status.prepare else ""


def last_figure(status: LabelingJobStatus, stage: Stage, name: str) -> float | None:
    """Return the newest figure of a stage; None when no round has it."""
    for each in reversed(status.rounds):
        if stage in each.stages:
            return each.stages[stage].figures.get(name)
    return None


def figure(result: StageResult, name: str) -> float:
    """Return a figure of a finished stage, 0 when it has none of that name."""
    return result.figures.get(name, 0.0)
