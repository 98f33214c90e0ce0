"""Several models of annotators, each weighted by the votes that it foretells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labelplane_aggregation.models._class_rows import ClassPrior
from labelplane_aggregation.models._cutting import Cut, without
from labelplane_aggregation.models.blend import Blend
from labelplane_aggregation.models.fit import Fit, Reliabilities, decide
from labelplane_aggregation.models.one_coin import OneCoin
from labelplane_aggregation.models.selection import Selection
from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["Auto"]

_FOLDS = 4

_ONE_FOLD_VOTES = 200_000
"""From here on one part of the four is held out: it has more votes than a choice needs."""

_LEAST_VOTES = 12
"""Under it the held-out votes say nothing about the models."""

_MOST_CELLS = 50_000_000
"""Numbers in all annotators' confusions up to which they are fitted: 0.4 GB, three times over."""

_TRIAL_ITERATIONS, _TRIAL_TOLERANCE = 30, 1e-5
"""Bounds of a fit that only foretells; more changed no weight."""

_RESAMPLES, _GROUPS = 200, 1_000
"""Bootstrap samples of the held-out votes, and the groups of items that they draw at most."""

_EVEN = "even"
_BLEND = "blend"
_OWN = "own"

_ALL = frozenset({_EVEN, _BLEND, _OWN})

_LEAST_WEIGHT = 1e-6
"""A model of less weight is not fitted: it would change nothing."""

_IMPOSSIBLE = 1e-300
"""A probability that rounding made zero counts as this, so that one vote does not decide alone by infinity."""

Fits = Mapping[str, Fit]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Auto:
    r"""One coin, blends of habits, and confusions of one's own, averaged by how well each foretells unseen votes.

    Models, from few numbers an annotator to many. "even": `OneCoin`, one accuracy each. "blend": `Blend` without own
    rows; a vote is known, wrong as the crowd is wrong, or a habit. "own": `Blend`; a whole confusion each, shrunk by
    ten votes to the blend. All learn the class prior and start from the vote shares.

    Weights. The votes are cut into 4 parts so that each item loses about a quarter of its votes at a time (`Cut`: by
    the votes, not by names). Each model is fitted without a part, with all gold, and asked for it:
    P(z_ij) = sum_k P(y_j = k | other votes) theta_i[k, z_ij]. Then the items with their held-out votes are drawn anew
    200 times (Bayesian bootstrap, in at most 1,000 groups). In each draw a model's share is its exp(sum of w log
    P(z_ij)), and its weight is the mean share. So a model that clearly foretells better has all the weight, and models
    between which so few votes cannot decide are averaged: choosing among them would pick at random. (The likelihood of
    votes seen always favours "own", and a variational bound misranks.) From 200,000 votes on one part alone is held
    out; under 12 votes "even" has all the weight, and so it has above 50,000,000 cells of confusions.

    Result. `posterior_`, confusions and accuracies are the weighted means of the three fits to all votes; `objective_`,
    `log_likelihood_` and `converged_` are those of the heaviest. `Fit.selection_` says weights, scores and why. Every
    model is fitted five times, of which four run to a coarser tolerance; twice in all from 200,000 votes on. One whose
    weight is under 1e-6 is not fitted to all votes.

    Sources: the models are described at `OneCoin` and `Blend`; the weights are the pseudo-BMA+ of Y. Yao, A. Vehtari,
    D. Simpson and A. Gelman, Using Stacking to Average Bayesian Predictive Distributions, Bayesian Analysis 13 (2018),
    section 3.4, with folds in place of single votes left out.

    Attributes:
        max_iterations: of each fit, at least 1.
        tolerance: relative gain of the objective at which a fit has converged.
        class_prior: "learned", "uniform", or probabilities in the order of the classes.
        threads: at most this many; None: by the number of votes. The result is the same bit for bit.
        seed: of the generator that breaks exact ties, cuts the votes and draws the bootstrap.

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

    def fit(
        self, votes: Any, *, gold: Any = None, item_prior: ArrayLike | None = None, start: Fit | None = None
    ) -> Fit:
        """Weigh the models and average them.

        Args:
            votes: `VoteMatrix`, or any frame that `VoteMatrix.from_table` reads.
            gold: mapping or frame item -> class, as for `DawidSkene`.
            item_prior: (items, classes) probabilities of a classifier, as for `DawidSkene`.
            start: an earlier fit, from which each model goes on, or begins anew where that is better, as for
                `OneCoin`; the weights are learned anew.

        Returns:
            The mean of the models' results, with `selection_`.

        Raises:
            InvalidVotesError: the votes cannot be read.
            InvalidGoldError: gold names an unknown class, or two for one item.
            InvalidPriorError: `item_prior` or `class_prior` are no probabilities of the right shape.
            InvalidSettingError: a parameter is out of its bounds.
        """
        matrix = VoteMatrix.of(votes)
        if reason := _why_even_alone(matrix):
            only = Selection(_EVEN, MappingProxyType({}), 0, reason, MappingProxyType({_EVEN: 1.0}))
            return replace(
                OneCoin(**self._shared()).fit(matrix, gold=gold, item_prior=item_prior, start=start), selection_=only
            )
        selection = _weigh(matrix, lambda seen: self._try(seen, gold=gold, item_prior=item_prior), self.seed)
        wanted = frozenset(name for name, weight in selection.weights.items() if weight >= _LEAST_WEIGHT)
        fits = _fit_all(self._shared(), matrix, gold=gold, item_prior=item_prior, start=start, wanted=wanted)
        return _average(fits, selection, self.seed)

    def _try(self, votes: VoteMatrix, *, gold: Any, item_prior: ArrayLike | None) -> dict[str, Fit]:
        """Return fits that are good enough to foretell votes."""
        coarse = {
            "max_iterations": min(self.max_iterations, _TRIAL_ITERATIONS),
            "tolerance": max(self.tolerance, _TRIAL_TOLERANCE),
        }
        return _fit_all({**self._shared(), **coarse}, votes, gold=gold, item_prior=item_prior)

    def _shared(self) -> dict[str, Any]:
        return {
            "max_iterations": self.max_iterations,
            "tolerance": self.tolerance,
            "class_prior": self.class_prior,
            "threads": self.threads,
            "seed": self.seed,
        }


def _why_even_alone(votes: VoteMatrix) -> str:
    """Return why nothing can be weighed; empty where it can."""
    if votes.n_votes < _LEAST_VOTES or not votes.weights.any():
        return f"{_EVEN}: {votes.n_votes} votes are too few to hold some out (at least {_LEAST_VOTES})"
    cells = votes.n_annotators * votes.n_classes**2
    if cells > _MOST_CELLS:
        size = f"{votes.n_annotators:,} annotators x {votes.n_classes:,} classes make confusions of {cells:,} numbers"
        return f"{_EVEN}: {size}, more than {_MOST_CELLS:,}: they were not fitted"
    return ""


def _fit_all(
    settings: Mapping[str, Any],
    votes: VoteMatrix,
    *,
    gold: Any,
    item_prior: ArrayLike | None,
    start: Fit | None = None,
    wanted: frozenset[str] = _ALL,
) -> dict[str, Fit]:
    """Return the wanted models' fits by name, the one that wins a tie first."""
    fits = {}
    if _EVEN in wanted:
        fits[_EVEN] = OneCoin(**settings).fit(votes, gold=gold, item_prior=item_prior, start=start)
    if wanted & {_BLEND, _OWN}:
        both = Blend(**settings).fit_both(votes, gold=gold, item_prior=item_prior, start=start)
        fits |= dict(zip((_BLEND, _OWN), both, strict=True))
    return {name: fit for name, fit in fits.items() if name in wanted}


def _weigh(votes: VoteMatrix, fit: Callable[[VoteMatrix], Fits], seed: int) -> Selection:
    """Give each model of `fit` its weight by the votes held out from it."""
    counting = without(votes, votes.weights == 0.0)
    cut = Cut(counting, n_parts=_FOLDS, seed=seed)
    parts = list(cut)[: 1 if counting.n_votes >= _ONE_FOLD_VOTES else _FOLDS]
    names: list[str] = []
    tables = []
    for held_out in parts:
        each = fit(without(counting, held_out))
        names = list(each)
        tables.append(np.stack([_foretell(model, counting, held_out) for model in each.values()], axis=1))
    foretold = np.sum(tables, axis=0)
    groups = cut.item_ranks % _GROUPS
    weights = _shares_of_draws(foretold, groups, np.random.default_rng(seed))
    asked = sum(float(counting.weights[held_out].sum()) for held_out in parts)
    return _select(names, foretold.sum(axis=0) / asked, weights, len(parts))


def _shares_of_draws(
    foretold: NDArray[np.float64], groups: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return each model's mean share over bootstrap draws of (items, models) log-likelihoods."""
    sums = np.stack([np.bincount(groups, weights=column, minlength=_GROUPS) for column in foretold.T], axis=1)
    drawn = rng.exponential(size=(_RESAMPLES, _GROUPS)) @ sums
    shares = np.exp(drawn - drawn.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    weights: NDArray[np.float64] = shares.mean(axis=0)
    return weights


def _select(names: list[str], scores: NDArray[np.float64], weights: NDArray[np.float64], n_folds: int) -> Selection:
    by_name = dict(zip(names, scores.tolist(), strict=True))
    weighed = dict(zip(names, weights.tolist(), strict=True))
    chosen = max(weighed, key=lambda name: weighed[name])
    said = ", ".join(f"{name} {by_name[name]:.4f} (weight {weighed[name]:.2f})" for name in names)
    reason = f"{chosen}: a held-out vote has mean log-likelihood {said}"
    return Selection(chosen, MappingProxyType(by_name), n_folds, reason, MappingProxyType(weighed))


def _average(fits: Fits, selection: Selection, seed: int) -> Fit:
    """Return the mean of the fits under the selection's weights."""
    heaviest = fits[selection.chosen]
    weights = [(selection.weights[name], fit) for name, fit in fits.items()]
    posterior = _mean([(weight, fit.posterior_) for weight, fit in weights])
    posterior /= posterior.sum(axis=1, keepdims=True)
    found = heaviest.reliability_
    reliability = Reliabilities(
        found.annotator_ids,
        accuracy=_mean([(weight, fit.reliability_.accuracy) for weight, fit in weights]),
        confusion=_mean([(weight, fit.reliability_.confusion) for weight, fit in weights]),
        n_votes=found.n_votes,
    )
    answers, confidence, ties = decide(posterior, np.random.default_rng(seed))
    return replace(
        heaviest,
        posterior_=posterior,
        answers_=answers,
        confidence_=confidence,
        ties_=ties,
        class_prior_=_mean([(weight, fit.class_prior_) for weight, fit in weights]),
        reliability_=reliability,
        selection_=selection,
    )


def _mean(weighted: list[tuple[float, NDArray[np.float64]]]) -> NDArray[np.float64]:
    total = np.zeros_like(weighted[0][1])
    for weight, values in weighted:
        total += weight * values
    return total


def _foretell(fit: Fit, votes: VoteMatrix, held_out: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the weighted log-likelihood, in nats, of the votes on each item that `fit` has not seen."""
    items, annotators, answers = (codes[held_out] for codes in (votes.items, votes.annotators, votes.answers))
    probability = np.zeros(len(items))
    for true in range(votes.n_classes):
        probability += fit.posterior_[items, true] * fit.reliability_.confusion[annotators, true, answers]
    values = votes.weights[held_out] * np.log(np.maximum(probability, _IMPOSSIBLE))
    sums: NDArray[np.float64] = np.bincount(items, weights=values, minlength=votes.n_items).astype(np.float64)
    return sums
