"""Errors that end a command.

CliError                one line for the user; exit code 2
├── BadUsage            arguments that do not go together
├── BadFile             a file or folder that cannot be read or written; names path and, in a table, line and column
├── NoSuchItem          an item that the job does not have
├── RunIsLive           another live process runs the same folder
├── JobIsSuspended      the job says that it is to rest
└── JobHasFailed        the job stopped with a condition Failed; exit code 1, or 2 when what it was given is wrong
"""

__all__ = ["BadFile", "BadUsage", "CliError", "JobHasFailed", "JobIsSuspended", "NoSuchItem", "RunIsLive"]


class CliError(Exception):
    """What went wrong, where, and what to do, in one line."""

    exit_code = 2


class BadUsage(CliError):
    """Arguments do not go together."""


class BadFile(CliError):
    """A file or folder cannot be read or written, or holds what it must not."""


class NoSuchItem(CliError):
    """The job has no item of that name."""


class RunIsLive(CliError):
    """Another process holds the run's folder."""


class JobIsSuspended(CliError):
    """The job's `run.suspend` is true: nothing runs until it is false."""


class JobHasFailed(CliError):
    """The job cannot go on; `is_bad_input` tells that what it was given has to be mended."""

    exit_code = 1

    def __init__(self, message: str, *, is_bad_input: bool = False) -> None:
        super().__init__(message)
        if is_bad_input:
            self.exit_code = 2
