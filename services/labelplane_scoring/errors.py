"""Errors of the scoring algorithms.

::

    ScoringError                    base; never retried: the input must change
    ├── BadProbabilitiesError       a row is no distribution (NaN, negative, sum is not 1); also a ValueError
    ├── BadCandidatesError          shapes disagree, or a row holds NaN or infinity; also a ValueError
    ├── BadRequestError             a parameter is outside its bounds; also a ValueError
    ├── MissingInputError           the strategy needs an input that the candidates lack; also a ValueError
    └── UnknownStrategyError        no strategy of that name; also a KeyError
"""

__all__ = [
    "BadCandidatesError",
    "BadProbabilitiesError",
    "BadRequestError",
    "MissingInputError",
    "ScoringError",
    "UnknownStrategyError",
]


class ScoringError(Exception):
    """Base of every error that the scoring algorithms raise.

    Attributes:
        retryable: False for the whole tree: the same input fails the same way again.
    """

    retryable: bool = False


class BadProbabilitiesError(ScoringError, ValueError):
    """A row of class probabilities (or logits) is no distribution.

    Attributes:
        row: 0-based number of the first offending row.
    """

    def __init__(self, message: str, *, row: int) -> None:
        super().__init__(message)
        self.row = row


class BadCandidatesError(ScoringError, ValueError):
    """The arrays of a candidate pool do not fit together, or hold values that are not finite."""


class BadRequestError(ScoringError, ValueError):
    """A parameter (a count, a temperature, an exponent) is outside its bounds."""


class MissingInputError(ScoringError, ValueError):
    """A strategy needs an input (probabilities, embeddings, samples) that the candidates lack.

    Attributes:
        strategy: name of the strategy.
        missing: names of the inputs it lacks.
    """

    def __init__(self, message: str, *, strategy: str, missing: tuple[str, ...]) -> None:
        super().__init__(message)
        self.strategy = strategy
        self.missing = missing


class UnknownStrategyError(ScoringError, KeyError):
    """No strategy is registered under a name."""

    def __str__(self) -> str:
        """The message as it is: KeyError would show it quoted."""
        return str(self.args[0])
