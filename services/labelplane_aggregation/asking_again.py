"""Which items people are asked about again: those where another vote is worth it."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_aggregation.requests import FurtherVotes
from labelplane_aggregation.sequential import Pool, StoppingRule, next_votes, pooled_confusion
from labelplane_core.tables import TASKS, current_votes, is_asked, is_decision, to_matrix

__all__ = ["Asked", "tasks_again"]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What is known of the items that people were asked about: rows of `INDEX`, `TASKS` and what came of them."""

    index: pa.Table
    tasks: pa.Table
    votes: pa.Table
    posteriors: pa.Table
    reliabilities: pa.Table


def tasks_again(asked: Asked, further: FurtherVotes, *, first: int, first_rank: int, round_number: int) -> pa.Table:
    """Return tasks for one more vote each, the most worthwhile first; they want the votes there are and one more.

    Gold and what was decided is known, and an item whose earlier task lacks votes waits for those (or was skipped):
    none of them is asked about again. Nor is one that as many people have answered as have ever voted: nobody might be
    left.
    No suggestion is shown, so that the vote is independent of the earlier ones.

    Args:
        asked: as it stands after Aggregate.
        further: when a vote is worth it, and how many there may be.
        first: number of the first task.
        first_rank: its rank.
        round_number: the round.
    """
    chosen = _worthwhile(asked, further)
    count = len(chosen)
    return pa.table(
        {
            "task_id": pa.array([str(first + place) for place in range(count)], pa.string()),
            "item_id": chosen.column("item_id"),
            "round": pa.array(np.full(count, round_number), pa.int32()),
            "rank": pa.array(first_rank + np.arange(count), pa.int32()),
            "reason": pa.array(["again"] * count, pa.string()),
            "votes_wanted": pc.add(chosen.column("given"), 1).cast(pa.int32()),
            "suggestion": pa.nulls(count, pa.string()),
            "suggestion_hidden": pa.array(np.ones(count, bool)),
        },
        schema=TASKS.arrow,
    )


def _worthwhile(asked: Asked, further: FurtherVotes) -> pa.Table:
    """Return item_id and given, how many people have voted, of the items to ask about, in order."""
    votes = current_votes(asked.votes)
    by_people = votes.filter(is_asked(votes))
    answered = _answered(asked, votes, by_people)
    people = asked.reliabilities.filter(is_asked(asked.reliabilities))
    if not len(answered) or not len(people):
        return answered.slice(0, 0)
    n_classes = asked.posteriors.column("probabilities")[0].as_py()
    confusions = to_matrix(people.column("confusion")).reshape(len(people), len(n_classes), len(n_classes))
    pool = Pool(
        name="people",
        confusion=pooled_confusion(confusions, people.column("n_votes").to_numpy()),
        price=further.least_gain,
    )
    most = min(further.most_votes_per_item, pc.count_distinct(by_people.column("annotator")).as_py())
    found = next_votes(
        to_matrix(answered.column("probabilities")),
        answered.column("given").to_numpy(),
        [pool],
        StoppingRule(least=1, most=most),
    )
    return answered.take(pa.array(found.best(further.at_most)))


def _answered(asked: Asked, votes: pa.Table, by_people: pa.Table) -> pa.Table:
    """Return item_id, given and probabilities of the items that have all votes they were to have, by item_id."""
    given = by_people.group_by("item_id").aggregate([("annotator", "count_distinct")])
    wanted = asked.tasks.group_by("item_id").aggregate([("votes_wanted", "max")])
    gold = asked.index.filter(pc.not_equal(asked.index.column("gold_role"), "")).column("item_id")
    decided = votes.filter(is_decision(votes)).column("item_id")
    known = pa.chunked_array([*gold.chunks, *decided.chunks], pa.string()).combine_chunks()
    free = asked.posteriors.filter(pc.invert(pc.is_in(asked.posteriors.column("item_id"), value_set=known)))
    items = free.column("item_id")
    counts = [
        table.column(name).take(pc.index_in(items, value_set=table.column("item_id").combine_chunks()))
        for table, name in ((given, "annotator_count_distinct"), (wanted, "votes_wanted_max"))
    ]
    is_full = pc.greater_equal(*counts)  # null, and so filtered away, where nobody was asked or nobody answered
    full = pa.table({"item_id": items, "given": counts[0], "probabilities": free.column("probabilities")})
    return full.filter(is_full).sort_by("item_id")
