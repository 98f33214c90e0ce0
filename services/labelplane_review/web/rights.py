"""Who may do what: pure facts about a visitor and a job."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from labelplane_api.review import Review
from labelplane_review.desk_client import Part

__all__ = ["NOBODY", "Deed", "Visitor", "may_adjudicate", "part_of"]

NOBODY: Final = "guest"
"""The name of those who have not said theirs."""


class Deed(StrEnum):
    """What a visitor may be allowed to do to a job."""

    SEE = "see"
    LABEL = "label"
    DECIDE = "decide"
    BRING_VOTES = "bring votes"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who calls.

    Attributes:
        name: the author of what they do.
        is_owner: whether every job here is theirs, as on the machine that runs one.
        groups: of the user, where a cluster knows them.
        extra: what else the API server knows of the user, as it wants to be told.
    """

    name: str
    is_owner: bool = False
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()


def may_adjudicate(visitor: Visitor, review: Review) -> bool:
    """Whether a visitor may decide items: the owner, and whom the job names."""
    return visitor.is_owner or any(each.adjudicator and each.name == visitor.name for each in review.people)


def part_of(name: str, review: Review) -> Part:
    """Return a person's part of the work; all of it for one whom the job does not name."""
    named = next((each for each in review.people if each.name == name), None)
    return Part() if named is None else Part(named.classes, named.share)
