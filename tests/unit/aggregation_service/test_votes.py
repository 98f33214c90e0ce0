"""Which votes can count, and how they lie in the journal."""

import math
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from labelplane_aggregation.inbox import IncomingVote, SetAside
from labelplane_aggregation.inbox.votes import bad_votes_table, checked, from_lines, to_lines, votes_table
from labelplane_aggregation.requests import Task
from labelplane_core.tables import BAD_VOTES, VOTES, conform
from labelplane_core.tasks import task_kind

TASK = Task(task_kind("TextClassification"), ("cat", "dog"))
MakeVote = Callable[..., IncomingVote]

REFUSED = [
    pytest.param({"item": "nope"}, "UnknownItem", "item 'nope' is not in the data set", id="unknown item"),
    pytest.param({"answer": "cow"}, "UnknownClass", "answer 'cow' is no class of the task", id="unknown class"),
    pytest.param({"answer": ""}, "UnknownClass", "answer ''", id="no answer"),
    pytest.param({"annotator": ""}, "BadVote", "annotator must have 1 to 253", id="no annotator"),
    pytest.param({"annotator": "a" * 254}, "BadVote", "annotator must have 1 to 253", id="endless annotator"),
    pytest.param({"vote_id": ""}, "BadVote", "vote_id must have 1 to 128", id="no id"),
    pytest.param({"vote_id": "a" * 129}, "BadVote", "vote_id must have 1 to 128", id="endless id"),
    pytest.param({"weight": -1.0}, "BadVote", "weight must be above 0", id="negative weight"),
    pytest.param({"weight": math.nan}, "BadVote", "weight must be above 0", id="weight that is no number"),
    pytest.param({"lead_time_seconds": math.inf}, "BadVote", "lead_time_seconds", id="endless time"),
    pytest.param({"time": datetime(1, 1, 1, tzinfo=UTC)}, "BadVote", "out of bounds", id="before there were computers"),
    pytest.param({"supersedes": "v"}, "BadVote", "cannot supersede itself", id="superseding itself"),
    pytest.param({"retracted": True}, "BadVote", "must say which vote", id="retracting nothing"),
]


@pytest.mark.parametrize(("changes", "want_reason", "want_text"), REFUSED)
def test_vote_that_cannot_count_is_set_aside_with_its_cause(
    vote: MakeVote, changes: dict[str, object], want_reason: str, want_text: str
) -> None:
    fields = {"vote_id": "v", "item": "i", "annotator": "ann", "answer": "cat", "origin": "votes.csv:7"} | changes
    entry = checked(vote(**fields), items={"i"}, task=TASK)
    assert isinstance(entry, SetAside)
    assert entry.reason == want_reason
    assert want_text in entry.message
    assert entry.message.startswith("votes.csv:7: ")


def test_answer_takes_the_spelling_of_the_class(vote: MakeVote) -> None:
    entry = checked(vote("v", "i", "ann", " CAT "), items={"i"}, task=TASK)
    assert isinstance(entry, IncomingVote)
    assert entry.answer == "cat"


def test_retraction_needs_no_answer(vote: MakeVote) -> None:
    entry = vote("v", "i", "ann", "", supersedes="u", retracted=True)
    assert checked(entry, items={"i"}, task=TASK) == entry


def test_journal_gives_back_what_was_written(vote: MakeVote) -> None:
    entries = [
        vote("v", "i\u2028\n", "änn", "cat", lead_time_seconds=1.5, suggestion_shown=True),
        SetAside(vote("w", "", "", ""), "UnknownItem", "why"),
    ]
    assert from_lines(to_lines(entries)) == entries


def test_tables_are_of_their_schemas(vote: MakeVote) -> None:
    plain, edit = vote("v", "i", "ann"), vote("w", "i", "ann", supersedes="v", lead_time_seconds=2.0)
    table = conform(votes_table([plain, edit]), VOTES)
    assert table.column("supersedes").to_pylist() == [None, "v"]
    assert table.column("lead_time_seconds").to_pylist() == [None, 2.0]
    bad = conform(bad_votes_table([SetAside(plain, "UnknownItem", "why")]), BAD_VOTES)
    assert bad.column("origin").to_pylist() == ["humans (vote v)"]
