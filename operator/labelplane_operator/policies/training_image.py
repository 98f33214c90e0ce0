"""What the end of a training image's Job means: an error of the stage Train, with what it said last and what to do."""

from typing import Final

from labelplane_api.conditions import Reason
from labelplane_operator.observed import (
    ContainerView,
    OperationError,
    OperationState,
    OperationView,
    Problem,
    TrainingState,
    TrainingView,
)

__all__ = ["failed_training", "queued_training"]

_MISTAKE: Final = 2
"""Exit code by which a container says that trying again does not help."""
_KILLED: Final = 137
_IMAGE: Final = "train"
_MOST_LINES: Final = 5
_LONGEST_WORDS: Final = 500
_TODO: Final = "mend what it says, or the image"
_MORE_MEMORY: Final = "raise resources.limits.memory of distillation in podOverrides"


def failed_training(view: TrainingView | None) -> OperationView | None:
    """Return Train as it has failed with its Job, None when the Job has not failed.

    No service knows of it: the image never came to hand a model over.
    """
    if view is None or view.state is not TrainingState.FAILED:
        return None
    return OperationView(request_id=view.request_id, state=OperationState.FAILED, error=_error(view))


def queued_training(view: TrainingView | None) -> Problem | None:
    """Return that the Job waits for its queue; None when it does not."""
    if view is None or not view.queue:
        return None
    return Problem(
        Reason.NOT_ADMITTED, f"Job {view.name} waits for LocalQueue {view.queue} to admit it: it goes on by itself then"
    )


def _error(view: TrainingView) -> OperationError:
    if (ended := view.ended) is None:
        # Its pod went before anybody saw how it ended, as with its node.
        message = f"Job {view.name} has failed: {view.message or 'its pod is gone'}"
        return OperationError(Reason.TRAINING_IMAGE_FAILED, message, is_retryable=True)
    is_mistake = ended.exit_code == _MISTAKE
    if ended.ended_reason == "OOMKilled":
        todo = _MORE_MEMORY if ended.name == _IMAGE else "train on fewer items, or hand over a smaller model"
        message = f"{_named(ended)} used more memory than its limit and was killed: {todo}"
        return OperationError(Reason.OUT_OF_MEMORY, message, is_retryable=True)
    said = _last_words(ended.last_words) or ("it was killed" if ended.exit_code == _KILLED else "it said nothing")
    message = f"{_named(ended)} ended with exit code {ended.exit_code}: {said}"
    if ended.name == _IMAGE and is_mistake:
        message = f"{message}: code 2 says that trying again is of no use: {_TODO}"
    return OperationError(Reason.TRAINING_IMAGE_FAILED, message, is_retryable=not is_mistake)


def _named(ended: ContainerView) -> str:
    return f"training image {ended.image}" if ended.name == _IMAGE else f"step {ended.name}"


def _last_words(text: str) -> str:
    """Return the last lines of what a container said, as one line that no terminal obeys."""
    lines = [" ".join("".join(filter(str.isprintable, line.expandtabs(1))).split()) for line in text.splitlines()]
    lines = [line for line in lines if line]
    said = " / ".join(lines[-_MOST_LINES:])
    return said if len(said) <= _LONGEST_WORDS else f"...{said[-_LONGEST_WORDS + 3 :]}"
