from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vote_tables import VoteTableBuilder, make_votes

from labelplane_core.tables import VOTES, current_votes


def ids(table: pa.Table) -> list[str]:
    return [str(vote_id) for vote_id in table.column("vote_id").to_pylist()]


@pytest.mark.parametrize(
    ("votes", "want"),
    [
        pytest.param(make_votes(), [], id="no votes"),
        pytest.param(make_votes().vote("a").vote("b"), ["a", "b"], id="plain votes all count, in their order"),
        pytest.param(make_votes().vote("a").vote("a", minute=9), ["a"], id="a resend is no second vote"),
        pytest.param(make_votes().vote("a").vote("b", supersedes="a"), ["b"], id="an edit takes the place"),
        pytest.param(make_votes().vote("b", supersedes="a").vote("a"), ["b"], id="an edit that comes first"),
        pytest.param(make_votes().vote("a").vote("b", supersedes="a").vote("c", supersedes="b"), ["c"], id="a chain"),
        pytest.param(
            make_votes().vote("a").vote("b", supersedes="a", minute=9).vote("c", supersedes="b", minute=1),
            ["c"],
            id="a chain whose clocks disagree",
        ),
        pytest.param(
            make_votes().vote("a").vote("b", supersedes="a").vote("a", minute=9), ["b"], id="a resend after the edit"
        ),
        pytest.param(make_votes().vote("a").vote("b", supersedes="a", retracted=True), [], id="a deletion"),
        pytest.param(
            make_votes().vote("a").vote("b", supersedes="a", retracted=True).vote("c", supersedes="b"),
            ["c"],
            id="a new vote after a deletion",
        ),
        pytest.param(make_votes().vote("a", retracted=True), [], id="retracted in place"),
        pytest.param(
            make_votes().vote("a").vote("b", supersedes="a", minute=2).vote("c", supersedes="a", minute=1),
            ["b"],
            id="two edits of one vote",
        ),
        pytest.param(
            make_votes().vote("a").vote("c", supersedes="a", minute=1).vote("b", supersedes="a", minute=1),
            ["c"],
            id="two edits at one time: the greater id",
        ),
        pytest.param(
            make_votes().vote("c", supersedes="b", minute=1).vote("d", supersedes="b", minute=2),
            ["d"],
            id="two edits of a vote elsewhere",
        ),
        pytest.param(
            make_votes().vote("a", supersedes="b", minute=1).vote("b", supersedes="a", minute=2),
            ["b"],
            id="a circle is one vote",
        ),
        pytest.param(make_votes().vote("a", supersedes="a"), ["a"], id="a vote that supersedes itself"),
        pytest.param(
            make_votes().vote("a", supersedes="b").vote("b", supersedes="a").vote("c", supersedes="a").vote("z"),
            ["c", "z"],
            id="a tail of a circle",
        ),
    ],
)
def test_which_votes_count(votes: VoteTableBuilder, want: list[str]) -> None:
    table = votes.build()

    assert ids(current_votes(table)) == want
    assert table.equals(votes.build())


def test_the_earliest_copy_of_a_resent_vote_stands() -> None:
    votes = make_votes().vote("a", answer="late", minute=5).vote("a", answer="early", minute=1).build()

    assert current_votes(votes).column("answer").to_pylist() == ["early"]


def test_result_is_a_table_of_votes() -> None:
    assert current_votes(make_votes().vote("a").build()).schema.equals(VOTES.arrow, check_metadata=True)


def test_a_chain_of_a_thousand_edits_has_one_end() -> None:
    votes = make_votes().vote("0")
    for number in range(1, 1000):
        votes = votes.vote(str(number), supersedes=str(number - 1))

    assert ids(current_votes(votes.build())) == ["999"]


@st.composite
def vote_histories(draw: Callable[[st.SearchStrategy[int]], int]) -> VoteTableBuilder:
    """Votes each of which may supersede any other, come twice or be a deletion."""
    count = draw(st.integers(0, 12))
    votes = make_votes()
    for number in range(count):
        target = draw(st.integers(-8, count))
        kind = draw(st.integers(0, 9))
        name, minute = (str(number), draw(st.integers(0, 3))) if kind else (str(max(number - 1, 0)), 10 + number)
        votes = votes.vote(name, minute=minute, supersedes=str(target) if target >= 0 else None, retracted=kind == 1)
    return votes


def current_by_hand(rows: list[dict[str, object]]) -> set[str]:
    """Return the ids that count, by walking every chain."""
    firsts: dict[str, dict[str, object]] = {}
    for row in rows:
        name = str(row["vote_id"])
        if name not in firsts or row["time"] < firsts[name]["time"]:  # type: ignore[operator]
            firsts[name] = row
    links = {name: str(row["supersedes"]) for name, row in firsts.items() if row["supersedes"] not in {None, name}}

    def chain(name: str) -> frozenset[str]:
        path = [name]
        while path[-1] in links and links[path[-1]] not in path:
            path.append(links[path[-1]])
        if path[-1] in links:
            return frozenset(path[path.index(links[path[-1]]) :])
        return frozenset(path[-1:])

    chains: dict[frozenset[str], list[str]] = {}
    for name in firsts:
        chains.setdefault(chain(name), []).append(name)
    superseded = set(links.values())
    lasts = [
        max(members, key=lambda name: (name not in superseded, firsts[name]["time"], name))
        for members in chains.values()
    ]
    return {name for name in lasts if not firsts[name]["retracted"]}


@given(vote_histories())
def test_any_history_counts_as_walking_its_chains_says(votes: VoteTableBuilder) -> None:
    assert set(ids(current_votes(votes.build()))) == current_by_hand([dict(row) for row in votes.rows])


@given(vote_histories(), st.integers(0, 99))
def test_order_and_cutting_into_files_change_nothing(votes: VoteTableBuilder, seed: int) -> None:
    table = votes.build()
    shuffled = table.take(np.random.default_rng(seed).permutation(len(table)))
    cut = pa.concat_tables([shuffled.slice(0, len(table) // 3), shuffled.slice(len(table) // 3)])

    assert set(ids(current_votes(cut))) == set(ids(current_votes(table)))
