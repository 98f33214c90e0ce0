"""The choice between models of annotators, by votes held out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelplane_aggregation.models._class_rows import ClassPrior
from labelplane_aggregation.models.dawid_skene import DawidSkene, ShrinkTo
from labelplane_aggregation.models.fit import Fit
from labelplane_aggregation.models.mace import Mace
from labelplane_aggregation.models.one_coin import OneCoin
from labelplane_aggregation.models.selection import Selection
from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["Auto"]

_FOLDS = 4

_LEAST_VOTES = 12
"""Under it the held-out votes say nothing about the models."""

_SHRUNK = "shrunk"
_FREE = "free"
_EVEN = "even"
_GUESSING = "guessing"

Candidate = DawidSkene | Mace | OneCoin

_IMPOSSIBLE = 1e-300
"""A probability that rounding made zero counts as this, so that one vote does not decide alone by infinity."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Auto:
    r"""One coin, Dawid-Skene shrunk or free, or MACE: whichever foretells votes that it has not seen.

    Candidates. "even": the one-coin model; best at a cold start. "shrunk": Dawid-Skene with rows drawn by two
    pseudo-votes to the pooled errors at the annotator's own accuracy (`ShrinkTo.ANNOTATOR`); best with few votes and
    classes that all confuse alike. "free": Dawid-Skene with one pseudo-vote in every cell of each confusion; best with
    many votes and systematic errors, and useless where there are more cells than votes. "guessing": MACE; best with
    annotators who do not try. All learn the class prior and start from the vote shares.

    Steps. The votes are cut into 4 parts so that each item loses about a quarter of its votes at a time. Each model is
    fitted without a part, with all gold, and asked for it: P(z_ij) = sum_k P(y_j = k | other votes) theta_i[k, z_ij].
    The candidate with the largest sum of w log P(z_ij) is fitted to all votes. (The likelihood of votes seen always
    favours "free", and a variational bound misranks.) Under 12 votes "even" is taken. `Fit.selection_` says what was
    chosen and why. Seventeen fits in all.

    Sources: the candidates are described at `OneCoin`, `DawidSkene` and `Mace`; the choice is cross-validation of a
    predictive density, S. Geisser and W. F. Eddy, A Predictive Approach to Model Selection, JASA 74 (1979).

    Attributes:
        max_iterations: of each fit, at least 1.
        tolerance: relative gain of the objective at which a fit has converged.
        class_prior: "learned", "uniform", or probabilities in the order of the classes.
        threads: at most this many; None: by the number of votes. The result is the same bit for bit.
        seed: of the generator that breaks exact ties and cuts the votes.

    Example:
        >>> votes = {"item": [1, 1, 2, 2], "annotator": ["x", "y", "x", "y"], "label": ["cat", "cat", "dog", "dog"]}
        >>> Auto().fit(votes).selection_.chosen
        'even'
    """

    max_iterations: int = 100
    tolerance: float = 1e-6
    class_prior: ClassPrior | str | ArrayLike = ClassPrior.LEARNED
    threads: int | None = None
    seed: int = 0

    def fit(self, votes: Any, *, gold: Any = None, item_prior: ArrayLike | None = None) -> Fit:
        """Choose a model and fit it.

        Args:
            votes: `VoteMatrix`, or any frame that `VoteMatrix.from_table` reads.
            gold: mapping or frame item -> class, as for `DawidSkene`.
            item_prior: (items, classes) probabilities of a classifier, as for `DawidSkene`.

        Returns:
            The chosen model's result, with `selection_`.

        Raises:
            InvalidVotesError: the votes cannot be read.
            InvalidGoldError: gold names an unknown class, or two for one item.
            InvalidPriorError: `item_prior` or `class_prior` are no probabilities of the right shape.
            InvalidSettingError: a parameter is out of its bounds.
        """
        matrix = VoteMatrix.of(votes)
        candidates = self._candidates()
        selection = self._select(candidates, matrix, gold, item_prior)
        fit = candidates[selection.chosen].fit(matrix, gold=gold, item_prior=item_prior)
        return replace(fit, selection_=selection)

    def _candidates(self) -> dict[str, Candidate]:
        """Return the models by name, the one that wins a tie first."""
        shared: dict[str, Any] = {
            "max_iterations": self.max_iterations,
            "tolerance": self.tolerance,
            "class_prior": self.class_prior,
            "threads": self.threads,
            "seed": self.seed,
        }
        shrunk = DawidSkene(shrink_to=ShrinkTo.ANNOTATOR, **shared)
        free = replace(shrunk, shrinkage_mass=0.0, smoothing=1.0)
        return {_EVEN: OneCoin(**shared), _SHRUNK: shrunk, _FREE: free, _GUESSING: Mace(**shared)}

    def _select(
        self, candidates: Mapping[str, Candidate], votes: VoteMatrix, gold: Any, item_prior: ArrayLike | None
    ) -> Selection:
        if votes.n_votes < _LEAST_VOTES or not votes.weights.any():
            reason = f"{_EVEN}: {votes.n_votes} votes are too few to hold some out (at least {_LEAST_VOTES})"
            return Selection(_EVEN, MappingProxyType({}), 0, reason)
        sums = dict.fromkeys(candidates, 0.0)
        for held_out in _cut(votes, np.random.default_rng(self.seed)):
            seen = _without(votes, held_out)
            for name, model in candidates.items():
                sums[name] += _foretell(model.fit(seen, gold=gold, item_prior=item_prior), votes, held_out)
        scores = {name: value / float(votes.weights.sum()) for name, value in sums.items()}
        return _best(scores)


def _best(scores: Mapping[str, float]) -> Selection:
    chosen = max(scores, key=lambda name: scores[name])
    others = ", ".join(f"{name} {value:.4f}" for name, value in scores.items() if name != chosen)
    reason = f"{chosen}: a held-out vote has mean log-likelihood {scores[chosen]:.4f}, against {others}"
    return Selection(chosen, MappingProxyType(dict(scores)), _FOLDS, reason)


def _cut(votes: VoteMatrix, rng: np.random.Generator) -> Iterator[NDArray[np.bool_]]:
    """Yield the votes to hold out, each once: of every item as equally many as can be."""
    starts = rng.permutation(votes.n_items)
    places = np.arange(votes.n_votes) - votes.offsets[votes.items] + starts[votes.items]
    for fold in range(_FOLDS):
        held_out = places % _FOLDS == fold
        if held_out.any() and not held_out.all():
            yield held_out


def _without(votes: VoteMatrix, held_out: NDArray[np.bool_]) -> VoteMatrix:
    """Return the other votes, with all items, annotators and classes kept."""
    kept = ~held_out
    counts = np.bincount(votes.items[kept], minlength=votes.n_items)
    return replace(
        votes,
        items=votes.items[kept],
        annotators=votes.annotators[kept],
        answers=votes.answers[kept],
        weights=votes.weights[kept],
        offsets=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
    )


def _foretell(fit: Fit, votes: VoteMatrix, held_out: NDArray[np.bool_]) -> float:
    """Return the weighted log-likelihood, in nats, of votes that `fit` has not seen."""
    items, annotators, answers = (codes[held_out] for codes in (votes.items, votes.annotators, votes.answers))
    probability = np.zeros(len(items))
    for true in range(votes.n_classes):
        probability += fit.posterior_[items, true] * fit.reliability_.confusion[annotators, true, answers]
    return float(votes.weights[held_out] @ np.log(np.maximum(probability, _IMPOSSIBLE)))
