"""The HTTP contract for tools: every operation with its types and errors. Handlers and documentation both read it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import BaseModel

from labelplane_review.web import messages

__all__ = ["JOB_SEGMENT", "OPERATIONS", "ErrorCase", "Operation", "Right", "problems_of"]


JOB_SEGMENT: Final = "{job}"
"""Where a path names its job."""


class Right(StrEnum):
    """Who may call."""

    ANYBODY = "anybody"
    ANNOTATOR = "annotator"
    ADJUDICATOR = "adjudicator"
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class ErrorCase:
    """An answer that is no success."""

    status: int
    reason: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One call.

    Attributes:
        name: what clients call it, and the method of `Tools` that answers it.
        method: GET or POST.
        path: below the server's address; `{job}` is the job's name.
        summary: what it does, in one sentence.
        right: who may call it.
        sent: the query of a GET, the body of a POST.
        answer: what a 200 carries.
        errors: those that it has besides the common ones.
    """

    name: str
    method: str
    path: str
    summary: str
    right: Right
    sent: type[BaseModel]
    answer: type[BaseModel]
    errors: tuple[ErrorCase, ...] = ()

    @property
    def is_of_a_job(self) -> bool:
        """Whether the path names a job."""
        return JOB_SEGMENT in self.path


_WRONG_TOKEN: Final = ErrorCase(401, "WrongToken", "The bearer token is not the owner's.")
_NO_ACCESS: Final = ErrorCase(403, "NoAccess", "Neither a token nor the cookie of a link came with the call.")
_UNKNOWN_JOB: Final = ErrorCase(404, "UnknownJob", "There is no job of that name.")
_UNAVAILABLE: Final = ErrorCase(503, "UNAVAILABLE", "The job's services or its store are away: send it again.")
_INVALID: Final = ErrorCase(400, "InvalidInput", "A field is missing, out of bounds or not known: it is named.")
_FOREIGN: Final = ErrorCase(403, "ForeignCall", "The body is not application/json, or another site's page sent it.")
_TOO_LARGE: Final = ErrorCase(413, "TooLarge", "The body has more than 1 MB: send less at once.")
_NOT_PREPARED: Final = ErrorCase(503, "NotPrepared", "The data set is not indexed yet: send it again later.")
_UNKNOWN_ITEM: Final = ErrorCase(404, "UnknownItem", "The data set has no item of that id.")
_OWNER_ONLY: Final = ErrorCase(403, "OwnerOnly", "The caller came in by a guest's link.")
_NOT_ADJUDICATOR: Final = ErrorCase(403, "NotAdjudicator", "The caller is neither owner nor named as adjudicator.")
_JOB_IS_OVER: Final = ErrorCase(409, "JobIsOver", "The job has ended: nothing that comes now would reach its labels.")
_BAD_DECISION: Final = ErrorCase(
    400, "BadDecision", "The label is none of the job's, or the id was used for something else."
)
_NOBODY_ASKED: Final = ErrorCase(409, "NobodyAsked", "No round has asked people about the item.")

_JOB: Final = f"/api/v1/jobs/{JOB_SEGMENT}"

OPERATIONS: Final[tuple[Operation, ...]] = (
    Operation(
        name="list_jobs",
        method="GET",
        path="/api/v1/jobs",
        summary="Lists the jobs that this server shows.",
        right=Right.ANYBODY,
        sent=messages.NoQuery,
        answer=messages.JobList,
    ),
    Operation(
        name="get_job",
        method="GET",
        path=_JOB,
        summary="Tells where a job stands.",
        right=Right.ANYBODY,
        sent=messages.NoQuery,
        answer=messages.Job,
    ),
    Operation(
        name="list_tasks",
        method="GET",
        path=f"{_JOB}/tasks",
        summary="Lists the items that want votes.",
        right=Right.ANNOTATOR,
        sent=messages.TaskQuery,
        answer=messages.TaskPage,
    ),
    Operation(
        name="get_item",
        method="GET",
        path=f"{_JOB}/items",
        summary="Tells how an item is shown.",
        right=Right.ANNOTATOR,
        sent=messages.ItemQuery,
        answer=messages.Item,
        errors=(_UNKNOWN_ITEM, _NOT_PREPARED),
    ),
    Operation(
        name="push_votes",
        method="POST",
        path=f"{_JOB}/votes",
        summary="Takes votes of others in; those accepted are durable when it answers.",
        right=Right.OWNER,
        sent=messages.PushedVotes,
        answer=messages.Receipt,
        errors=(_JOB_IS_OVER, _NOT_PREPARED),
    ),
    Operation(
        name="list_conflicts",
        method="GET",
        path=f"{_JOB}/conflicts",
        summary="Lists the items that wait for a decision.",
        right=Right.ADJUDICATOR,
        sent=messages.ConflictQuery,
        answer=messages.ConflictPage,
    ),
    Operation(
        name="decide",
        method="POST",
        path=f"{_JOB}/decisions",
        summary="Takes a decision on an item in; it is durable when it answers.",
        right=Right.ADJUDICATOR,
        sent=messages.Decision,
        answer=messages.Decided,
        errors=(_BAD_DECISION, _UNKNOWN_ITEM, _JOB_IS_OVER, _NOT_PREPARED),
    ),
    Operation(
        name="send_back",
        method="POST",
        path=f"{_JOB}/send-back",
        summary="Puts an item out to people again.",
        right=Right.ADJUDICATOR,
        sent=messages.SendBack,
        answer=messages.SentBack,
        errors=(_BAD_DECISION, _UNKNOWN_ITEM, _NOBODY_ASKED, _JOB_IS_OVER, _NOT_PREPARED),
    ),
    Operation(
        name="list_audit",
        method="GET",
        path=f"{_JOB}/audit",
        summary="Lists who did what, newest first.",
        right=Right.ADJUDICATOR,
        sent=messages.AuditQuery,
        answer=messages.AuditPage,
    ),
    Operation(
        name="list_rules",
        method="GET",
        path=f"{_JOB}/rules",
        summary="Tells how the job's rules and knowledge bases do.",
        right=Right.ANYBODY,
        sent=messages.NoQuery,
        answer=messages.RuleList,
    ),
)
"""All operations."""


def problems_of(operation: Operation) -> tuple[ErrorCase, ...]:
    """Return every error of an operation, the common ones first."""
    found = [_WRONG_TOKEN, _NO_ACCESS, _INVALID]
    if operation.is_of_a_job:
        found.append(_UNKNOWN_JOB)
    if operation.right is Right.OWNER:
        found.append(_OWNER_ONLY)
    if operation.right is Right.ADJUDICATOR:
        found.append(_NOT_ADJUDICATOR)
    if operation.method == "POST":
        found += [_FOREIGN, _TOO_LARGE]
    if operation.is_of_a_job and operation.name != "list_rules":
        found.append(_UNAVAILABLE)
    return (*found, *operation.errors)
