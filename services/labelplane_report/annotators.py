"""What there is to say about each annotator."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_core.errors import BadTable
from labelplane_core.tables import is_by_rules, to_matrix
from labelplane_report.columns import FloatArray, one_array
from labelplane_report.data import AnnotatorRow, Bias, Interval, Suspicion
from labelplane_report.intervals import wilson_interval

__all__ = ["annotator_rows", "suspicion"]

_LEAST_BIAS = 0.05
_SIGMAS = 1.96
_RANDOM_KAPPA = 1 / 3


def annotator_rows(
    reliabilities: pa.Table, *, classes: Sequence[str], class_shares: Sequence[float]
) -> tuple[AnnotatorRow, ...]:
    """Return one row for each annotator of a RELIABILITIES table, least accurate first; rules have rows of their own.

    `chance` is the accuracy that the annotator's own mix of answers would reach if it were dealt out at random:
    the sum over classes of (share of the class) x (share of the answer). The interval is Wilson's with the estimated
    accuracy and the annotator's votes; what is not sure about the labels themselves is not in it.

    Args:
        reliabilities: `confusion` is row-major, rows are truth; rows may sum to anything above 0.
        classes: The task's classes.
        class_shares: How frequent each class is; as long as `classes`, 0 or more, of any sum.

    Raises:
        BadTable: A confusion is not classes x classes, or an accuracy is outside [0, 1]; messages name the annotator.
    """
    reliabilities = reliabilities.filter(pc.invert(is_by_rules(reliabilities)))
    names = one_array(reliabilities, "annotator").to_pylist()
    sources = one_array(reliabilities, "source").to_pylist()
    accuracy = one_array(reliabilities, "accuracy").to_numpy(zero_copy_only=False)
    votes = one_array(reliabilities, "n_votes").to_numpy(zero_copy_only=False)
    shares = _normalised(np.asarray(class_shares, dtype=np.float64)[None, :])[0]
    answers = _answer_shares(reliabilities, shares)
    chance = answers @ shares
    rows = []
    for row in np.lexsort((np.arange(len(names)), accuracy)).tolist():
        _check(names[row], float(accuracy[row]))
        n_votes, right = int(votes[row]), float(accuracy[row])
        interval = wilson_interval(right * n_votes, n_votes) if n_votes else None
        rows.append(
            AnnotatorRow(
                annotator=names[row],
                source=sources[row],
                votes=n_votes,
                accuracy=right,
                chance=float(chance[row]),
                interval=interval,
                bias=_bias(answers[row], shares, classes=classes, n_votes=n_votes),
                suspicion=suspicion(interval, chance=float(chance[row])),
            )
        )
    return tuple(rows)


def suspicion(interval: Interval | None, *, chance: float) -> Suspicion | None:
    """Return what an annotator's accuracy gives reason to ask, given what answers at random would reach.

    - The whole interval below chance: worse than random (a misunderstanding, or two classes exchanged).
    - Otherwise, an interval that ends below a third of the way from chance to 1 (Cohen's kappa surely under one third):
      answers at random. Reliabilities are drawn to the crowd's, so a spammer's estimate stands somewhat above chance.
    - Otherwise, an interval with chance inside: too few votes to tell.
    """
    if interval is None:
        return Suspicion.TOO_FEW_VOTES
    if interval.high < chance:
        return Suspicion.WORSE_THAN_RANDOM
    if interval.high < chance + (1 - chance) * _RANDOM_KAPPA:
        return Suspicion.RANDOM
    return Suspicion.TOO_FEW_VOTES if interval.low <= chance else None


def _answer_shares(reliabilities: pa.Table, shares: FloatArray) -> FloatArray:
    """Return (annotators, classes): how often each annotator would give each answer to items of these class shares."""
    size, count = len(shares), len(reliabilities)
    matrix = to_matrix(one_array(reliabilities, "confusion"), key="reliabilities")
    if count and matrix.shape[1] != size * size:
        raise BadTable(
            f"reliabilities: confusion has {matrix.shape[1]} values for {size} classes, {size * size} wanted"
        )
    rows = _normalised(matrix.reshape(count * size, size)).reshape(count, size, size)
    answers: FloatArray = np.einsum("j,ajk->ak", shares, rows)
    return answers


def _normalised(rows: FloatArray) -> FloatArray:
    """Return rows that sum to 1; a row of zeros becomes even."""
    sums: FloatArray = rows.sum(axis=1, keepdims=True)
    even = np.full_like(rows, 1 / max(rows.shape[1], 1), dtype=np.float64)
    shares: FloatArray = np.divide(rows, sums, out=even, where=sums > 0)
    return shares


def _bias(answers: FloatArray, shares: FloatArray, *, classes: Sequence[str], n_votes: int) -> Bias | None:
    """Return the class that is given too often, by more than 5 points and than sampling explains, if any."""
    excess = answers - shares
    worst = int(excess.argmax())
    noise = _SIGMAS * np.sqrt(shares[worst] * (1 - shares[worst]) / max(n_votes, 1))
    return Bias(classes[worst], float(excess[worst])) if excess[worst] > max(_LEAST_BIAS, noise) else None


def _check(name: str, accuracy: float) -> None:
    if not 0 <= accuracy <= 1:
        raise BadTable(f"reliabilities: annotator {name!r} has accuracy {accuracy}, which is not between 0 and 1")
