"""The cheapest next vote: what it is worth, when to stop, whom to ask."""

import itertools

import numpy as np
import pytest

from labelplane_aggregation.errors import InvalidSettingError
from labelplane_aggregation.sequential import (
    NO_POOL,
    Pool,
    StoppingRule,
    next_votes,
    pooled_confusion,
    value_of_a_vote,
)

RIGHT_IN_FOUR_OF_FIVE = np.array([[0.8, 0.2], [0.2, 0.8]])
RULE = StoppingRule(least=1, most=5)


def pool(accuracy: float = 0.8, price: float = 0.01, name: str = "people") -> Pool:
    return Pool(name=name, confusion=np.array([[accuracy, 1 - accuracy], [1 - accuracy, accuracy]]), price=price)


def test_a_vote_on_an_unknown_item_is_worth_what_its_author_knows_beyond_a_guess() -> None:
    assert value_of_a_vote(np.array([[0.5, 0.5]]), RIGHT_IN_FOUR_OF_FIVE) == pytest.approx([0.3])


def test_one_vote_that_cannot_turn_the_label_over_is_worth_nothing_and_two_that_can_are() -> None:
    posterior = np.array([[0.9, 0.1]])
    assert value_of_a_vote(posterior, RIGHT_IN_FOUR_OF_FIVE) == pytest.approx([0.0])
    # Two votes for the second class: 0.1 * 0.64 beats 0.9 * 0.04, by 0.028 for two votes.
    assert value_of_a_vote(posterior, RIGHT_IN_FOUR_OF_FIVE, 2) == pytest.approx([0.014])


def test_the_value_is_that_of_every_sequence_of_answers_spelled_out() -> None:
    rng = np.random.default_rng(0)
    confusion, posteriors = rng.dirichlet(np.ones(3), 3), rng.dirichlet(np.ones(3), 20)
    mean_gains = [
        [
            (
                sum(
                    max(p[y] * np.prod([confusion[y, z] for z in answers]) for y in range(3))
                    for answers in itertools.product(range(3), repeat=votes)
                )
                - p.max()
            )
            / votes
            for votes in (1, 2, 3)
        ]
        for p in posteriors
    ]
    assert value_of_a_vote(posteriors, confusion, 3) == pytest.approx(np.max(mean_gains, axis=1), abs=1e-12)


def test_spammers_are_worth_nothing() -> None:
    posteriors = np.random.default_rng(0).dirichlet(np.ones(2), 50)
    assert value_of_a_vote(posteriors, np.full((2, 2), 0.5), 3) == pytest.approx(0.0)


def test_a_look_ahead_over_many_classes_is_shortened_to_what_can_be_counted() -> None:
    confusion = np.full((100, 100), 0.2 / 99) + (0.8 - 0.2 / 99) * np.eye(100)
    posteriors = np.random.default_rng(0).dirichlet(np.ones(100), 5)
    assert value_of_a_vote(posteriors, confusion, 3) == pytest.approx(value_of_a_vote(posteriors, confusion, 1))


@pytest.mark.parametrize(
    ("posterior", "n_votes", "wants"),
    [
        pytest.param([0.5, 0.5], 2, True, id="people disagree"),
        pytest.param([0.999, 0.001], 2, False, id="all but certain"),
        pytest.param([0.999, 0.001], 0, True, id="certain without the least votes"),
        pytest.param([0.5, 0.5], 5, False, id="the most votes are there"),
    ],
)
def test_an_item_is_done_when_no_vote_is_worth_its_price_within_the_bounds(
    posterior: list[float], n_votes: int, wants: bool
) -> None:
    found = next_votes(np.array([posterior]), np.array([n_votes]), [pool()], RULE)
    assert bool(found.pools[0] != NO_POOL) is wants
    assert bool(found.net[0] > 0) is wants


def test_the_cheaper_pool_is_asked_where_the_dear_one_adds_less_than_its_price() -> None:
    crowd, expert = pool(0.75, price=0.01, name="crowd"), pool(0.99, price=0.3, name="expert")
    assert next_votes(np.array([[0.5, 0.5]]), np.array([1]), [crowd, expert], RULE).pools.tolist() == [0]
    cheaper = pool(0.99, price=0.1, name="expert")
    assert next_votes(np.array([[0.5, 0.5]]), np.array([1]), [crowd, cheaper], RULE).pools.tolist() == [1]


def test_the_most_worthwhile_items_come_first_and_done_ones_never() -> None:
    posteriors = np.array([[0.999, 0.001], [0.7, 0.3], [0.5, 0.5], [0.6, 0.4]])
    found = next_votes(posteriors, np.full(4, 2), [pool()], RULE)
    assert found.best(2).tolist() == [2, 3]
    assert found.best(9).tolist() == [2, 3, 1]
    assert found.best(0).tolist() == []


def test_no_items_want_nothing() -> None:
    assert next_votes(np.zeros((0, 2)), np.zeros(0, np.int64), [pool()], RULE).best(5).tolist() == []


def test_a_pool_weighs_its_annotators_by_their_votes_and_a_pool_without_votes_guesses() -> None:
    confusions = np.stack([np.eye(2), np.full((2, 2), 0.5)])
    assert pooled_confusion(confusions, np.array([30, 10]), mass=0.0)[0, 0] == pytest.approx(0.875)
    assert pooled_confusion(confusions, np.array([0, 0])) == pytest.approx(np.full((2, 2), 0.5))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda: pool(price=0.0), id="a vote that costs nothing"),
        pytest.param(lambda: Pool(name="p", confusion=np.ones((2, 2)), price=0.1), id="rows that add up to two"),
        pytest.param(lambda: StoppingRule(least=3, most=2), id="least above most"),
        pytest.param(lambda: StoppingRule(least=1, most=2, look_ahead=0), id="no look-ahead"),
        pytest.param(lambda: next_votes(np.ones((1, 2)), np.ones(1, np.int64), [], RULE), id="no pool"),
        pytest.param(lambda: next_votes(np.ones((1, 3)), np.ones(1, np.int64), [pool()], RULE), id="other classes"),
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong: object) -> None:
    with pytest.raises(InvalidSettingError):
        wrong()  # type: ignore[operator]
