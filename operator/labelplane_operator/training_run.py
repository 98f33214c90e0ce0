"""One try of a training image of the user's: what its Job is told."""

from dataclasses import dataclass

__all__ = ["TrainingRun"]


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """What a training image is to train.

    Attributes:
        image: the image.
        round: the round.
        attempt: counts the tries of Train in it, from 1.
        seed: of the job.
        request: the message StartTrainRequest as JSON in ASCII, without who asks: the same under every leader.
    """

    image: str
    round: int
    attempt: int
    seed: int
    request: str
