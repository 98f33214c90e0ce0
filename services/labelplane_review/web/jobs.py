"""Which jobs a front shows, and where their people's side is reached."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from labelplane_api.job import LabelingJob
from labelplane_review.desk_client import DeskClient
from labelplane_review.jury_client import JuryClient

__all__ = ["JobAtHand", "Jobs"]


@dataclass(frozen=True, slots=True)
class JobAtHand:
    """A job as it stands, with its inbox: as people at their desks see it, and as adjudicators and tools do."""

    job: LabelingJob
    desk: DeskClient
    jury: JuryClient


class Jobs(Protocol):
    """Finds jobs; what it returns is the newest that is known."""

    def names(self) -> Sequence[str]:
        """Return the names of all jobs."""
        ...

    def look_at(self, name: str) -> LabelingJob | None:
        """Return a job as such, None when there is none of that name."""
        ...

    def find(self, name: str) -> JobAtHand | None:
        """Return a job, None when there is none of that name."""
        ...
