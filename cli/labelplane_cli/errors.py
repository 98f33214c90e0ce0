"""Errors that end a command.

CliError                one line for the user; exit code 2
├── RunIsLive           another live process runs the same folder
└── JobHasFailed        the job stopped with a condition Failed
"""

__all__ = ["CliError", "JobHasFailed", "RunIsLive"]


class CliError(Exception):
    """What went wrong, where, and what to do, in one line."""

    exit_code = 2


class RunIsLive(CliError):
    """Another process holds the run's folder."""


class JobHasFailed(CliError):
    """The job cannot go on."""

    exit_code = 1
