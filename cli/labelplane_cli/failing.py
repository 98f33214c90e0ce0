"""How a command fails: one line for each thing that is wrong, and a code for scripts."""

import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from labelplane_cli.errors import CliError
from labelplane_cli.terminal import error_output, one_line

__all__ = ["Session", "error_lines", "report_failure"]

_BAD_INPUT: Final = 2
_FAULT: Final = 70
"""EX_SOFTWARE of sysexits.h: labelplane itself is wrong."""


@dataclass(slots=True)
class Session:
    """What the global options say."""

    debug: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """What people read, and the code that scripts read."""

    lines: Sequence[str]
    exit_code: int = _BAD_INPUT


def report_failure(error: Exception, session: Session) -> int:
    """Print why a command failed, with its traceback when `--debug` was given, and return its exit code."""
    if session.debug:
        traceback.print_exception(error, file=sys.stderr)
    failure = error_lines(error)
    console = error_output()
    for line in failure.lines:
        console.print(one_line(line), style="red" if console.is_terminal else None)
    return failure.exit_code


def error_lines(error: Exception) -> Failure:
    """Return one line for each problem that an error names. An error inside a group counts, not the group."""
    cause = next(_leaves(error))
    if isinstance(cause, CliError):
        return Failure([str(cause)], cause.exit_code)
    if hasattr(cause, "format_message"):  # a usage error of the argument parser
        return Failure([_usage_line(cause)])
    return _of_packages(cause) or _of_system(cause) or _fault(cause)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _usage_line(error: BaseException) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "labelplane"
    message = str(error.format_message()).rstrip(".")  # type: ignore[attr-defined]
    return f"{command}: {message[:1].lower()}{message[1:]}: see {command} --help"


def _of_packages(error: BaseException) -> Failure | None:
    """Return the failure of an error that one of labelplane's packages raises on purpose."""
    from labelplane_aggregation.errors import AggregationError
    from labelplane_api.errors import JobFileError, LabelplaneApiError, NotSupportedError, SpecInvalidError
    from labelplane_core.errors import LabelplaneError

    match error:
        case JobFileError():
            return Failure(error.lines)
        case SpecInvalidError():
            return Failure([problem.message for problem in error.problems])
        case NotSupportedError():
            return Failure([f"not supported yet: {field}: leave it out of the job" for field in error.fields])
        case LabelplaneApiError() | LabelplaneError() | AggregationError():
            return Failure([str(error)])
    return None


def _of_system(error: BaseException) -> Failure | None:
    """Return the failure of a file that the system refuses."""
    if not isinstance(error, OSError) or error.filename is None:
        return None
    return Failure([f"{error.filename}: {error.strerror}: give a file or folder that you may read and write"])


def _fault(error: BaseException) -> Failure:
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    text = f"{type(error).__name__}: {error}{where}"
    return Failure([f"labelplane is at fault: {text}: run it again with --debug and report what it shows"], _FAULT)
