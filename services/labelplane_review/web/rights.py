"""Who may do what: pure facts about a visitor and a job."""

from dataclasses import dataclass

from labelplane_api.review import Review
from labelplane_review.desk_client import Part

__all__ = ["Visitor", "may_adjudicate", "part_of"]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who calls: a name, and whether the job is theirs."""

    name: str
    is_owner: bool


def may_adjudicate(visitor: Visitor, review: Review) -> bool:
    """Whether a visitor may decide items: the owner, and whom the job names."""
    return visitor.is_owner or any(each.adjudicator and each.name == visitor.name for each in review.people)


def part_of(name: str, review: Review) -> Part:
    """Return a person's part of the work; all of it for one whom the job does not name."""
    named = next((each for each in review.people if each.name == name), None)
    return Part() if named is None else Part(named.classes, named.share)
