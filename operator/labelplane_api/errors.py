"""Errors of labelplane_api.

LabelplaneApiError
├── SpecInvalidError       an object does not fit the types or breaks a rule; names every field at fault
├── NotSupportedError      a valid object uses what is not built yet; names every such field
├── JobFileError           a job file cannot be read; one line a problem, each with file and line
└── SchemaError            a type says what a CRD cannot; a fault of ours, found when the CRD is generated
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

NodePath = tuple[str | int, ...]
"""Where something stands in an object: keys and list indices, ("spec", "task", "classes", 0)."""


def path_text(path: Sequence[str | int]) -> str:
    """Write a path as a person does: `spec.sources.humans.simulated.annotators[0].accuracy`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with an object.

    Attributes:
        path: where; may name an absent key.
        message: the path as a person writes it, what is wrong and what to do.
    """

    path: NodePath
    message: str


class LabelplaneApiError(Exception):
    """The base of this package's errors."""

    retryable: ClassVar[bool] = False


class SpecInvalidError(LabelplaneApiError):
    """An object does not fit the types or breaks a rule; only its author can repair it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.message for problem in self.problems))


class NotSupportedError(LabelplaneApiError):
    """A valid object asks for something that is not built yet."""

    def __init__(self, fields: Sequence[str]) -> None:
        self.fields = tuple(fields)
        super().__init__("; ".join(f"not supported yet: {name}" for name in self.fields))


class JobFileError(LabelplaneApiError):
    """A job file cannot be read; `lines` has one line a problem, as `job.yaml:14: what is wrong: what to do`."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("\n".join(self.lines))


class SchemaError(LabelplaneApiError):
    """A type says what a structural schema cannot."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        super().__init__(f"{path}: {reason}" if path else reason)
