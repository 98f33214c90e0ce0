import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelplane_distillation.losses import (
    Floats,
    LossTerms,
    distillation_loss,
    log_softmax,
    logsumexp,
    normalised_entropy,
)


def make_terms(
    n_items: int = 5, n_classes: int = 4, *, mixing: float = 0.7, temperature: float = 2.0, seed: int = 0
) -> tuple[Floats, LossTerms]:
    rng = np.random.default_rng(seed)
    terms = LossTerms(
        targets=rng.dirichlet(np.ones(n_classes), n_items),
        weights=rng.uniform(0.1, 2.0, n_items),
        teacher_logits=rng.normal(size=(n_items, n_classes)) * 3,
        teacher_weights=rng.uniform(0.5, 1.5, n_items),
        temperature=temperature,
        mixing=mixing,
    )
    return rng.normal(size=(n_items, n_classes)) * 2, terms


def numeric_gradient(function: Callable[[Floats], float], point: Floats, step: float = 1e-5) -> Floats:
    gradient = np.zeros_like(point)
    for place in np.ndindex(point.shape):
        up, down = point.copy(), point.copy()
        up[place] += step
        down[place] -= step
        gradient[place] = (function(up) - function(down)) / (2 * step)
    return gradient


def test_cross_entropy_of_uniform_logits_is_the_logarithm_of_the_number_of_classes() -> None:
    terms = LossTerms(targets=np.eye(4)[[1]], weights=np.ones(1))
    value, gradient = distillation_loss(np.zeros((1, 4)), terms)
    assert value == pytest.approx(math.log(4), abs=1e-15)
    np.testing.assert_allclose(gradient, [[0.25, -0.75, 0.25, 0.25]], atol=1e-15)


def test_divergence_of_two_classes_has_its_closed_form() -> None:
    # At T = 2 the teacher says sigmoid(2 / 2) and the student 1/2: KL = log 2 - H(sigmoid(1)).
    q = 1 / (1 + math.exp(-1.0))
    entropy = -(q * math.log(q) + (1 - q) * math.log(1 - q))
    terms = LossTerms(
        targets=np.array([[0.5, 0.5]]),
        weights=np.zeros(1),
        teacher_logits=np.array([[2.0, 0.0]]),
        teacher_weights=np.ones(1),
        temperature=2.0,
        mixing=0.25,
    )
    value, _ = distillation_loss(np.zeros((1, 2)), terms)
    assert value == pytest.approx(0.25 * 4.0 * (math.log(2) - entropy), abs=1e-15)


@pytest.mark.parametrize(
    ("mixing", "temperature"),
    [
        pytest.param(0.0, 1.0, id="task alone"),
        pytest.param(1.0, 1.0, id="teacher alone, cold"),
        pytest.param(1.0, 8.0, id="teacher alone, hot"),
        pytest.param(0.7, 2.0, id="both"),
    ],
)
def test_the_gradient_is_that_of_the_value(mixing: float, temperature: float) -> None:
    logits, terms = make_terms(mixing=mixing, temperature=temperature)
    want = numeric_gradient(lambda z: distillation_loss(z, terms)[0], logits)
    np.testing.assert_allclose(distillation_loss(logits, terms)[1], want, atol=1e-9)


def test_lambda_zero_forgets_the_teacher_and_lambda_one_the_labels() -> None:
    logits, terms = make_terms(mixing=0.0)
    alone = LossTerms(targets=terms.targets, weights=terms.weights)
    assert distillation_loss(logits, terms)[0] == distillation_loss(logits, alone)[0]

    logits, terms = make_terms(mixing=1.0)
    others = LossTerms(
        targets=np.roll(terms.targets, 1, axis=0),
        weights=terms.weights * 5,
        teacher_logits=terms.teacher_logits,
        teacher_weights=terms.teacher_weights,
        temperature=terms.temperature,
        mixing=1.0,
    )
    assert distillation_loss(logits, terms)[0] == distillation_loss(logits, others)[0]


def test_a_student_that_equals_its_teacher_pays_nothing_at_any_temperature() -> None:
    for temperature in (0.5, 1.0, 10.0):
        logits, terms = make_terms(mixing=1.0, temperature=temperature)
        assert terms.teacher_logits is not None
        value, gradient = distillation_loss(terms.teacher_logits + 3.0, terms)
        assert value == pytest.approx(0.0, abs=1e-12)
        np.testing.assert_allclose(gradient, np.zeros_like(logits), atol=1e-15)


def test_t_squared_keeps_the_size_of_the_gradient_when_the_temperature_grows() -> None:
    # In the limit of high T the gradient tends to that of matching centred logits (Hinton et al., equation 4).
    logits, terms = make_terms(mixing=1.0, temperature=1e4)
    assert terms.teacher_logits is not None
    assert terms.teacher_weights is not None
    _, gradient = distillation_loss(logits, terms)
    centred = (logits - logits.mean(1, keepdims=True)) - (
        terms.teacher_logits - terms.teacher_logits.mean(1, keepdims=True)
    )
    want = terms.teacher_weights[:, None] * centred / logits.shape[1] / len(logits)
    np.testing.assert_allclose(gradient, want, rtol=2e-3, atol=1e-6)


def test_log_probabilities_of_huge_logits_are_finite_and_exact() -> None:
    got = log_softmax(np.array([[1e4, 0.0, -1e4]]))
    np.testing.assert_array_equal(got, [[0.0, -1e4, -2e4]])
    assert logsumexp(np.array([[1e4, 1e4]]))[0, 0] == pytest.approx(1e4 + math.log(2))


@given(st.integers(0, 2**32 - 1), st.floats(-50, 50))
@settings(deadline=None, max_examples=50)
def test_a_constant_added_to_all_logits_changes_nothing(seed: int, shift: float) -> None:
    logits, terms = make_terms(seed=seed)
    before, after = distillation_loss(logits, terms), distillation_loss(logits + shift, terms)
    assert after[0] == pytest.approx(before[0], rel=1e-9)
    np.testing.assert_allclose(after[1], before[1], atol=1e-10)


@pytest.mark.parametrize(
    ("probabilities", "want"),
    [
        pytest.param([1.0, 0.0, 0.0], 0.0, id="sure"),
        pytest.param([1 / 3, 1 / 3, 1 / 3], 1.0, id="uniform"),
        pytest.param([0.5, 0.5, 0.0], math.log(2) / math.log(3), id="between two of three"),
    ],
)
def test_normalised_entropy_has_its_closed_form(probabilities: list[float], want: float) -> None:
    assert normalised_entropy(np.array([probabilities]))[0] == pytest.approx(want, abs=1e-12)


@pytest.mark.torch
@pytest.mark.parametrize("mixing", [0.0, 0.7, 1.0])
def test_the_tensor_version_agrees_with_the_reference(mixing: float) -> None:
    torch = pytest.importorskip("torch", reason="needs the extra `local`")
    from labelplane_distillation.neural.losses import Batch, member_losses

    parts = [make_terms(mixing=mixing, seed=seed) for seed in range(3)]
    tensors = [
        np.stack(each) for each in zip(*[(z, t.targets, t.weights, t.teacher_logits) for z, t in parts], strict=True)
    ]
    logits, targets, weights, teacher = (torch.from_numpy(each) for each in tensors)
    logits.requires_grad_(requires_grad=True)
    losses = member_losses(logits, Batch(logits, targets, weights, teacher), temperature=2.0, mixing=mixing)
    losses.sum().backward()
    for member, (z, terms) in enumerate(parts):
        plain = LossTerms(terms.targets, terms.weights, terms.teacher_logits, np.ones(len(z)), 2.0, mixing)
        value, gradient = distillation_loss(z, plain)
        assert float(losses[member].detach()) == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(logits.grad[member].numpy(), gradient, atol=1e-14)
