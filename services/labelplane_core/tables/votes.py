"""Which votes count."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "DECISIONS",
    "KNOWLEDGE_BASES",
    "PEOPLE",
    "RULES",
    "current_votes",
    "is_asked",
    "is_by_people",
    "is_by_rules",
    "is_decision",
]

PEOPLE = "humans"
"""The source of votes of people, whoever brings them."""

DECISIONS = "decisions"
"""The source of adjudicated votes: what a person decided who had seen the others' votes."""

RULES = "rules"
"""The source of votes of rules."""

KNOWLEDGE_BASES = "knowledge-bases"
"""The source of votes of knowledge bases."""


def is_by_people(votes: pa.Table) -> Any:
    """Return for each row whether a person voted or decided."""
    return pc.is_in(votes.column("source"), value_set=pa.array([PEOPLE, DECISIONS], pa.string()))


def is_asked(votes: pa.Table) -> Any:
    """Return for each row whether a person voted who knew nothing of the others' votes, as agreement supposes."""
    return pc.equal(votes.column("source"), PEOPLE)


def is_decision(votes: pa.Table) -> Any:
    """Return for each row whether it is an adjudicated vote."""
    return pc.equal(votes.column("source"), DECISIONS)


def is_by_rules(votes: pa.Table) -> Any:
    """Return for each row whether a rule or a knowledge base voted."""
    return pc.is_in(votes.column("source"), value_set=pa.array([RULES, KNOWLEDGE_BASES], pa.string()))


def current_votes(votes: pa.Table) -> pa.Table:
    """Return the votes that count: one for every `vote_id`, the last of every supersedes chain, none that is retracted.

    - A vote that was sent again (the same `vote_id`) counts once, as its earliest `time` says, whenever the copy came.
    - Votes that supersede one another, directly or over others, are one chain, also when a vote in the middle is not
      in the table or two votes supersede the same one. Its last vote is the latest, by `time` then `vote_id`, of
      those that none supersedes; when that one is `retracted` the chain counts for nothing.
    - Votes that supersede one another in a circle count as one chain, too.

    Vectorised, O(n log n); the rows keep their order. The result depends neither on the order of the rows nor on how
    they were cut into files, save for copies that differ under one id and time, of which the first row stands.

    Args:
        votes: A table of `VOTES`.
    """
    firsts = _one_row_per_id(votes)
    ids, parents = _chain_edges(firsts)
    chains = _chains(parents)
    superseded = np.zeros(len(parents), dtype=bool)
    superseded[parents[parents != np.arange(len(parents))]] = True
    last = _last_rows(firsts, chains[ids], superseded[ids])
    kept = firsts.take(last)
    return kept.filter(pc.invert(kept.column("retracted")))


def _one_row_per_id(votes: pa.Table) -> pa.Table:
    ids = votes.column("vote_id").combine_chunks().dictionary_encode()
    codes = _codes(ids)
    order = np.lexsort((np.arange(len(codes)), _microseconds(votes), codes))
    is_first = np.ones(len(order), dtype=bool)
    is_first[1:] = codes[order][1:] != codes[order][:-1]
    return votes.take(np.sort(order[is_first]))


def _chain_edges(votes: pa.Table) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the node of every row, and for every node the one that it supersedes (itself when none).

    Nodes are the ids in `vote_id` and in `supersedes`, so chains hold over votes that are not in the table.
    """
    n_rows = len(votes)
    both = pa.chunked_array([*votes.column("vote_id").chunks, *votes.column("supersedes").chunks], pa.string())
    codes = _codes(both.combine_chunks().dictionary_encode())
    ids, superseded = codes[:n_rows], codes[n_rows:]
    parents = np.arange(codes.max(initial=-1) + 1)
    has_parent = superseded >= 0
    parents[ids[has_parent]] = superseded[has_parent]
    return ids, parents


def _chains(parents: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return for every node a name of its chain, by pointer doubling.

    After as many doublings as bring a pointer past the longest path, it stands at the chain's root or in its circle;
    the least node that is reachable from there is the same for all.
    """
    pointers = parents.copy()
    least = np.minimum(np.arange(len(parents)), parents)
    for _ in range(max(len(parents), 1).bit_length()):
        least = np.minimum(least, least[pointers])
        pointers = pointers[pointers]
    return least[pointers]


def _last_rows(
    votes: pa.Table, chains: npt.NDArray[np.int64], superseded: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Return, in ascending order, the row of every chain that stands last."""
    ranks = pc.rank(votes.column("vote_id").combine_chunks()).to_numpy()
    order = np.lexsort((ranks, _microseconds(votes), ~superseded, chains))
    is_last = np.ones(len(order), dtype=bool)
    is_last[:-1] = chains[order][1:] != chains[order][:-1]
    return np.sort(order[is_last])


def _codes(encoded: "pa.DictionaryArray[Any, Any]") -> npt.NDArray[np.int64]:
    """Return the codes of a dictionary array, with -1 for null."""
    codes: npt.NDArray[np.int64] = encoded.indices.fill_null(-1).to_numpy().astype(np.int64)
    return codes


def _microseconds(votes: pa.Table) -> npt.NDArray[np.int64]:
    times: npt.NDArray[np.int64] = votes.column("time").cast(pa.int64()).to_numpy()
    return times
