"""Errors of the aggregation package.

```
AggregationError
├── InvalidVotesError        the votes themselves
│   ├── MissingColumnError       no column item, annotator or label
│   ├── EmptyVotesError          no vote at all
│   ├── NullVoteError            an empty cell
│   ├── UnknownClassError        an answer outside the task's classes
│   ├── InvalidWeightError       a weight that is no number in [0, 1e9]
│   └── DuplicateVoteError       two answers of one annotator to one item, where that is refused
├── InvalidGoldError         known truth that does not fit the votes
├── InvalidPriorError        a table of probabilities of wrong shape, or with a row that is none
└── InvalidSettingError      a model's parameter out of its bounds
```

Of the service, below the errors of labelplane_core that a caller sees as canonical codes:

```
LabelplaneError
├── InvalidInput
│   ├── BadDataset           the data set cannot be listed as the job says; names file, line and column
│   ├── BadRule              a rule cannot be compiled; names rule and field
│   ├── BadRuleFile          a file of rules holds something else; names file, line and column
│   ├── BadKnowledgeBase     a knowledge base cannot be read; names it, file and line
│   ├── BadTicket            a ticket for an item's content that was not signed here
│   └── BadDecision          a decision whose answer is none of the task's, or whose id is taken
├── MissingRuleFile          a file of rules is not there yet: trying again helps once it is mounted
├── PrefixTaken              another job has claimed the output prefix
├── DatasetChanged           the prefix holds an index that was made with other settings of the data set
├── TooManyItemErrors        more items cannot be read than the job allows
├── NotPrepared              a vote came before the data set was indexed
├── UnknownItem              the data set has no item of that name
├── ItemGone                 an item's file is not there any more
├── NobodyAsked              an item is sent back that no round has asked about
├── NotLeased                a task is not in the hands of who gives it back
└── TicketExpired            a ticket has run out; another can be had
```

All of them are the caller's to mend; but for MissingRuleFile none goes away by trying again.
"""

from __future__ import annotations

from typing import ClassVar

from labelplane_core.errors import ErrorCode, InvalidInput, LabelplaneError

__all__ = [
    "AggregationError",
    "BadDataset",
    "BadDecision",
    "BadKnowledgeBase",
    "BadRule",
    "BadRuleFile",
    "BadTicket",
    "DatasetChanged",
    "DuplicateVoteError",
    "EmptyVotesError",
    "InvalidGoldError",
    "InvalidPriorError",
    "InvalidSettingError",
    "InvalidVotesError",
    "InvalidWeightError",
    "ItemGone",
    "MissingColumnError",
    "MissingRuleFile",
    "NobodyAsked",
    "NotLeased",
    "NotPrepared",
    "NullVoteError",
    "PrefixTaken",
    "TicketExpired",
    "TooManyItemErrors",
    "UnknownClassError",
    "UnknownItem",
]


class AggregationError(Exception):
    """Root of every error this package raises on purpose; `retryable` says whether trying again can help."""

    retryable: ClassVar[bool] = False


class InvalidVotesError(AggregationError, ValueError):
    """The votes cannot be read as (item, annotator, label)."""


class MissingColumnError(InvalidVotesError):
    """The frame lacks a column that every vote needs."""


class EmptyVotesError(InvalidVotesError):
    """There is no vote to aggregate."""


class NullVoteError(InvalidVotesError):
    """A vote has an empty cell; the message names the column and the row."""


class UnknownClassError(InvalidVotesError):
    """A vote answers with something that is none of the classes; the message names the row and the answer."""


class InvalidWeightError(InvalidVotesError):
    """A vote's weight is no finite number from 0 to 1e9; the message names the row and the weight."""


class DuplicateVoteError(InvalidVotesError):
    """One annotator answered one item twice, and duplicates are refused; the message names row, annotator and item."""


class InvalidGoldError(AggregationError, ValueError):
    """Known truth names a class that does not exist, or two classes for one item."""


class InvalidPriorError(AggregationError, ValueError):
    """A table of probabilities has the wrong shape, or a row that is no distribution; the message names the row."""


class InvalidSettingError(AggregationError, ValueError):
    """A model's parameter is out of its bounds; the message names parameter, value and bounds."""


class BadDataset(InvalidInput):
    """The data set cannot be listed as the job says; the message names file, line and column."""

    reason = "BadDataset"


class BadRule(InvalidInput):
    """A rule cannot be compiled.

    Attributes:
        rule: its name.
        field: what of it is wrong, by its JSON name.
        problem: what is wrong and what to do.
    """

    reason = "BadRule"

    def __init__(self, rule: str, field: str, problem: str, *, place: str = "") -> None:
        self.rule, self.field, self.problem = rule, field, problem
        where = f"{place}: " if place else ""
        super().__init__(f"{where}rule {rule!r}: {field}: {problem}")


class BadRuleFile(InvalidInput):
    """A file of rules holds something else; the message names file, line and column."""

    reason = "BadRuleFile"


class MissingRuleFile(LabelplaneError):
    """A file of rules is not there; a pod that has it may be about to take this one's place."""

    reason = "MissingRuleFile"
    code = ErrorCode.FAILED_PRECONDITION
    retryable = True


class BadKnowledgeBase(InvalidInput):
    """A knowledge base cannot be read.

    Attributes:
        knowledge_base: its name.
        problem: what is wrong, in which file and line, and what to do.
    """

    reason = "BadKnowledgeBase"

    def __init__(self, knowledge_base: str, problem: str) -> None:
        self.knowledge_base, self.problem = knowledge_base, problem
        super().__init__(f"knowledge base {knowledge_base!r}: {problem}")


class PrefixTaken(LabelplaneError):
    """Another job has claimed the output prefix; the message names it."""

    reason = "PrefixTaken"
    code = ErrorCode.FAILED_PRECONDITION


class DatasetChanged(LabelplaneError):
    """The prefix holds an index that was made with other settings of the data set."""

    reason = "DatasetChanged"
    code = ErrorCode.FAILED_PRECONDITION


class TooManyItemErrors(LabelplaneError):
    """More items cannot be read than the job allows; the message names the first three."""

    reason = "TooManyItemErrors"
    code = ErrorCode.FAILED_PRECONDITION


class NotPrepared(LabelplaneError):
    """Nothing can be voted on before Prepare has indexed the data set."""

    reason = "NotPrepared"
    code = ErrorCode.FAILED_PRECONDITION


class BadTicket(InvalidInput):
    """A ticket for an item's content was not signed by this job's service."""

    reason = "BadTicket"


class BadDecision(InvalidInput):
    """A decision cannot stand: its answer is none of the task's, or its id is that of another vote."""

    reason = "BadDecision"


class NobodyAsked(LabelplaneError):
    """An item cannot be sent back to people whom no round has asked about it."""

    reason = "NobodyAsked"
    code = ErrorCode.FAILED_PRECONDITION


class TicketExpired(LabelplaneError):
    """A ticket for an item's content has run out; SignItem gives another."""

    reason = "TicketExpired"
    code = ErrorCode.FAILED_PRECONDITION


class UnknownItem(LabelplaneError):
    """The data set has no item of that name."""

    reason = "UnknownItem"
    code = ErrorCode.NOT_FOUND


class ItemGone(LabelplaneError):
    """An item's file was there when the data set was indexed and is not any more."""

    reason = "ItemGone"
    code = ErrorCode.NOT_FOUND


class NotLeased(LabelplaneError):
    """A task was never handed to the person who gives it back."""

    reason = "NotLeased"
    code = ErrorCode.FAILED_PRECONDITION
