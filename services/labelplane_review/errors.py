"""Errors of the review service.

LabelplaneError
├── ApiServerAway           retryable: the API server does not answer a front, or not with what was asked for
├── InvalidInput
│   ├── MissingTruth        the simulated crowd is asked about an item whose truth is not known
│   ├── CrowdTooSmall       more votes are wanted for an item than the simulated crowd has annotators
│   └── BadVotesFolder      the folder of votes cannot be read or written
└── LabelStudioError        what Label Studio does not let us do; the connector tells of it and tries again
    ├── LabelStudioAway     retryable: no answer, or one that says to come again
    ├── TokenRefused        the token is wrong, has run out, or may not do this
    ├── NotFoundThere       a project or task is not there (any more)
    └── RequestRefused      the server does not take what it is sent, or answers something else than it is known to
"""

from labelplane_core.errors import ErrorCode, InvalidInput, LabelplaneError

__all__ = [
    "ApiServerAway",
    "BadVotesFolder",
    "CrowdTooSmall",
    "LabelStudioAway",
    "LabelStudioError",
    "MissingTruth",
    "NotFoundThere",
    "RequestRefused",
    "TokenRefused",
]


class MissingTruth(InvalidInput):
    """The simulated crowd needs the truth of every item that it is asked about."""

    reason = "MissingTruth"


class CrowdTooSmall(InvalidInput):
    """More votes are wanted for an item than the simulated crowd has annotators."""

    reason = "CrowdTooSmall"


class BadVotesFolder(InvalidInput):
    """The folder of votes cannot be read or written."""

    reason = "BadVotesFolder"


class LabelStudioError(LabelplaneError):
    """What Label Studio does not let us do."""

    reason = "LabelStudioError"
    code = ErrorCode.UNAVAILABLE


class LabelStudioAway(LabelStudioError):
    """The server does not answer, or says to come again."""

    reason = "LabelStudioAway"
    retryable = True


class TokenRefused(LabelStudioError):
    """The token is wrong, has run out, or may not do this."""

    reason = "TokenRefused"


class NotFoundThere(LabelStudioError):
    """A project or task is not there, or not any more."""

    reason = "NotFoundThere"


class RequestRefused(LabelStudioError):
    """The server does not take what it is sent, or answers something else than it is known to."""

    reason = "RequestRefused"


class ApiServerAway(LabelplaneError):
    """The API server does not answer, or not with what was asked for: later it may."""

    reason = "ApiServerAway"
    retryable = True
