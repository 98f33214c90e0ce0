from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from vote_tables import make_votes

from labelplane_scoring.rule_review import due_rows
from labelplane_scoring.selecting import Pool, plan_batch

ITEMS = [f"i{row:03d}" for row in range(200)]
IDS = pa.array(ITEMS)
EVERY = np.arange(200)


def rule_votes(*rows: tuple[str, str, str]) -> pa.Table:
    """Make votes of (item, rule, answer)."""
    votes = make_votes()
    for number, (item, rule, answer) in enumerate(rows):
        votes = votes.vote(f"v{number}", item=item, annotator=rule, source="rules", answer=answer)
    return votes.build()


def cats(rule: str = "cats", answer: str = "cat") -> list[tuple[str, str, str]]:
    return [(item, rule, answer) for item in ITEMS]


def due(votes: pa.Table, shares: dict[str, float], *, open_rows: Any = EVERY, seed: int = 1) -> list[int]:
    rows: list[int] = due_rows(votes, shares, IDS, open_rows, seed=seed).tolist()
    return rows


def test_a_share_of_the_items_of_a_rule_is_due_and_no_item_of_others() -> None:
    votes = rule_votes(*cats()[:100], *((item, "dogs", "dog") for item in ITEMS[100:]))

    rows = due(votes, {"cats": 0.3})

    assert 18 <= len(rows) <= 42
    assert max(rows) < 100
    assert due(votes, {"cats": 1.0, "dogs": 1.0}) != sorted(range(200))
    assert sorted(due(votes, {"cats": 1.0, "dogs": 1.0})) == list(range(200))


def test_the_same_items_are_due_in_every_round_and_a_higher_share_adds_to_them() -> None:
    first, more = due(rule_votes(*cats()), {"cats": 0.2}), due(rule_votes(*cats()), {"cats": 0.5})
    later = due(rule_votes(*cats()), {"cats": 0.2}, open_rows=np.setdiff1d(EVERY, first[:10]))

    assert later == first[10:]
    assert more[: len(first)] == first
    assert due(rule_votes(*cats()), {"cats": 0.2}, seed=2) != first


def test_items_on_which_rules_disagree_come_first() -> None:
    votes = rule_votes(*cats(), *((ITEMS[row], "dogs", "dog") for row in (150, 180)), (ITEMS[3], "more", "cat"))

    rows = due(votes, {"cats": 1.0})

    assert set(rows[:2]) == {150, 180}
    assert len(rows) == 200


def test_a_split_vote_does_not_disagree_with_itself() -> None:
    votes = rule_votes(*cats(), (ITEMS[0], "kb", "cat"), (ITEMS[5], "kb", "cat"), (ITEMS[5], "kb", "dog"))
    alone = votes.slice(200)

    assert due(alone, {"kb": 1.0}) == due(alone.slice(0, 2), {"kb": 1.0})


def test_nothing_is_due_where_no_rule_with_a_share_votes() -> None:
    assert due(rule_votes(*cats()), {"dogs": 1.0}) == []


@pytest.mark.parametrize(
    ("due_items", "want"),
    [
        pytest.param(0, (80, 0), id="none due"),
        pytest.param(10, (70, 10), id="few due"),
        pytest.param(500, (40, 40), id="more due than half of the strategy's place"),
    ],
)
def test_due_items_take_at_most_half_of_the_strategys_place(due_items: int, want: tuple[int, int]) -> None:
    pool = Pool(open=np.arange(1000), gold=np.arange(1000, 1100))

    plan = plan_batch(100, pool, gold_share=0.1, check_share=0.1, due=due_items)

    assert (plan.strategy, plan.rule) == want
    assert (plan.gold, plan.check) == (10, 10)
