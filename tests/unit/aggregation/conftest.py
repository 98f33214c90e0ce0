"""Crowds with known truth and known confusions, drawn from a seed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pytest
from numpy.typing import NDArray


@dataclass(frozen=True)
class Crowd:
    """Votes as codes, with what produced them."""

    items: NDArray[np.int64]
    annotators: NDArray[np.int64]
    answers: NDArray[np.int64]
    truth: NDArray[np.int64]
    confusion: NDArray[np.float64]
    n_classes: int

    @property
    def classes(self) -> list[str]:
        return [f"class-{k:02d}" for k in range(self.n_classes)]

    def frame(self) -> dict[str, list[Any]]:
        """The votes as a dict of lists; ids sort as their codes do."""
        return {
            "item": [f"item-{j:06d}" for j in self.items],
            "annotator": [f"annotator-{i:04d}" for i in self.annotators],
            "label": [f"class-{k:02d}" for k in self.answers],
        }

    def gold(self, n_items: int) -> dict[str, str]:
        return {f"item-{j:06d}": f"class-{self.truth[j]:02d}" for j in range(n_items)}

    def error(self, answers: NDArray[np.int32]) -> float:
        return float((answers != self.truth).mean())


@dataclass(frozen=True)
class CrowdBuilder:
    seed: int = 0
    n_items: int = 60
    n_votes: int = 3
    n_annotators: int = 15
    n_classes: int = 4
    right: tuple[float, float] = (0.7, 0.7)
    n_spammers: int = 0

    def items(self, n_items: int, *, votes: int = 3) -> Self:
        return replace(self, n_items=n_items, n_votes=votes)

    def annotators(self, n_annotators: int, *, spammers: int = 0) -> Self:
        return replace(self, n_annotators=n_annotators, n_spammers=spammers)

    def classes(self, n_classes: int) -> Self:
        return replace(self, n_classes=n_classes)

    def accuracy(self, low: float, high: float | None = None) -> Self:
        return replace(self, right=(low, low if high is None else high))

    def build(self) -> Crowd:
        """Symmetric errors; the first `n_spammers` annotators answer at random."""
        rng = np.random.default_rng(self.seed)
        accuracy = rng.uniform(*self.right, self.n_annotators)
        accuracy[: self.n_spammers] = 1.0 / self.n_classes
        others = ((1.0 - accuracy) / max(self.n_classes - 1, 1))[:, None, None]
        confusion = np.where(np.eye(self.n_classes, dtype=bool), accuracy[:, None, None], others)
        confusion /= confusion.sum(axis=2, keepdims=True)
        truth = rng.integers(0, self.n_classes, self.n_items)
        annotators = np.argsort(rng.random((self.n_items, self.n_annotators)), axis=1)[:, : self.n_votes].ravel()
        items = np.repeat(np.arange(self.n_items), self.n_votes)
        steps = confusion[annotators, truth[items]].cumsum(axis=1)
        answers = (rng.random(len(items))[:, None] > steps).sum(axis=1).clip(max=self.n_classes - 1)
        return Crowd(items, annotators, answers, truth, confusion, self.n_classes)


@pytest.fixture(scope="session")
def make_crowd() -> Callable[[int], CrowdBuilder]:
    return lambda seed=0: CrowdBuilder(seed=seed)
