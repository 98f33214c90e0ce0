import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelplane_distillation.calibration import MAX_TEMPERATURE, average_members, fit_temperature
from labelplane_distillation.folds import assign_folds, draw_validation, weigh_items
from labelplane_distillation.losses import log_softmax


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(true_temperature: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(1, 4000, 5)) * 3
    targets = np.exp(log_softmax(logits[0] / true_temperature))
    found = fit_temperature(logits, targets, np.ones(4000))
    assert found == pytest.approx(true_temperature, rel=0.1)


def test_without_items_the_temperature_is_one_and_a_few_items_do_not_move_it_to_a_bound() -> None:
    assert fit_temperature(np.zeros((2, 0, 3)), np.zeros((0, 3)), np.zeros(0)) == 1.0
    wrong = np.array([[[9.0, 0.0], [9.0, 0.0]]])
    assert fit_temperature(wrong, np.array([[0.0, 1.0], [0.0, 1.0]]), np.ones(2)) < MAX_TEMPERATURE + 1e-9
    # All right, and so as sure as can be wanted: the pull keeps it near 1.
    assert fit_temperature(wrong, np.array([[1.0, 0.0], [1.0, 0.0]]), np.ones(2)) > 0.5


def test_the_average_of_members_is_that_of_their_distributions() -> None:
    logits = np.random.default_rng(0).normal(size=(3, 6, 4))
    want = np.exp(log_softmax(logits / 2.0)).mean(axis=0)
    np.testing.assert_allclose(np.exp(average_members(logits, 2.0)), want, atol=1e-12)


@given(
    n_items=st.integers(2, 80),
    members=st.integers(1, 7),
    held_out=st.integers(1, 2),
    share=st.sampled_from([0.0, 0.2, 0.5]),
    seed=st.integers(0, 1000),
)
@settings(deadline=None, max_examples=80)
def test_nothing_out_of_fold_comes_from_a_member_that_has_seen_the_item(
    n_items: int, members: int, held_out: int, share: float, seed: int
) -> None:
    held_out = min(held_out, max(1, members - 1))
    rng = np.random.default_rng(seed)
    classes, is_validation = rng.integers(0, 3, n_items), rng.random(n_items) < share
    folds = assign_folds(classes, is_validation, members=members, held_out=held_out, generator=rng)
    # Each member's value for each item says whether that member has seen it.
    has_seen = np.zeros((members, n_items, 1))
    for member in range(members):
        has_seen[member, folds.rows_of(member)] = 1.0
    rows, values = folds.pick_out_of_fold(has_seen)
    assert values.sum() == 0.0
    assert set(rows) == set(range(n_items) if members > 1 else np.flatnonzero(is_validation))
    assert not has_seen[:, is_validation].any()
    if members > 1:
        trained = np.flatnonzero(~is_validation)
        np.testing.assert_array_equal(has_seen[:, trained].sum(axis=(0, 2)), members - held_out)


def test_folds_hold_every_class_evenly() -> None:
    classes = np.repeat(np.arange(4), [40, 20, 12, 4])
    folds = assign_folds(classes, np.zeros(76, dtype=bool), members=4, held_out=1, generator=np.random.default_rng(0))
    for klass, count in enumerate([40, 20, 12, 4]):
        sizes = np.bincount(folds.fold[classes == klass], minlength=4)
        np.testing.assert_array_equal(sizes, np.full(4, count // 4))


def test_an_item_held_out_once_is_held_out_in_every_round_whatever_else_there_is() -> None:
    ids = [f"item-{number}" for number in range(3000)]
    early = dict(zip(ids[:50], draw_validation(ids[:50], 0.2, seed=7), strict=True))
    late = dict(zip(ids, draw_validation(ids, 0.2, seed=7), strict=True))
    assert all(late[item] == early[item] for item in early)
    assert np.mean(list(late.values())) == pytest.approx(0.2, abs=0.03)
    assert not draw_validation(ids, 0.0, seed=7).any()
    assert (draw_validation(ids, 0.2, seed=8) != list(late.values())).any()


def test_sure_items_weigh_one_and_clueless_ones_next_to_nothing() -> None:
    weights = weigh_items(np.array([[1.0, 0.0], [0.5, 0.5], [0.9, 0.1]]))
    assert weights[0] == pytest.approx(1.0)
    assert weights[1] == pytest.approx(0.02)
    assert 0.5 < weights[2] < 0.6
