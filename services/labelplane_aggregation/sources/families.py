"""Sources of one kind together: the votes of a block, and which of them stand where rules disagree."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_aggregation.sources.block import BoolArray, ItemBlock
from labelplane_aggregation.sources.source import Ballots, VoteSource
from labelplane_core.tables import VOTES

__all__ = ["Family", "Known"]

_NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""When a rule votes means nothing; one fixed time makes its votes the same whenever they are made."""

_ID_LENGTH = 16


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """Votes on a block that were made before, and of which members of the family.

    Attributes:
        votes: `VOTES` of the block.
        digests: of each member that had voted then, by name.
    """

    votes: pa.Table
    digests: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Family:
    """The rules of a job, or its knowledge bases.

    Attributes:
        source: the name of their votes' source.
        members: the annotators.
        classes: the task's classes.
    """

    source: str
    members: tuple[VoteSource, ...]
    classes: tuple[str, ...]

    def prepare(self) -> None:
        """Make all members ready to vote."""
        for member in self.members:
            member.prepare()

    @property
    def digests(self) -> dict[str, str]:
        """The digest of each member, by name."""
        return {member.name: member.digest for member in self.members}

    @property
    def reads_pixels(self) -> bool:
        """Whether images have to be decoded."""
        return any(member.reads_pixels for member in self.members)

    def digest(self, index_digest: str) -> str:
        """Return the digest of all votes of the family on an index: the same exactly when they are."""
        members = [(member.name, member.digest, member.priority) for member in self.members]
        words = [self.source, index_digest, self.classes, members]
        return hashlib.sha256(json.dumps(words).encode()).hexdigest()

    def vote(self, block: ItemBlock, *, number: int, known: Known | None = None) -> pa.Table:
        """Return `VOTES` of all members on a block; those of members that are unchanged are taken from `known`.

        Where two members disagree on an item, the one of higher priority votes alone: the vote of the other is there,
        marked as retracted, so that it does not count and still can be seen.

        Args:
            block: the items.
            number: the block's; with the member's digest and the item's place it makes a vote's id.
            known: what was voted before.
        """
        tables = [self._votes_of(member, block, number, known) for member in self.members]
        votes = pa.concat_tables(tables) if tables else VOTES.empty()
        if len({member.priority for member in self.members}) <= 1:
            return votes
        place = votes.column_names.index("retracted")
        return votes.set_column(place, VOTES.columns.field(place), pa.array(self._outvoted(votes)))

    def _votes_of(self, member: VoteSource, block: ItemBlock, number: int, known: Known | None) -> pa.Table:
        if known is not None and known.digests.get(member.name) == member.digest:
            own = known.votes.filter(pc.equal(known.votes.column("annotator"), member.name))
            place = own.column_names.index("retracted")
            return own.set_column(place, VOTES.columns.field(place), pa.array(np.zeros(len(own), dtype=bool)))
        return self._table(member, member.vote(block), block, number)

    def _table(self, member: VoteSource, ballots: Ballots, block: ItemBlock, number: int) -> pa.Table:
        count = len(ballots)
        start = f"{member.digest[:_ID_LENGTH]}-{number}-"
        # Of one item no class comes twice, so the class makes the id of a split vote its own.
        places = pc.index_in(ballots.answers, value_set=pa.array(self.classes, pa.string())).to_pylist()
        ids = [f"{start}{row}-{place}" for row, place in zip(ballots.rows.tolist(), places, strict=True)]
        return pa.table(
            {
                "vote_id": pa.array(ids, pa.string()),
                "item_id": pa.array(block.item_ids, pa.string()).take(pa.array(ballots.rows)),
                "source": pa.array([self.source] * count, pa.string()),
                "annotator": pa.array([member.name] * count, pa.string()),
                "answer": ballots.answers,
                "weight": pa.array(ballots.weights),
                "time": pa.array([_NO_TIME] * count, pa.timestamp("us", tz="UTC")),
                "lead_time_seconds": pa.nulls(count, pa.float64()),
                "suggestion_shown": pa.array(np.zeros(count, dtype=bool)),
                "supersedes": pa.nulls(count, pa.string()),
                "retracted": pa.array(np.zeros(count, dtype=bool)),
            },
            schema=VOTES.arrow,
        )

    def _outvoted(self, votes: pa.Table) -> BoolArray:
        """Return which votes yield to one of higher priority that says something else of the item."""
        items = votes.column("item_id").combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
        answers = pc.index_in(votes.column("answer"), value_set=pa.array(self.classes, pa.string())).to_numpy()
        names = pa.array([member.name for member in self.members], pa.string())
        members = pc.index_in(votes.column("annotator"), value_set=names).to_numpy()
        priorities = np.array([member.priority for member in self.members])[members]
        return _yielding(items, answers.astype(np.int64), priorities, n_classes=len(self.classes))


def _yielding(
    items: npt.NDArray[np.int64],
    answers: npt.NDArray[np.int64],
    priorities: npt.NDArray[np.int64],
    *,
    n_classes: int,
) -> BoolArray:
    """Walk the priorities from the highest down, counting what was said of each item before."""
    cells = items * n_classes + answers
    n_items = int(items.max(initial=-1)) + 1
    said, said_so = np.zeros(n_items, np.int64), np.zeros(n_items * n_classes, np.int64)
    yields = np.zeros(len(items), dtype=bool)
    for level in np.unique(priorities)[::-1]:
        own = priorities == level
        yields[own] = said[items[own]] > said_so[cells[own]]
        said += np.bincount(items[own], minlength=n_items)
        said_so += np.bincount(cells[own], minlength=n_items * n_classes)
    return yields
