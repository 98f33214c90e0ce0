"""Annotators that abstain and may repeat one another, as rules do: a label model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from labelplane_aggregation.models._class_rows import ClassRows
from labelplane_aggregation.models._climb import Climb, climb
from labelplane_aggregation.models._copies import Copies
from labelplane_aggregation.models._em import Bounds, ClimbingModel, Estimate
from labelplane_aggregation.models._pooling import right_share
from labelplane_aggregation.models._steps import Steps
from labelplane_aggregation.models.one_coin import spread_evenly
from labelplane_aggregation.models.votes import VoteMatrix

__all__ = ["Abstention", "LabelModel"]

FloatArray = NDArray[np.float64]


_COIN_STEPS = 5
"""EM steps of the coarse model that give the prior mean; more changed no label."""

_CLIMBS = 4
"""Climbs between which the weights of annotators that repeat others are looked at anew."""

_SETTLED = 0.02
"""Change of a weight that is worth another climb."""

_POOLED_MASS = 4.0
"""Votes by which the coarse model draws an annotator to all annotators."""

_SUREST = 0.999
_SMALLEST = 1e-9


class Abstention(StrEnum):
    """What silence says."""

    INFORMATIVE = "informative"
    """A rule is silent more often on some classes than on others, and both its votes and its silence tell of that."""
    IGNORED = "ignored"
    """An annotator was not asked, or left the item for reasons that have nothing to do with its class."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LabelModel(ClimbingModel):
    r"""Every rule votes for some class or abstains, as often as the item's class makes it; copies count once.

    Model. Item j has class y_j ~ pi. Rule i votes l on an item of class k with probability theta_i[k, l], and abstains
    with s_i[k] = 1 - sum_l theta_i[k, l], independently given the class. A rule that only ever votes one class says
    much: it votes more often on items of that class. (A confusion matrix, which describes answers *given* that there is
    one, finds no evidence in such votes.) With `abstention="ignored"` only answers count: rows sum to one without s, as
    in `DawidSkene`.

    A vote of weight w is w votes and 1 - w silences, above 1 one vote. (With "ignored" it counts w times.)

    Weights. Rules are seldom independent: one is a copy of another, or both look for the same words. `Copies` finds
    pairs that agree more than the class explains and gives each rule a weight w_i, so that k copies count about once.

    Prior mean. f_i[k, l]: a coarse model, P(class = l | i votes l) for each rule and answer and other classes by their
    shares, is fitted first (five EM steps from the vote shares), each drawn by four votes to the odds that the votes of
    all rules have. theta_i then has the prior of `shrinkage_mass` votes, spread as f_i. Both are held through a climb.

    Objective, recorded in each iteration:

        F = sum_j log sum_k pi[k] prod_i (theta_i[k, z_ij] or s_i[k])^w_i
          + sum_i w_i (sum_kl a_i[k, l] log theta_i[k, l] + sum_k b_i[k] log s_i[k]) + sum_k class_smoothing log pi[k]

    with a and b the pseudo-votes and pseudo-silences of the prior. F never falls within a climb: the steps are those of
    EM with a prior, each in closed form. Between climbs the weights are looked at anew, and it climbs again from the
    posterior it has, at most four times; what is recorded is the last climb. O((votes + items) x classes + annotators x
    classes^2 + annotators^2 x classes^2) an iteration of the coarse model, the same without the last term after it;
    memory O(votes + items x classes + annotators x classes^2).

    `Reliability.accuracy` is how often a rule is right *where it votes*; its confusion is theta_i with rows scaled to
    one. Items without any vote are left to silence where the votes list them (`VoteMatrix.item_ids`); a frame lists
    none, and then everything is said of items with at least one vote.

    Source: A. Ratner et al., Data Programming, NeurIPS 2016, and Training Complex Models with Multi-Task Weak
    Supervision, AAAI 2019 (the model of class-conditional votes and silences; there fitted by moments, here by EM).

    Attributes:
        max_iterations: of one climb, at least 1.
        tolerance: it has converged when an iteration raises the objective by at most this share of it (of 1 nat, when
            it is smaller than that); 0 runs on until nothing rises.
        abstention: what silence says, see `Abstention`.
        discount_copies: whether rules that repeat others count less.
        shrinkage_mass: votes of a rule that its prior mean weighs, above 0.
        class_prior: "learned", "uniform", or probabilities in the order of the classes.
        class_smoothing: pseudo-items of every class in a learned prior, above 0.
        threads: at most this many; None: by the number of votes. The result is the same bit for bit.
        seed: of the generator that breaks exact ties between posteriors.

    Example:
        >>> votes = {"item": [1, 1, 2, 2], "annotator": ["x", "y", "x", "z"], "label": ["cat", "cat", "dog", "dog"]}
        >>> LabelModel().fit(votes).labels_.to_pylist()
        ['cat', 'dog']
    """

    _goes_on: ClassVar[bool] = False
    """Its weights change what it climbs, so two fits cannot be compared by it: it begins anew."""

    abstention: Abstention | str = Abstention.INFORMATIVE
    discount_copies: bool = True
    shrinkage_mass: float = 30.0

    def _bounds(self) -> Bounds:
        return {
            "abstention": (self.abstention in set(Abstention), f"one of {', '.join(Abstention)}"),
            "shrinkage_mass": (0.0 < self.shrinkage_mass < np.inf, "above 0"),
        }

    def _estimate(
        self, votes: VoteMatrix, known: NDArray[np.int32], rows: ClassRows, start: FloatArray | None
    ) -> Estimate:
        votes = self._countable(votes)
        with Steps(votes, known, threads=self.threads) as steps:
            steps.posterior[:] = votes.shares()
            steps.clamp()
            steps.tally()
            rules = _Rules(self, votes, steps)
            rules.toss(rows)
            steps.go_on_from(start)
            climbed = self._climb(rules, rows)
        return Estimate(steps.posterior, rules.confusion(), climbed, accuracy=rules.accuracy())

    def _countable(self, votes: VoteMatrix) -> VoteMatrix:
        """Return the votes so that what a vote lacks of 1 is silence."""
        if self.abstention == Abstention.IGNORED or votes.weights.max() <= 1.0:
            return votes
        return replace(votes, weights=np.minimum(votes.weights, 1.0))

    def _climb(self, rules: _Rules, rows: ClassRows) -> Climb:
        def step() -> tuple[float, float]:
            penalty = rules.maximise() + rows.maximise(rules.totals)
            return rules.expect(rows.log_rows), penalty

        for number in range(_CLIMBS):
            climbed = climb(step, max_iterations=self.max_iterations, tolerance=self.tolerance)
            if number == _CLIMBS - 1 or not rules.reweigh():
                break
        return climbed


class _Rules:
    """How often each rule votes what on which class, and how much it counts.

    Tables are (annotators, answers, true classes), as `Steps` has them.
    """

    def __init__(self, model: LabelModel, votes: VoteMatrix, steps: Steps) -> None:
        self._votes, self._steps = votes, steps
        self._mass = model.shrinkage_mass
        self._is_informative = model.abstention == Abstention.INFORMATIVE
        self._copies = Copies(votes) if model.discount_copies else None
        self._given: FloatArray = steps.counts.sum(axis=2)
        self._has_votes = self._given.sum(axis=1) > 0.0
        self._weights = self._has_votes.astype(np.float64)
        self._pseudo_votes = np.zeros_like(steps.counts)
        self._pseudo_silence = np.zeros((votes.n_annotators, votes.n_classes))
        self._rates, self._silence = self._pseudo_votes, self._pseudo_silence

    @property
    def totals(self) -> FloatArray:
        """Expected items by class."""
        return self._steps.totals

    @property
    def _shares(self) -> FloatArray:
        """Shares of the classes by the posterior, none 0."""
        sums: FloatArray = self._steps.totals + _SMALLEST
        shares: FloatArray = sums / sums.sum()
        return shares

    def toss(self, rows: ClassRows) -> None:
        """Fit the coarse model, from the vote shares that `Steps` has; leaves its posterior there."""
        if self.reweigh():
            self._share()
            self.reweigh()
        for _ in range(_COIN_STEPS):
            rows.maximise(self.totals)
            self._steps.log_confusion[:] = self._weighted(np.log(self._precision() / self._shares))
            self._steps.expect(rows.log_rows)
            self.reweigh()
        self._hold(self._precision())

    def reweigh(self) -> bool:
        """Look at the rules' weights anew; return whether one has changed enough to go on."""
        if self._copies is None:
            return False
        before = self._weights
        self._weights = self._copies.weights(self._steps.counts, self.totals) * self._has_votes
        return bool(np.abs(self._weights - before).max() > _SETTLED)

    def maximise(self) -> float:
        """Set the rates to their best for expected votes; return their weighted log prior, constants left out."""
        counts = self._steps.counts
        votes = counts + self._pseudo_votes
        if self._is_informative:
            silence = np.maximum(self.totals - counts.sum(axis=1), 0.0) + self._pseudo_silence  # rounding
        else:
            silence = np.zeros_like(self._pseudo_silence)
        sums = votes.sum(axis=1) + silence
        self._rates = votes / sums[:, None, :]
        self._silence = silence / sums if self._is_informative else np.ones_like(silence)
        votes_prior = (self._pseudo_votes * np.log(self._rates)).sum(axis=(1, 2))
        silence_prior = (self._pseudo_silence * np.log(self._silence)).sum(axis=1)
        return float(self._weights @ (votes_prior + silence_prior))

    def expect(self, log_rows: FloatArray) -> float:
        """Set the posterior; return the log-likelihood of votes and silence in nats."""
        silence = np.log(self._silence)
        self._steps.log_confusion[:] = self._weighted(np.log(self._rates) - silence[:, None, :])
        return self._steps.expect(log_rows + self._weights @ silence)

    def confusion(self) -> FloatArray:
        """Return P(answer | true class, a vote), (annotators, true classes, answers)."""
        confusion: FloatArray = (self._rates / self._rates.sum(axis=1, keepdims=True)).transpose(0, 2, 1).copy()
        n_classes = confusion.shape[1]
        confusion[~self._has_votes] = spread_evenly(np.array([self._pooled()]), n_classes)
        return confusion

    def accuracy(self) -> FloatArray:
        """Return how often each annotator is right where it votes."""
        joint = self._rates * self._shares
        precision = np.diagonal(joint, axis1=1, axis2=2) / joint.sum(axis=2)
        right = (precision * self._given).sum(axis=1)
        accuracy = np.full(len(right), self._pooled())
        np.divide(right, self._given.sum(axis=1), out=accuracy, where=self._has_votes)
        return accuracy

    def _weighted(self, logs: FloatArray) -> FloatArray:
        weighted: FloatArray = self._weights[:, None, None] * logs
        return weighted

    def _pooled(self) -> float:
        return right_share(self._steps.counts.sum(axis=0))

    def _share(self) -> None:
        """Set the posterior to the shares of weighted votes."""
        weights = self._votes.weights * self._weights[self._votes.annotators]
        self._steps.posterior[:] = replace(self._votes, weights=weights).shares()
        self._steps.clamp()
        self._steps.tally()

    def _precision(self) -> FloatArray:
        """Return P(true class | a vote for the answer) by the coarse model.

        Where little is known of an annotator, odds of being right exceed the class's own by the factor that all
        annotators have together: a shared precision would make classes rarer that are rare.
        """
        hits = np.diagonal(self._steps.counts, axis1=1, axis2=2)
        shares = self._shares
        odds = shares / np.maximum(1.0 - shares, _SMALLEST)
        usual = odds * self._gain(hits, shares)
        right = (hits + _POOLED_MASS * usual / (1.0 + usual)) / (self._given + _POOLED_MASS)
        right = right.clip(1.0 - _SUREST, _SUREST)
        others = np.maximum(1.0 - shares, _SMALLEST)
        precision = ((1.0 - right) / others)[:, :, None] * shares
        diagonal = np.arange(len(shares))
        precision[:, diagonal, diagonal] = right
        return precision

    def _gain(self, hits: FloatArray, shares: FloatArray) -> float:
        """Return by how much a vote raises the odds of its class, all annotators together; at least 1."""
        counted = self._weights[:, None] * self._given
        right = (float((self._weights[:, None] * hits).sum()) + 1.0) / (float(counted.sum()) + 2.0)
        chance = float((counted * shares).sum()) / max(float(counted.sum()), _SMALLEST)
        chance = min(max(chance, 1.0 - _SUREST), _SUREST)
        return max(right / (1.0 - right) * (1.0 - chance) / chance, 1.0)

    def _hold(self, precision: FloatArray) -> None:
        """Take the coarse model for the prior mean, `shrinkage_mass` votes of each rule in all."""
        shares, n_items = self._shares, max(float(self.totals.sum()), _SMALLEST)
        rates = precision * (self._given / n_items)[:, :, None] / shares
        sums = rates.sum(axis=1, keepdims=True)
        if self._is_informative:
            rates /= np.maximum(sums / _SUREST, 1.0)
            usual = np.maximum(self._given.sum(axis=1) / n_items, 1.0 / n_items).clip(max=1.0)
            items = (self._mass / usual)[:, None] * shares
            self._pseudo_silence = items * (1.0 - rates.sum(axis=1)) + _SMALLEST
        else:
            rates /= np.maximum(sums, _SMALLEST)
            items = np.full((len(rates), 1), self._mass) * shares
        self._pseudo_votes = items[:, None, :] * rates + _SMALLEST
