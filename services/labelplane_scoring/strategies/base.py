"""What a strategy is given, what it gives back, and the template that every strategy fills in."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from labelplane_scoring.errors import BadCandidatesError, BadRequestError, MissingInputError
from labelplane_scoring.strategies.selection import top_n
from labelplane_scoring.uncertainty import FloatArray, softmax

__all__ = ["BaseStrategy", "Candidates", "Need", "ScoringStrategy", "Selection", "Strategy"]


class Need(StrEnum):
    """An input that a strategy cannot do without; probabilities may also be given as logits."""

    PROBABILITIES = "probabilities"
    EMBEDDINGS = "embeddings"
    SAMPLES = "samples"


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """A pool of N unlabelled items to choose from; an item is its row.

    Arrays are kept by reference and never changed. Give what there is; each strategy says what it `needs`.

    Attributes:
        probabilities: (N, K) class probabilities, or None.
        logits: (N, K) logits, used (by softmax) where no probabilities are given, or None.
        embeddings: (N, D) penultimate features, or raw features at a cold start, or None.
        samples: (S, N, K) class probabilities of S stochastic passes, or None.
        labelled_embeddings: (M, D) embeddings of the items that are labelled already, or None.
        size: N; taken from the arrays, and needed only when none is given.

    Raises:
        BadCandidatesError: the arrays disagree about N or D, or have the wrong number of dimensions.
    """

    probabilities: FloatArray | None = None
    logits: FloatArray | None = None
    embeddings: FloatArray | None = None
    samples: FloatArray | None = None
    labelled_embeddings: FloatArray | None = None
    size: int | None = None

    def __post_init__(self) -> None:
        sizes = {} if self.size is None else {"size": self.size}
        for name, dimensions, axis in (
            ("probabilities", 2, 0),
            ("logits", 2, 0),
            ("embeddings", 2, 0),
            ("samples", 3, 1),
        ):
            array = getattr(self, name)
            if array is not None:
                sizes[name] = _shape(array, name, dimensions)[axis]
        if len(set(sizes.values())) > 1:
            raise BadCandidatesError(f"the arrays disagree about the number of items: {sizes}")
        if not sizes:
            raise BadCandidatesError("no array is given: say how many items there are by size")
        self._check_labelled()
        object.__setattr__(self, "size", int(next(iter(sizes.values()))))

    def __len__(self) -> int:
        """N, the number of items to choose from."""
        assert self.size is not None
        return self.size

    def has(self, need: Need) -> bool:
        """Whether an input is given; logits count as probabilities."""
        if need is Need.PROBABILITIES:
            return self.probabilities is not None or self.logits is not None
        return getattr(self, need.value) is not None

    def class_probabilities(self) -> FloatArray:
        """(N, K) probabilities as given, else the softmax of the logits; not yet checked row by row."""
        if self.probabilities is not None:
            return self.probabilities
        assert self.logits is not None
        return softmax(self.logits)

    def feature_matrix(self) -> FloatArray:
        """(N, D) embeddings as a C-contiguous float matrix, checked to be finite."""
        assert self.embeddings is not None
        return as_finite_matrix(self.embeddings, name="embeddings")

    def _check_labelled(self) -> None:
        if self.labelled_embeddings is None:
            return
        if self.embeddings is None:
            raise BadCandidatesError("labelled_embeddings are given without embeddings: give both")
        labelled = _shape(self.labelled_embeddings, "labelled_embeddings", 2)
        if labelled[1] != self.embeddings.shape[1]:
            raise BadCandidatesError(
                f"labelled_embeddings have {labelled[1]} dimensions, embeddings {self.embeddings.shape[1]}: "
                "both must come from one encoder"
            )


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """What a strategy picked.

    Attributes:
        indices: (n,) int64 rows of the candidates, all different, in the order of picking.
        scores: (n,) what spoke for each at the moment it was picked; larger is better, the unit is the strategy's.
        reason: name of the strategy.
    """

    indices: npt.NDArray[np.int64]
    scores: FloatArray
    reason: str


@runtime_checkable
class Strategy(Protocol):
    """Chooses the items whose labels are worth most."""

    @property
    def name(self) -> str:
        """The name it is registered under; becomes `Selection.reason`."""
        ...

    @property
    def needs(self) -> frozenset[Need]:
        """Inputs without which `query` raises `MissingInputError`."""
        ...

    def query(self, candidates: Candidates, n: int, *, rng: np.random.Generator) -> Selection:
        """Pick `min(n, N)` different rows."""
        ...


class BaseStrategy(ABC):
    """The template: `query` checks and clips, a subclass picks.

    Every strategy under it keeps these promises (the conformance suite in the tests holds each to them): rows are
    unique; one seed gives one answer; equal items are told apart by the generator alone, never by their order; inputs
    stay as they were; n above N gives all N; an empty pool or n = 0 gives an empty selection.
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[Need]]

    def query(self, candidates: Candidates, n: int, *, rng: np.random.Generator) -> Selection:
        """Pick the `min(n, N)` most valuable candidates.

        Args:
            candidates: the pool; must have what `needs` names.
            n: number of items to pick, 0 or more.
            rng: breaks ties and makes whatever draw the strategy is made of.

        Raises:
            MissingInputError: the candidates lack an input.
            BadProbabilitiesError: a row of probabilities, logits or samples is no distribution.
            BadCandidatesError: an embedding is not finite.
            BadRequestError: n is negative.
        """
        if n < 0:
            raise BadRequestError(f"{self.name} was asked for {n} items: ask for 0 or more")
        missing = tuple(sorted(need.value for need in self.needs if not candidates.has(need)))
        if missing:
            raise MissingInputError(self._describe_missing(missing), strategy=self.name, missing=missing)
        count = min(n, len(candidates))
        if count == 0:
            return Selection(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.float64), self.name)
        indices, scores = self._pick(candidates, count, rng)
        return Selection(indices, scores, self.name)

    @abstractmethod
    def _pick(
        self, candidates: Candidates, n: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Return n different rows in picking order and their scores; 1 <= n <= N."""

    def _describe_missing(self, missing: tuple[str, ...]) -> str:
        return f"{self.name} needs {' and '.join(missing)}, which the candidates lack: choose a model that gives them"


class ScoringStrategy(BaseStrategy):
    """A strategy that gives each item a score of its own and takes the n largest; ties are drawn at random."""

    @abstractmethod
    def scores(self, candidates: Candidates) -> FloatArray:
        """(N,) score of each candidate; larger is picked first."""

    def _pick(
        self, candidates: Candidates, n: int, rng: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], FloatArray]:
        scores = self.scores(candidates)
        indices = top_n(scores, n, rng=rng)
        return indices, scores[indices]


def as_finite_matrix(values: npt.ArrayLike, *, name: str) -> FloatArray:
    """Return the values as a C-contiguous float32 or float64 matrix, without a copy where they are one.

    Raises:
        BadCandidatesError: a row holds NaN or infinity; the error names the first one.
    """
    from labelplane_scoring.strategies._kernels import first_row_not_finite

    array: npt.NDArray[Any] = np.asarray(values)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32 if array.dtype == np.float16 else np.float64)
    array = np.ascontiguousarray(array)
    row = int(first_row_not_finite(array))
    if row >= 0:
        raise BadCandidatesError(f"{name} row {row} holds NaN or infinity: {array[row, :8]}")
    return array


def _shape(array: FloatArray, name: str, dimensions: int) -> tuple[int, ...]:
    if array.ndim != dimensions:
        raise BadCandidatesError(f"{name} have shape {array.shape}: they must have {dimensions} dimensions")
    return array.shape
