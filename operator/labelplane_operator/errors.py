"""What can go wrong in the operator's dealings with the world.

OperatorError
    InvalidSettings     the process's environment: exit code 2
    ApiError            the API server's answer is no success
        ApiConflict     409: somebody was faster, or the object exists
        ApiNotFound     404
        ApiForbidden    403: a right, a quota or an admission rule
            NamespaceEnding     the namespace is being deleted, nothing can be made in it
        ApiInvalid      400, 422: the object is refused as it is
    Blocked             a job waits for people to mend something; its status says what
    NameTaken           a child's name belongs to somebody else's object
    ApiUnavailable      no answer, or "not now": 408, 429, 5xx
    NotLeader           this process may not write any more
    QueueAway           the server of the queues cannot be asked
"""

__all__ = [
    "ApiConflict",
    "ApiError",
    "ApiForbidden",
    "ApiInvalid",
    "ApiNotFound",
    "ApiUnavailable",
    "Blocked",
    "InvalidSettings",
    "NameTaken",
    "NamespaceEnding",
    "NotLeader",
    "OperatorError",
    "QueueAway",
]


class OperatorError(Exception):
    """The base of the operator's own errors."""


class InvalidSettings(OperatorError):
    """The process cannot start as it is told to."""


class ApiError(OperatorError):
    """The API server refused a request; `message` is its own."""

    def __init__(self, request: str, code: int, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(f"{request}: {code}: {message}")


class ApiConflict(ApiError):
    """The object was changed, or made, by somebody else."""


class ApiNotFound(ApiError):
    """There is no such object, or no such kind."""


class ApiForbidden(ApiError):
    """A right is missing, a quota is used up, or an admission rule says no."""


class NamespaceEnding(ApiForbidden):
    """The namespace is being deleted, so nothing can be made in it any more."""


class ApiInvalid(ApiError):
    """The object is refused as it is; sending it again changes nothing."""


class Blocked(OperatorError):
    """A job goes no further until people mend what its status names; it is tried again, ever more seldom."""


class NameTaken(OperatorError):
    """An object that is not the job's bears the name of one of its children."""


class ApiUnavailable(OperatorError):
    """The API server gave no answer, or asks to come back later."""


class NotLeader(OperatorError):
    """The Lease is not held, or not known to be held: nothing may be written."""


class QueueAway(OperatorError):
    """The server of the queues gives no answer, so how deep a queue is is not known."""
