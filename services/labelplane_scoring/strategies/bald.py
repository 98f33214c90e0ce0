"""Pick where the model's samples disagree with one another."""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from labelplane_scoring.errors import BadProbabilitiesError, BadRequestError
from labelplane_scoring.strategies.base import Candidates, Need, ScoringStrategy
from labelplane_scoring.threads import run_over_rows
from labelplane_scoring.uncertainty import FloatArray, check_probabilities

__all__ = ["Bald"]


@dataclass(frozen=True)
class Bald(ScoringStrategy):
    """Mutual information between an item's label and the model's parameters.

    I = H(mean_s p_s) - mean_s H(p_s), computed as mean_s KL(p_s || mean p). That is the same number and never negative;
    the difference of two entropies would lose the small values that most of a pool has.

    Needs S >= 2 stochastic passes (dropout, an ensemble): a single pass has no opinion about its own doubt.

    Source: N. Houlsby et al., "Bayesian Active Learning for Classification and Preference Learning", 2011, section 2;
    Y. Gal, R. Islam, Z. Ghahramani, "Deep Bayesian Active Learning with Image Data", ICML 2017.
    """

    name: ClassVar[str] = "Bald"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.SAMPLES})

    def scores(self, candidates: Candidates) -> FloatArray:
        """(N,) mutual information in nats, float64: 0 to ln min(S, K)."""
        from labelplane_scoring.strategies._kernels import mutual_information_rows

        assert candidates.samples is not None
        if len(candidates.samples) < 2:
            raise BadRequestError(f"Bald got {len(candidates.samples)} samples of each item: it needs 2 or more")
        samples = _as_float(candidates.samples)
        for number, sample in enumerate(samples):
            _check_sample(sample, number)
        out = np.empty(samples.shape[1], dtype=np.float64)
        kernel = partial(_call, mutual_information_rows, samples, out)
        run_over_rows(kernel, len(out), elements_per_row=samples.shape[0] * samples.shape[2])
        return out

    def _describe_missing(self, missing: tuple[str, ...]) -> str:
        return (
            f"{self.name} needs {' and '.join(missing)}: class probabilities (S, N, K) of several stochastic passes, "
            "from a model with dropout or an ensemble; use Entropy or Margin where the model has one answer"
        )


def _as_float(samples: FloatArray) -> FloatArray:
    exact = samples.dtype in (np.float32, np.float16)
    return np.ascontiguousarray(samples, dtype=np.float32 if exact else np.float64)


def _check_sample(sample: FloatArray, number: int) -> None:
    try:
        check_probabilities(sample)
    except BadProbabilitiesError as error:
        raise BadProbabilitiesError(f"sample {number}: {error}", row=error.row) from error


def _call(kernel: Any, samples: FloatArray, out: FloatArray, start: int, stop: int) -> int:
    return int(kernel(samples, start, stop, out))
