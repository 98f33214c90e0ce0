"""What every strategy promises, whatever it looks at."""

from typing import Any

import numpy as np
import pytest

from labelplane_scoring.errors import (
    BadCandidatesError,
    BadProbabilitiesError,
    BadRequestError,
    MissingInputError,
    UnknownStrategyError,
)
from labelplane_scoring.strategies import COLD_START_STRATEGIES, STRATEGIES, Candidates, Need, Strategy, make_strategy

ALL = sorted({*STRATEGIES, *COLD_START_STRATEGIES})
# The others draw by row, so a permuted pool gives other (equally good) picks.
DETERMINED_BY_THE_ITEMS = [name for name in ALL if name not in {"Random", "Badge"}]
NEEDS = [(name, need) for name in ALL for need in sorted(make_strategy(name).needs)]


@pytest.fixture(params=ALL)
def strategy(request: pytest.FixtureRequest) -> Strategy:
    return make_strategy(request.param)


def test_the_registry_has_the_names_of_the_spec() -> None:
    assert list(STRATEGIES) == [
        "Random",
        "Entropy",
        "LeastConfidence",
        "Margin",
        "DensityWeighted",
        "CoreSet",
        "ExpectedGradientLength",
        "Bald",
        "Badge",
    ]
    assert set(COLD_START_STRATEGIES) == {"Random", "KCenter"}


def test_a_strategy_satisfies_the_protocol_and_carries_its_registered_name(strategy: Strategy) -> None:
    assert isinstance(strategy, Strategy)
    assert make_strategy(strategy.name) == strategy


def test_cold_start_strategies_need_no_model() -> None:
    assert all(Need.PROBABILITIES not in kind.needs for kind in COLD_START_STRATEGIES.values())


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownStrategyError, match=r"^no strategy is called 'entropy': choose one of Badge, Bald"):
        make_strategy("entropy")


@pytest.mark.parametrize("n", [1, 7, 40])
def test_picks_are_as_many_as_asked_unique_and_within_the_pool(
    strategy: Strategy, pool: Any, rng: np.random.Generator, n: int
) -> None:
    selection = strategy.query(pool.build(), n, rng=rng)
    assert selection.indices.shape == selection.scores.shape == (n,)
    assert selection.indices.dtype == np.int64
    assert len(set(selection.indices.tolist())) == n
    assert selection.indices.min() >= 0
    assert selection.indices.max() < 40
    assert np.isfinite(selection.scores).all()
    assert selection.reason == strategy.name


def test_asking_for_more_than_there_is_gives_all(strategy: Strategy, pool: Any, rng: np.random.Generator) -> None:
    assert sorted(strategy.query(pool.build(), 1000, rng=rng).indices) == list(range(40))


def test_a_pool_of_one_gives_it(strategy: Strategy, pool: Any, rng: np.random.Generator) -> None:
    assert strategy.query(pool.sized(1).build(), 1, rng=rng).indices.tolist() == [0]


@pytest.mark.parametrize(("size", "n"), [(0, 5), (0, 0), (40, 0)], ids=["empty-pool", "both", "nothing-asked"])
def test_nothing_to_pick_gives_an_empty_selection(
    strategy: Strategy, pool: Any, rng: np.random.Generator, size: int, n: int
) -> None:
    selection = strategy.query(pool.sized(size).build(), n, rng=rng)
    assert selection.indices.shape == selection.scores.shape == (0,)


def test_a_negative_count_is_refused(strategy: Strategy, pool: Any, rng: np.random.Generator) -> None:
    with pytest.raises(BadRequestError, match=f"{strategy.name} was asked for -1 items"):
        strategy.query(pool.build(), -1, rng=rng)


def test_one_seed_gives_one_answer(strategy: Strategy, pool: Any) -> None:
    first, second = (strategy.query(pool.build(), 9, rng=np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.indices, second.indices)
    np.testing.assert_array_equal(first.scores, second.scores)


def test_equal_items_are_drawn_evenly_over_seeds(strategy: Strategy, pool: Any) -> None:
    candidates = pool.sized(12).of_equal_items().build()
    counts = np.zeros(12)
    for seed in range(400):
        counts[strategy.query(candidates, 3, rng=np.random.default_rng(seed)).indices] += 1
    # Each of 12 equal items is in 3 of 12 picks: 100 of 400 runs, standard deviation 8.7.
    assert counts.min() > 65
    assert counts.max() < 135


def test_the_first_of_equal_items_is_drawn_evenly_too(strategy: Strategy, pool: Any) -> None:
    candidates = pool.sized(4).of_equal_items().build()
    firsts = [int(strategy.query(candidates, 4, rng=np.random.default_rng(seed)).indices[0]) for seed in range(400)]
    assert np.bincount(firsts, minlength=4).min() > 65


@pytest.mark.parametrize("name", DETERMINED_BY_THE_ITEMS)
def test_a_permuted_pool_gives_the_same_items(name: str, pool: Any) -> None:
    arrays = pool.arrays()
    order = np.random.default_rng(3).permutation(40)
    permuted = arrays | {
        "probabilities": arrays["probabilities"][order],
        "embeddings": arrays["embeddings"][order],
        "samples": arrays["samples"][:, order],
    }
    strategy = make_strategy(name)
    straight = strategy.query(Candidates(**arrays), 15, rng=np.random.default_rng(1))
    shuffled = strategy.query(Candidates(**permuted), 15, rng=np.random.default_rng(2))
    np.testing.assert_array_equal(order[shuffled.indices], straight.indices)
    np.testing.assert_allclose(shuffled.scores, straight.scores, rtol=1e-12)


def test_inputs_stay_as_they_were_and_may_be_read_only(strategy: Strategy, pool: Any, rng: np.random.Generator) -> None:
    arrays = pool.arrays()
    for array in arrays.values():
        array.flags.writeable = False
    before = {name: array.copy() for name, array in arrays.items()}
    strategy.query(Candidates(**arrays), 10, rng=rng)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, before[name])


def test_float32_and_strided_inputs_give_the_same_items(strategy: Strategy, pool: Any) -> None:
    arrays: dict[str, Any] = {name: array.astype(np.float32) for name, array in pool.arrays().items()}
    strided: dict[str, Any] = {name: np.asfortranarray(array) for name, array in arrays.items()}
    plain = strategy.query(Candidates(**arrays), 10, rng=np.random.default_rng(1))
    other = strategy.query(Candidates(**strided), 10, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(plain.indices, other.indices)


@pytest.mark.parametrize(("name", "need"), NEEDS)
def test_a_missing_input_is_named(name: str, need: Need, pool: Any, rng: np.random.Generator) -> None:
    arrays = pool.arrays()
    del arrays[need.value]
    if need is Need.EMBEDDINGS:
        del arrays["labelled_embeddings"]
    with pytest.raises(MissingInputError, match=f"{name} needs {need.value}") as caught:
        make_strategy(name).query(Candidates(**arrays), 3, rng=rng)
    assert caught.value.missing == (need.value,)
    assert caught.value.strategy == name
    assert not caught.value.retryable


@pytest.mark.parametrize("fault", [np.nan, -0.5, 7.0], ids=["nan", "negative", "unnormalised"])
@pytest.mark.parametrize(("name", "need"), [pair for pair in NEEDS if pair[1] is not Need.EMBEDDINGS])
def test_a_row_that_is_no_distribution_is_named(
    name: str, need: Need, fault: float, pool: Any, rng: np.random.Generator
) -> None:
    arrays = pool.arrays()
    arrays[need.value][..., 17, 1] = fault
    with pytest.raises(BadProbabilitiesError, match="row 17") as caught:
        make_strategy(name).query(Candidates(**arrays), 3, rng=rng)
    assert caught.value.row == 17


@pytest.mark.parametrize("fault", [np.nan, np.inf])
@pytest.mark.parametrize("name", [name for name, need in NEEDS if need is Need.EMBEDDINGS])
def test_an_embedding_that_is_not_finite_is_named(name: str, fault: float, pool: Any, rng: np.random.Generator) -> None:
    arrays = pool.arrays()
    arrays["embeddings"][21, 2] = fault
    with pytest.raises(BadCandidatesError, match="embeddings row 21 holds NaN or infinity"):
        make_strategy(name).query(Candidates(**arrays), 3, rng=rng)


@pytest.mark.parametrize("name", [name for name, need in NEEDS if need is Need.PROBABILITIES])
def test_logits_stand_in_for_probabilities(name: str, pool: Any) -> None:
    arrays = pool.arrays()
    given = make_strategy(name).query(Candidates(**arrays), 8, rng=np.random.default_rng(4))
    arrays["logits"] = np.log(arrays.pop("probabilities"))
    derived = make_strategy(name).query(Candidates(**arrays), 8, rng=np.random.default_rng(4))
    np.testing.assert_array_equal(given.indices, derived.indices)


@pytest.mark.parametrize(
    ("arrays", "want"),
    [
        ({}, "no array is given: say how many items there are by size"),
        ({"probabilities": (3, 2), "embeddings": (4, 2)}, "disagree about the number of items"),
        ({"samples": (2, 3, 2), "size": 4}, "disagree about the number of items"),
        ({"probabilities": (3,)}, "they must have 2 dimensions"),
        ({"labelled_embeddings": (3, 2), "size": 3}, "without embeddings"),
        ({"embeddings": (3, 2), "labelled_embeddings": (1, 5)}, "have 5 dimensions, embeddings 2"),
    ],
    ids=["nothing", "two-sizes", "size-against-samples", "vector", "labelled-alone", "two-encoders"],
)
def test_arrays_that_do_not_fit_are_refused(arrays: Any, want: Any) -> None:
    made: dict[str, Any] = {name: value if name == "size" else np.full(value, 0.5) for name, value in arrays.items()}
    with pytest.raises(BadCandidatesError, match=want):
        Candidates(**made)


def test_a_pool_may_be_a_size_alone(rng: np.random.Generator) -> None:
    assert len(make_strategy("Random").query(Candidates(size=9), 4, rng=rng).indices) == 4
