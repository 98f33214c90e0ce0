from itertools import pairwise

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from labelplane_distillation.errors import TrainingDiverged
from labelplane_distillation.lbfgs import minimise
from labelplane_distillation.learning import Examples, Hooks, Mixing, NetworkSettings, Problem, Window
from labelplane_distillation.linear import LinearLearner, LinearSoftmax
from labelplane_distillation.losses import Floats, LossTerms, log_softmax


def make_data(n_items: int = 200, *, seed: int = 0) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_items, 6))
    logits = features @ rng.normal(size=(6, 3)) * 2
    targets = np.exp(log_softmax(logits))
    return features, targets


def test_lbfgs_finds_the_minimum_of_a_badly_scaled_quadratic() -> None:
    scales = np.logspace(-2, 2, 12)
    want = np.arange(12.0)

    def objective(point: Floats) -> tuple[float, Floats]:
        return float(0.5 * (scales * (point - want) ** 2).sum()), scales * (point - want)

    found = minimise(objective, np.zeros(12), max_iterations=500, tolerance=1e-9)
    assert found.is_converged
    np.testing.assert_allclose(found.point, want, atol=1e-5)


def test_lbfgs_never_lets_the_value_rise_and_says_when_it_ran_out_of_iterations() -> None:
    def rosenbrock(point: Floats) -> tuple[float, Floats]:
        x, y = point
        value = (1 - x) ** 2 + 100 * (y - x**2) ** 2
        return float(value), np.array([-2 * (1 - x) - 400 * x * (y - x**2), 200 * (y - x**2)])

    start = np.array([-1.2, 1.0])
    values = [minimise(rosenbrock, start, max_iterations=iterations).value for iterations in range(1, 60)]
    assert all(after <= before for before, after in pairwise(values))
    assert not minimise(rosenbrock, start, max_iterations=3).is_converged
    np.testing.assert_array_equal(start, [-1.2, 1.0])


def test_a_linear_head_agrees_with_scikit_learn_on_hard_labels_and_item_weights() -> None:
    features, targets = make_data()
    labels = targets.argmax(axis=1)
    weights = np.random.default_rng(1).uniform(0.2, 2.0, len(labels))
    peer = LogisticRegression(C=1 / (0.01 * len(labels)), tol=1e-10, max_iter=5000)
    peer.fit(features, labels, sample_weight=weights)
    head = LinearSoftmax(l2=0.01, max_iterations=500).fit(features, LossTerms(np.eye(3)[labels], weights))
    assert head.converged_
    ours = np.exp(log_softmax(features @ head.coefficients_ + head.intercepts_))
    np.testing.assert_allclose(ours, peer.predict_proba(features), atol=1e-4)


def test_a_linear_head_recovers_the_distribution_that_made_its_soft_labels() -> None:
    features, targets = make_data()
    head = LinearSoftmax(l2=0.0, max_iterations=1000).fit(features, LossTerms(targets, np.ones(len(targets))))
    ours = np.exp(log_softmax(features @ head.coefficients_ + head.intercepts_))
    np.testing.assert_allclose(ours, targets, atol=1e-3)


def test_an_item_twice_is_an_item_of_double_weight() -> None:
    features, targets = make_data(60)
    twice = np.concatenate([features, features[:20]]), np.concatenate([targets, targets[:20]])
    weights = np.where(np.arange(60) < 20, 2.0, 1.0) * 80 / 60 * 60 / 80
    one = LinearSoftmax(l2=0.0, max_iterations=800).fit(features, LossTerms(targets, weights))
    two = LinearSoftmax(l2=0.0, max_iterations=800).fit(twice[0], LossTerms(twice[1], np.ones(80)))
    np.testing.assert_allclose(
        one.coefficients_ - one.coefficients_.mean(1, keepdims=True),
        two.coefficients_ - two.coefficients_.mean(1, keepdims=True),
        atol=1e-3,
    )


def test_features_that_are_no_numbers_are_an_error_and_not_a_model() -> None:
    features, targets = make_data(20)
    features[3, 2] = np.nan
    with pytest.raises(TrainingDiverged, match="not finite"):
        LinearSoftmax().fit(features, LossTerms(targets, np.ones(20)))


def make_problem(*, members: int, n_items: int = 90) -> tuple[Problem, Floats]:
    features, targets = make_data(n_items)
    examples = Examples(features.astype(np.float32), targets, np.ones(n_items))
    return Problem(examples, (np.arange(n_items),) * members, np.zeros(0, dtype=np.int64), seed=(4,)), targets


def test_members_that_see_the_same_items_differ_and_are_the_same_again_from_the_same_seed() -> None:
    problem, _ = make_problem(members=3)
    learner = LinearLearner(NetworkSettings("Linear", members=3, epochs=100, weight_decay=1e-3))
    first, again = (learner.fit(problem, Hooks()).ensemble.predict(problem.examples.inputs) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first[0] - first[1]).max() > 0.05


def test_a_student_learns_from_items_without_votes_what_only_its_teacher_knows() -> None:
    features, targets = make_data(400)

    class Pool:
        def window(self, epoch: int) -> Window:
            return Window(features[40:].astype(np.float32), np.log(targets[40:]))

    # The labels know nothing; the teacher does.
    examples = Examples(features[:40].astype(np.float32), np.full((40, 3), 1 / 3), np.ones(40), np.log(targets[:40]))
    problem = Problem(examples, (np.arange(40),), np.zeros(0, dtype=np.int64), Mixing(2.0, 0.9), Pool())
    student = LinearLearner(NetworkSettings("Linear", epochs=300, weight_decay=0.0)).fit(problem, Hooks()).ensemble
    right = student.predict(features)[0].argmax(axis=1) == targets.argmax(axis=1)
    assert right.mean() > 0.97


def test_training_stops_where_it_is_told_to() -> None:
    problem, _ = make_problem(members=2)

    def stop() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LinearLearner(NetworkSettings("Linear", epochs=50)).fit(problem, Hooks(check=stop))
