"""Open tasks and counts, whatever comes in whatever order."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelplane_aggregation.inbox import IncomingVote, OpenTask, SetAside
from labelplane_aggregation.inbox.ledger import Ledger
from labelplane_aggregation.inbox.votes import votes_table
from labelplane_core.tables import current_votes

MakeVote = Callable[..., IncomingVote]


def task(number: int, item_id: str, wanted: int = 2) -> OpenTask:
    return OpenTask(number, item_id, 0, wanted, "", "text", "", 0.0)


def ledger_with(*tasks: OpenTask) -> Ledger:
    ledger = Ledger()
    ledger.add_tasks(tasks)
    return ledger


def missing(ledger: Ledger) -> dict[str, int]:
    return {task.item_id: wanted for task, wanted in ledger.open_tasks(after=-1, limit=100)}


def test_task_is_open_until_enough_different_annotators_have_answered(vote: MakeVote) -> None:
    ledger = ledger_with(task(0, "i"))
    assert ledger.add(vote("1", "i", "ann"))
    assert ledger.add(vote("2", "i", "ann", "dog"))
    assert missing(ledger) == {"i": 1}
    assert ledger.add(vote("3", "i", "bob"))
    assert missing(ledger) == {}
    assert (ledger.tasks_open, ledger.votes_missing, ledger.votes) == (0, 0, 3)


def test_vote_of_a_known_id_is_no_second_vote(vote: MakeVote) -> None:
    ledger = ledger_with(task(0, "i"))
    assert ledger.add(vote("1", "i", "ann"))
    assert not ledger.add(vote("1", "i", "bob"))
    assert (ledger.votes, missing(ledger)) == (1, {"i": 1})


def test_retraction_opens_the_task_again(vote: MakeVote) -> None:
    ledger = ledger_with(task(0, "i", wanted=1))
    ledger.add(vote("1", "i", "ann"))
    assert missing(ledger) == {}
    ledger.add(vote("2", "i", "ann", "", supersedes="1", retracted=True))
    assert missing(ledger) == {"i": 1}


def test_edit_that_comes_before_what_it_edits_counts_once(vote: MakeVote) -> None:
    ledger = ledger_with(task(0, "i"))
    ledger.add(vote("2", "i", "bob", supersedes="1"))
    ledger.add(vote("1", "i", "ann"))
    assert missing(ledger) == {"i": 1}


def test_vote_before_its_task_counts(vote: MakeVote) -> None:
    ledger = Ledger()
    ledger.add(vote("1", "i", "ann"))
    ledger.add_tasks([task(0, "i")])
    assert missing(ledger) == {"i": 1}


def test_pages_of_tasks_go_on_after_a_number() -> None:
    ledger = ledger_with(*(task(number, f"i{number}") for number in range(5)))
    assert [each.number for each, _ in ledger.open_tasks(after=1, limit=2)] == [2, 3]
    assert [each.number for each, _ in ledger.open_tasks(after=3, limit=2)] == [4]
    assert ledger.open_tasks(after=4, limit=2) == []


def test_vote_that_was_set_aside_is_counted_once(vote: MakeVote) -> None:
    ledger = Ledger()
    aside = SetAside(vote("1", "no", "ann"), "UnknownItem", "no such item")
    assert ledger.add(aside)
    assert not ledger.add(aside)
    assert (ledger.set_aside, ledger.votes) == (1, 0)


ITEMS, ANNOTATORS = ("i", "j"), ("ann", "bob", "eve")


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[str, str, list[bool]]]:
    """For each item and annotator: a vote, its edits, and whether each is a retraction."""
    pairs = [(item, annotator) for item in ITEMS for annotator in ANNOTATORS]
    return [(*pair, draw(st.lists(st.booleans(), max_size=3))) for pair in pairs]


@settings(max_examples=80, deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_open_votes_are_those_that_the_votes_that_count_leave(
    histories: list[tuple[str, str, list[bool]]], random: object
) -> None:
    votes = []
    for item, annotator, edits in histories:
        for place, is_retracted in enumerate(edits):
            before = f"{item}-{annotator}-{place - 1}" if place else ""
            votes.append(
                IncomingVote(
                    vote_id=f"{item}-{annotator}-{place}",
                    item_id=item,
                    annotator=annotator,
                    answer="cat",
                    weight=1.0,
                    time=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=place),
                    lead_time_seconds=0.0,
                    suggestion_shown=False,
                    supersedes=before,
                    retracted=is_retracted and place > 0,
                    origin="",
                )
            )
    random.shuffle(votes)  # type: ignore[attr-defined]
    ledger = ledger_with(*(task(number, item, wanted=3) for number, item in enumerate(ITEMS)))
    for each in votes:
        ledger.add(each)
    counting = current_votes(votes_table(votes)).to_pylist()
    for item in ITEMS:
        annotators = {row["annotator"] for row in counting if row["item_id"] == item}
        assert missing(ledger).get(item, 0) == 3 - len(annotators)


def test_limit_of_a_page_is_kept(vote: MakeVote) -> None:
    ledger = ledger_with(*(task(number, f"i{number}") for number in range(3)))
    assert len(ledger.open_tasks(after=-1, limit=2)) == 2
    ledger.add(vote("1", "i0", "ann"))
    ledger.add(vote("2", "i0", "bob"))
    assert [each.number for each, _ in ledger.open_tasks(after=-1, limit=2)] == [1, 2]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_task_of_a_known_number_takes_the_place_of_the_first(order: tuple[int, int]) -> None:
    tasks = [task(0, "i", wanted=1), task(0, "i", wanted=4)]
    ledger = ledger_with(*(tasks[place] for place in order))
    assert missing(ledger) == {"i": tasks[order[1]].votes_wanted}
