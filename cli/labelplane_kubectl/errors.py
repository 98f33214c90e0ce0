"""Errors that end a command of the plugin.

CliError (labelplane_cli)   one line for the user; exit code 2
├── KubectlMissing          there is no kubectl to call
├── KubectlFailed           kubectl refuses, or cannot reach its cluster; in its own words
├── NotInstalled            the cluster knows no LabelingJobs
├── NoSuchJob               the namespace has no job of that name
├── UnreadableJob           another version wrote what this one cannot read
├── NoSuchRound             the status does not list a round
├── NoLogs                  no container of the job has anything to read
├── NotNow                  the job is not in a state in which this makes sense
└── TookTooLong             what `--wait` waits for has not come in time; exit code 1
"""

from labelplane_cli.errors import CliError

__all__ = [
    "KubectlFailed",
    "KubectlMissing",
    "NoLogs",
    "NoSuchJob",
    "NoSuchRound",
    "NotInstalled",
    "NotNow",
    "TookTooLong",
    "UnreadableJob",
]


class KubectlMissing(CliError):
    """There is no kubectl to call."""


class KubectlFailed(CliError):
    """kubectl refuses, or cannot reach its cluster."""


class NotInstalled(CliError):
    """The cluster knows no LabelingJobs."""


class NoSuchJob(CliError):
    """The namespace has no job of that name."""


class UnreadableJob(CliError):
    """Another version wrote what this one cannot read."""


class NoSuchRound(CliError):
    """The status does not list a round."""


class NoLogs(CliError):
    """No container of the job has anything to read."""


class NotNow(CliError):
    """The job is not in a state in which this makes sense."""


class TookTooLong(CliError):
    """What `--wait` waits for has not come in time."""

    exit_code = 1
