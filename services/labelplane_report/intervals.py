"""Intervals of a share that was counted."""

import math
from statistics import NormalDist

from labelplane_report.data import Interval, Proportion
from labelplane_report.errors import BadReportData

__all__ = ["proportion", "wilson_interval"]


def wilson_interval(right: float, total: float, *, confidence: float = 0.95) -> Interval:
    """Return Wilson's score interval of the share `right / total`.

    Unlike the normal interval it stays inside [0, 1] and keeps its width when every trial, or none, was right.

    Args:
        right: Successes; 0 to `total`. It need not be whole: an estimated accuracy times its votes will do.
        total: Trials; above 0.
        confidence: Coverage aimed at; between 0 and 1, both excluded.

    Raises:
        BadReportData: A number is outside its bounds.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    if not 0 < confidence < 1:
        raise BadReportData(f"confidence must lie between 0 and 1, got {confidence}")
    if not (total > 0 and 0 <= right <= total):
        raise BadReportData(f"an interval needs 0 <= right <= total and total > 0, got right {right} of {total}")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share, weight = right / total, z * z / total
    centre = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / total + weight / (4 * total)) / (1 + weight)
    # At 0 and 1 the bound is exact; rounding must not move it past the share itself.
    return Interval(low=min(max(centre - half, 0.0), share), high=max(min(centre + half, 1.0), share))


def proportion(right: int, total: int) -> Proportion | None:
    """Return `right` of `total` with its 95 % interval, or None when nothing was counted."""
    return Proportion(right, total, wilson_interval(right, total)) if total else None
