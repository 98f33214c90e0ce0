"""A linear softmax head on given features, without torch: teacher and student of the base install."""

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from labelplane_distillation.calibration import average_members
from labelplane_distillation.errors import TrainingDiverged
from labelplane_distillation.lbfgs import Minimum, minimise
from labelplane_distillation.learning import (
    Hooks,
    Inputs,
    NetworkSettings,
    Outputs,
    Problem,
    Training,
)
from labelplane_distillation.losses import Floats, LossTerms, distillation_loss

__all__ = ["LinearEnsemble", "LinearLearner", "LinearSoftmax"]


class LinearSoftmax:
    """Multinomial logistic regression on soft labels with item weights, and on a teacher where there is one.

    Minimises `distillation_loss` + l2 / 2 * |coefficients|^2 by L-BFGS from zero. The problem is convex, so the result
    depends on nothing but the data.

    Args:
        l2: penalty of the coefficients, at least 0; the intercepts carry none.
        max_iterations: bound of L-BFGS.

    Attributes:
        coefficients_: (D, K) after `fit`.
        intercepts_: (K,) after `fit`.
        converged_: whether the gradient vanished before `max_iterations`.
        n_iter_: iterations used.
    """

    coefficients_: Floats
    intercepts_: Floats
    converged_: bool
    n_iter_: int

    def __init__(self, *, l2: float = 1e-3, max_iterations: int = 200) -> None:
        self.l2 = l2
        self.max_iterations = max_iterations

    def fit(self, features: Floats, terms: LossTerms, *, check: Callable[[], None] = lambda: None) -> Self:
        """Learn from (N, D) features. Cost: O(N D K) an iteration.

        Raises:
            TrainingDiverged: a feature or a target is not finite.
        """
        n_features, n_classes = features.shape[1], terms.targets.shape[1]

        def objective(point: Floats) -> tuple[float, Floats]:
            table = point.reshape(n_features + 1, n_classes)
            value, by_logits = distillation_loss(features @ table[:-1] + table[-1], terms)
            gradient = np.vstack([features.T @ by_logits + self.l2 * table[:-1], by_logits.sum(axis=0)])
            return value + 0.5 * self.l2 * float((table[:-1] ** 2).sum()), gradient.ravel()

        start = np.zeros((n_features + 1) * n_classes)
        found = minimise(objective, start, max_iterations=self.max_iterations, after_iteration=lambda _: check())
        self._keep(found, n_classes)
        return self

    def _keep(self, found: Minimum, n_classes: int) -> None:
        if not np.isfinite(found.value):
            raise TrainingDiverged("the linear head's loss is not finite: a feature or a soft label is NaN or infinite")
        table = found.point.reshape(-1, n_classes)
        self.coefficients_, self.intercepts_ = table[:-1], table[-1]
        self.converged_, self.n_iter_ = found.is_converged, found.iterations


class LinearEnsemble:
    """S linear heads over the same features: (S, D, K) coefficients and (S, K) intercepts, in single precision."""

    def __init__(
        self,
        coefficients: npt.NDArray[np.float32],
        intercepts: npt.NDArray[np.float32],
        *,
        input_shape: tuple[int, ...],
    ) -> None:
        self._coefficients = coefficients
        self._intercepts = intercepts
        self._input_shape = input_shape

    def predict(self, inputs: Inputs) -> Floats:
        """Return (S, N, K) logits."""
        features = _flatten(inputs)
        logits = np.einsum("nd,sdk->snk", features, self._coefficients.astype(np.float64), optimize=True)
        return np.asarray(logits + self._intercepts[:, None, :])

    def outputs(self, inputs: Inputs, temperature: float) -> Outputs:
        """Return what the exported model must compute; the embedding is the features themselves."""
        logits = self.predict(inputs)
        samples = np.swapaxes(logits, 0, 1) / temperature if len(logits) > 1 else None
        return Outputs(average_members(logits, temperature), _flatten(inputs), samples)

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Return the weights by name."""
        return {"head.weight": self._coefficients, "head.bias": self._intercepts[:, None, :]}

    def to_onnx(self, temperature: float) -> bytes:
        """Return the graph."""
        from labelplane_distillation.export.graph import Graph, add_ensemble_head

        graph = Graph()
        features = graph.add("Flatten", "input", axis=1)
        members = graph.add("Unsqueeze", features, graph.constant(np.array([0], dtype=np.int64)))
        add_ensemble_head(
            graph,
            members,
            weight=self._coefficients,
            bias=self._intercepts[:, None, :],
            embedding=features,
            temperature=temperature,
        )
        return graph.build(shape=self._input_shape)


class LinearLearner:
    """Trains `LinearEnsemble`: weight decay is the penalty, epochs bound the iterations, the other settings are unused.

    Members that see the same items are told apart by weights drawn from an exponential distribution (the Bayesian
    bootstrap; Rubin, 1981), since the problem itself has one solution only.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        self._settings = settings

    def fit(self, problem: Problem, hooks: Hooks) -> Training:
        """Train one head after another."""
        heads = []
        for member in range(len(problem.member_rows)):
            hooks.check()
            heads.append(self._fit_member(problem, member, hooks))
            hooks.after_epoch(self._settings.epochs * (member + 1) // len(problem.member_rows))
        ensemble = LinearEnsemble(
            np.stack([head.coefficients_ for head in heads]).astype(np.float32),
            np.stack([head.intercepts_ for head in heads]).astype(np.float32),
            input_shape=problem.examples.inputs.shape[1:],
        )
        is_converged = all(head.converged_ for head in heads)
        return Training(ensemble, epochs=max(head.n_iter_ for head in heads), is_converged=is_converged)

    def _fit_member(self, problem: Problem, member: int, hooks: Hooks) -> LinearSoftmax:
        features, terms = _gather(problem, problem.member_rows[member])
        if _share_rows(problem):
            generator = np.random.default_rng([*problem.seed, member])
            terms = _reweigh(terms, generator.exponential(size=len(features)))
        head = LinearSoftmax(l2=self._settings.weight_decay, max_iterations=self._settings.epochs)
        return head.fit(features, terms, check=hooks.check)


def _flatten(inputs: Inputs) -> Floats:
    return np.asarray(inputs.reshape(len(inputs), -1), dtype=np.float64)


def _share_rows(problem: Problem) -> bool:
    first = problem.member_rows[0]
    return len(problem.member_rows) > 1 and all(np.array_equal(first, rows) for rows in problem.member_rows[1:])


def _gather(problem: Problem, rows: npt.NDArray[np.int64]) -> tuple[Floats, LossTerms]:
    """Return features and loss terms of a member's items, and of the items without votes after them."""
    examples = problem.examples
    features, targets = _flatten(examples.inputs[rows]), examples.targets[rows]
    weights, teacher = examples.weights[rows], None if examples.teacher is None else examples.teacher[rows]
    if teacher is not None and problem.unlabelled is not None:
        window = problem.unlabelled.window(0)
        features = np.concatenate([features, _flatten(window.inputs)])
        teacher = np.concatenate([teacher, window.teacher])
        targets = np.concatenate([targets, np.zeros_like(window.teacher)])
        weights = np.concatenate([weights, np.zeros(len(window.inputs))])
    return features, LossTerms(
        targets=targets,
        weights=weights,
        teacher_logits=teacher,
        teacher_weights=None if teacher is None else np.ones(len(features)),
        temperature=problem.mixing.temperature,
        mixing=problem.mixing.share,
    )


def _reweigh(terms: LossTerms, factors: Floats) -> LossTerms:
    return LossTerms(
        targets=terms.targets,
        weights=terms.weights * factors,
        teacher_logits=terms.teacher_logits,
        teacher_weights=None if terms.teacher_weights is None else terms.teacher_weights * factors,
        temperature=terms.temperature,
        mixing=terms.mixing,
    )
