"""How much two rounds' predictions agree, as stop rules need it.

Nothing here decides: the figures go into the round's status, and a policy stops the job. Measure on a fixed set of
items that does not depend on what was picked (Bloodgood and Vijay-Shanker's *stop set*), else the figures are biased.

Source: M. Bloodgood, K. Vijay-Shanker, "A Method for Stopping Active Learning Based on Stabilizing Predictions and the
Need for User-Adjustable Stopping", CoNLL 2009, section 3; J. Cohen, "A Coefficient of Agreement for Nominal Scales",
1960.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from labelplane_scoring.errors import BadRequestError

__all__ = ["Stability", "cohen_kappa", "equal_share", "prediction_stability"]


@dataclass(frozen=True, slots=True)
class Stability:
    """Agreement of two rounds' predictions.

    Attributes:
        equal_share: share of items with the same prediction, 0 to 1.
        kappa: Cohen's kappa, at most 1; 0 is what chance gives.
        items: number of items compared.
    """

    equal_share: float
    kappa: float
    items: int


def equal_share(previous: npt.ArrayLike, current: npt.ArrayLike) -> float:
    """Share of items that both rounds predict alike, 0 to 1.

    It is easily high when one class dominates: two models that never see the rare class agree on nearly everything.
    Read `cohen_kappa` beside it.

    Args:
        previous: (N,) predicted classes, of any type that compares; N >= 1.
        current: (N,) predicted classes of the same items in the same order.

    Raises:
        BadRequestError: the two are not vectors of one length, or are empty.

    Complexity: O(N).
    """
    before, after = _pair(previous, current)
    return float(np.mean(before == after))


def cohen_kappa(previous: npt.ArrayLike, current: npt.ArrayLike) -> float:
    """Cohen's kappa of two rounds' predictions: (A_o - A_e) / (1 - A_e).

    A_o is the observed share of equal predictions; A_e the share that two independent predictors with the same class
    frequencies would reach. Bloodgood and Vijay-Shanker stop when the mean over the last three rounds is 0.99 or more.
    Where both rounds predict one and the same class for every item A_e is 1 and the quotient undefined: the predictions
    are equal, so 1.0 is returned.

    Args and errors are those of `equal_share`. Complexity: O(N log N), for the classes are found by sorting.
    """
    before, after = _pair(previous, current)
    classes, codes = np.unique(np.concatenate([before, after]), return_inverse=True)
    shares_before = np.bincount(codes[: len(before)], minlength=len(classes)) / len(before)
    shares_after = np.bincount(codes[len(before) :], minlength=len(classes)) / len(after)
    expected = float(shares_before @ shares_after)
    if len(classes) == 1:
        return 1.0
    return (float(np.mean(before == after)) - expected) / (1.0 - expected)


def prediction_stability(previous: npt.ArrayLike, current: npt.ArrayLike) -> Stability:
    """Both measures at once; args and errors are those of `equal_share`."""
    return Stability(
        equal_share=equal_share(previous, current), kappa=cohen_kappa(previous, current), items=int(np.size(current))
    )


def _pair(previous: npt.ArrayLike, current: npt.ArrayLike) -> tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]:
    before, after = np.asarray(previous), np.asarray(current)
    if before.ndim != 1 or before.shape != after.shape:
        raise BadRequestError(
            f"predictions have shapes {before.shape} and {after.shape}: "
            "give one vector for each round, of the same items in the same order"
        )
    if before.size == 0:
        raise BadRequestError("no predictions to compare: the stop set is empty")
    return before, after
