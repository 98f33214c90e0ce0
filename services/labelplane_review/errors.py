"""Errors of the review service.

LabelplaneError
├── ApiServerAway           the API server does not answer a front, or not with what was asked for
└── InvalidInput
    ├── MissingTruth        the simulated crowd is asked about an item whose truth is not known
    ├── CrowdTooSmall       more votes are wanted for an item than the simulated crowd has annotators
    └── BadVotesFolder      the folder of votes cannot be read or written
"""

from labelplane_core.errors import InvalidInput, LabelplaneError

__all__ = ["ApiServerAway", "BadVotesFolder", "CrowdTooSmall", "MissingTruth"]


class MissingTruth(InvalidInput):
    """The simulated crowd needs the truth of every item that it is asked about."""

    reason = "MissingTruth"


class CrowdTooSmall(InvalidInput):
    """More votes are wanted for an item than the simulated crowd has annotators."""

    reason = "CrowdTooSmall"


class BadVotesFolder(InvalidInput):
    """The folder of votes cannot be read or written."""

    reason = "BadVotesFolder"


class ApiServerAway(LabelplaneError):
    """The API server does not answer, or not with what was asked for: later it may."""

    reason = "ApiServerAway"
    retryable = True
