"""What tools send and get under `/api/v1`: the handlers use these types, and the contract is written from them."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

__all__ = [
    "AuditPage",
    "AuditQuery",
    "Comment",
    "Conflict",
    "ConflictPage",
    "ConflictQuery",
    "Decided",
    "Decision",
    "Deed",
    "Failure",
    "GivenVote",
    "Item",
    "ItemQuery",
    "Job",
    "JobInList",
    "JobList",
    "NoQuery",
    "Problem",
    "PushedVote",
    "PushedVotes",
    "Receipt",
    "Rule",
    "RuleList",
    "SendBack",
    "SentBack",
    "Task",
    "TaskPage",
    "TaskQuery",
    "VoteSetAside",
]

_MONTH_SECONDS: Final = 30 * 86_400

Id = Annotated[str, Field(min_length=1, max_length=128, description="Made by the sender: sent again, it counts once.")]
ItemId = Annotated[str, Field(min_length=1, max_length=1024, description="The item's id in the data set.")]
Note = Annotated[str, Field(max_length=1000, description="Why, for the audit log.")]


class _Sent(BaseModel):
    """What comes in: fields that are not known are refused, so that a misspelt one is not passed over."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class _Answered(BaseModel):
    """What goes out: it may gain fields."""

    model_config = ConfigDict(frozen=True)


class NoQuery(_Sent):
    """No parameters."""


class Problem(_Answered):
    """Why a call was refused."""

    reason: str = Field(description="A constant for programs.")
    message: str = Field(description="One line for people: what is wrong and what to do.")


class Failure(_Answered):
    """A call that was refused."""

    error: Problem


class JobInList(_Answered):
    """A job."""

    name: str
    state: Literal["running", "complete", "failed"]
    stage: str = Field(description="What goes on now, in two or three words.")


class JobList(_Answered):
    """The jobs that this front shows."""

    jobs: list[JobInList]


class Job(JobInList):
    """Where a job stands."""

    uid: str = Field(description="Tells it from another job of the same name.")
    message: str = Field(description="What it waits for or why it ended; may be empty.")
    classes: list[str] = Field(description="The labels that a vote may have.")
    round: int | None = Field(description="The round that runs; null before the first.")
    tasks: int = Field(description="How many tasks there have been.")
    tasks_open: int = Field(description="How many of them want votes.")
    votes: int = Field(description="How many votes have come in.")
    votes_missing: int = Field(description="How many votes the open tasks want.")
    votes_set_aside: int = Field(description="How many votes could not count.")
    conflicts: int = Field(description="How many items wait for a decision.")


class TaskQuery(_Sent):
    """Which tasks."""

    after: int = Field(default=-1, ge=-1, description="Tasks with a higher number; -1 from the beginning.")
    limit: int = Field(default=200, ge=1, le=1000, description="At most so many.")


class Task(_Answered):
    """An item that wants votes."""

    number: int
    item: str
    round: int
    votes_wanted: int
    text: str = Field(description="The item's text; empty for an image, which /items shows.")
    suggestion: str = Field(description="The model's answer; empty when there is none or it is to be hidden.")


class TaskPage(_Answered):
    """Open tasks, in order of their numbers."""

    tasks: list[Task]
    end: bool = Field(description="No open task has a higher number.")


class ItemQuery(_Sent):
    """Which item."""

    item: ItemId


class Item(_Answered):
    """How an item is shown: its text, or where its picture lies."""

    item: str
    text: str
    image: str = Field(
        description="Path of the picture on this server; it may lead on to the bucket. Empty for a text. Ask again "
        "when it has run out."
    )
    expires: datetime | None = Field(description="When the path runs out; null for a text.")


class PushedVote(_Sent):
    """A vote of one annotator on one item."""

    vote_id: Id
    item: str = Field(
        max_length=1024,
        description="The item's id in the data set. Empty for a row that is no vote, which is set aside and counted.",
    )
    label: str = Field(default="", max_length=1024, description="One of the job's classes; empty in a retraction.")
    annotator: str = Field(min_length=1, max_length=253, description="Who gave the vote.")
    time: AwareDatetime | None = Field(
        default=None,
        description="When it was given, with its zone; null: now. One in the future is taken for now.",
    )
    lead_time_seconds: float = Field(default=0, ge=0, le=_MONTH_SECONDS, allow_inf_nan=False)
    suggestion_shown: bool = Field(default=False, description="Whether the annotator saw the model's answer.")
    supersedes: str = Field(
        default="",
        max_length=128,
        description="The vote_id of the vote that this one takes the place of. Empty: the vote that the annotator has "
        "on the item, if any.",
    )
    retracted: bool = Field(default=False, description="Takes back the vote that it supersedes.")
    origin: str = Field(default="", max_length=1024, description="Where it came from, as file:line, for messages.")


class PushedVotes(_Sent):
    """Votes of any number of annotators."""

    origin: str = Field(default="", max_length=1000, description="Where they came from, for the audit log.")
    votes: tuple[PushedVote, ...] = Field(min_length=1, max_length=2000)


class VoteSetAside(_Answered):
    """A vote that cannot count; it is kept with its reason, and counted."""

    vote_id: str
    reason: Literal["UnknownItem", "UnknownClass", "BadVote"]
    message: str


class Receipt(_Answered):
    """What became of votes; those that are accepted are durable."""

    accepted: int = Field(description="Votes that are new.")
    duplicates: int = Field(description="Votes that were known already.")
    set_aside: list[VoteSetAside]


class ConflictQuery(_Sent):
    """Which conflicts."""

    after: str = Field(default="", max_length=1024, description="Items with a greater id; empty from the beginning.")
    limit: int = Field(default=20, ge=1, le=200, description="At most so many.")


class GivenVote(_Answered):
    """A vote as it stands."""

    annotator: str
    label: str
    time: datetime


class Comment(_Answered):
    """A remark."""

    annotator: str
    text: str
    time: datetime


class Conflict(Item):
    """An item that waits for a decision."""

    disputed: bool = Field(description="People's answers differ.")
    sent_back: bool = Field(description="It was sent back to people.")
    votes_missing: int = Field(description="How many votes its tasks want still.")
    votes: list[GivenVote] = Field(description="One of each annotator, the oldest first.")
    comments: list[Comment] = Field(description="Newest first, at most 20.")
    decision: GivenVote | None = Field(description="The last decision, where a comment has brought the item up again.")


class ConflictPage(_Answered):
    """Items that wait for a decision, in order of their ids."""

    conflicts: list[Conflict]
    end: bool = Field(description="No item with a greater id waits.")
    total: int = Field(description="How many wait altogether.")


class Decision(_Sent):
    """What an adjudicator decides: it wins over all votes, and takes the place of an earlier decision."""

    id: Id
    item: ItemId
    label: str = Field(min_length=1, max_length=1024, description="One of the job's classes.")
    note: Note = ""


class Decided(_Answered):
    """The decision is durable."""

    correction: bool = Field(description="Nobody had given the label.")


class SendBack(_Sent):
    """An item that people are to look at again, those who have answered it, too."""

    id: Id
    item: ItemId
    note: Note = ""


class SentBack(_Answered):
    """It is durable."""

    votes_missing: int = Field(description="How many votes the item's tasks want now.")


class AuditQuery(_Sent):
    """Which deeds."""

    before: int = Field(default=0, ge=0, description="Deeds with a lower number; 0 from the newest.")
    limit: int = Field(default=50, ge=1, le=500, description="At most so many.")


class Deed(_Answered):
    """An entry of the audit log."""

    number: int
    did: str = Field(description="skip, unskip, accept, correct, send-back or push.")
    annotator: str
    time: datetime
    item: str
    label: str
    note: str
    votes: int = Field(description="How many new votes a push brought.")


class AuditPage(_Answered):
    """The audit log, newest first."""

    deeds: list[Deed]
    end: bool = Field(description="There is no older one.")


class Rule(_Answered):
    """How a rule or knowledge base does; shares are of all items of the data set, or of gold, 0 to 1."""

    name: str
    source: str
    coverage: float = Field(description="Share of items that it votes on.")
    overlap: float = Field(description="Share of items on which another votes, too.")
    conflict: float = Field(description="Share of items on which another says something else.")
    estimated_accuracy: float | None = Field(description="How often it seems right, by all votes.")
    measured_accuracy: float | None = Field(description="How often it is right on gate gold; null without any.")
    gold_hits: int = Field(description="On how many items of gate gold it votes.")


class RuleList(_Answered):
    """The job's rules and knowledge bases, in its order; empty before the first round has weighed votes."""

    rules: list[Rule]
    round: int | None
