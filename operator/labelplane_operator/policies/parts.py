"""Which services a job needs now: nothing runs, and nothing holds a GPU, that has no work."""

from collections.abc import Mapping
from typing import Final

from labelplane_api.parts import Part
from labelplane_api.status import LabelingJobStatus, Stage
from labelplane_operator.history import is_finished, is_refused, is_suspended, is_taken

__all__ = ["wanted_parts"]

_PEOPLE: Final = frozenset({Part.AGGREGATION})
_SCORING: Final = _PEOPLE | {Part.SCORING}
_PARTS: Final[Mapping[Stage, frozenset[Part]]] = {
    Stage.PREPARE: _PEOPLE,
    Stage.VOTE: _PEOPLE,
    Stage.AGGREGATE: _PEOPLE,
    Stage.TRAIN: _PEOPLE | {Part.DISTILLATION},
    Stage.SCORE: _SCORING | {Part.SCORING_WORKER},
    Stage.SELECT: _SCORING,
    Stage.REVIEW: _PEOPLE,
    Stage.FINALIZE: _PEOPLE,
}


def wanted_parts(status: LabelingJobStatus, *, trains_outside: bool = False) -> frozenset[Part] | None:
    """Return the services that should be up: those of the stage that runs, aggregation alone while people are asked.

    While a training image trains (`trains_outside`), no trainer of ours is up. A stage that waits for its next try
    keeps its services. Empty when the job is suspended, and while it waits for another job to leave its prefix; None
    when it is finished or refused, so that no object of it need stand.
    """
    if is_finished(status):
        return None
    if is_taken(status):
        is_tried = status.operation is not None and status.operation.not_before is None
        return _PEOPLE if is_tried and not is_suspended(status) else frozenset()
    if is_refused(status):
        return None
    if is_suspended(status):
        return frozenset()
    if status.operation is None or (trains_outside and status.operation.stage is Stage.TRAIN):
        return _PEOPLE
    return _PARTS[status.operation.stage]
