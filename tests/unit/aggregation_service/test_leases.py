"""Who gets which task next, and when a vote is under a lease: pure decisions."""

from collections.abc import Callable, Container
from datetime import UTC, datetime, timedelta

import pytest

from labelplane_aggregation.inbox import IncomingVote, OpenTask
from labelplane_aggregation.inbox.leases import Leases, choose_tasks, under_lease
from labelplane_aggregation.inbox.ledger import Ledger
from labelplane_aggregation.inbox.signing import Lease

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER, BEFORE = NOW + timedelta(seconds=60), NOW - timedelta(seconds=60)
MakeVote = Callable[..., IncomingVote]


def ledger(*wanted: int, items: str = "abcdef") -> Ledger:
    """Tasks 0, 1, ... about the items a, b, ... that want so many votes."""
    made = Ledger()
    made.add_tasks(
        OpenTask(number, items[number], 0, votes, "", "text", "", 0.0) for number, votes in enumerate(wanted)
    )
    return made


def chosen(
    known: Ledger, leases: Leases, name: str = "ann", count: int = 9, in_hand: Container[str] = ()
) -> tuple[list[int], int]:
    tasks, passed_over = choose_tasks(known, leases, name, count=count, in_hand=in_hand, now=NOW)
    return [task.number for task in tasks], passed_over


def test_tasks_come_in_their_order_up_to_the_count() -> None:
    assert chosen(ledger(1, 1, 1), Leases(), count=2) == ([0, 1], 0)


def test_tasks_in_enough_other_hands_are_passed_over_until_these_leases_end() -> None:
    leases = Leases()
    leases.hold(Lease(0, "bob", LATER))
    leases.hold(Lease(1, "bob", LATER))
    leases.hold(Lease(2, "bob", BEFORE))
    assert chosen(ledger(1, 2, 1), leases) == ([1, 2], 1)
    leases.release(0, "bob")
    assert chosen(ledger(1, 2, 1), leases) == ([0, 1, 2], 0)


def test_a_person_keeps_what_they_name_alone() -> None:
    leases = Leases()
    for number in range(3):
        leases.hold(Lease(number, "bob", LATER))
    leases.keep({1}, "bob")
    leases.keep(set(), "nobody")
    assert chosen(ledger(1, 1, 1), leases) == ([0, 2], 1)


def test_own_lease_stands_in_nobodys_way() -> None:
    leases = Leases()
    leases.hold(Lease(0, "ann", LATER))
    assert chosen(ledger(1), leases) == ([0], 0)


def test_answered_skipped_and_held_items_are_passed_over(vote: MakeVote) -> None:
    known = ledger(2, 2, 2, 2)
    known.add(vote("v", "a", "ann"))
    known.add_skip(1, "ann")
    assert chosen(known, Leases(), in_hand={"c"}) == ([3], 3)


def test_two_tasks_about_one_item_do_not_come_together() -> None:
    assert chosen(ledger(1, 1, items="aa"), Leases()) == ([0], 1)


def test_skip_counts_as_an_answer_once_and_gives_way_to_a_vote(vote: MakeVote) -> None:
    known = ledger(2)
    for _ in range(2):
        known.add_skip(0, "ann")
    assert known.missing(0) == 1
    known.add(vote("v", "a", "ann"))
    assert known.missing(0) == 1
    known.add_skip(0, "ann", is_undone=True)
    known.add_skip(0, "bob", is_undone=True)
    assert (known.missing(0), known.people.person("ann").skips, known.people.person("bob").skips) == (1, 0, 0)


CASES = [
    pytest.param(Lease(0, "ann", LATER), {}, False, "", id="a lease that holds"),
    pytest.param(Lease(0, "ann", LATER), {}, True, "", id="a lease that holds on an answered task"),
    pytest.param(Lease(0, "ann", BEFORE), {}, False, "", id="one that ended while the task wants votes"),
    pytest.param(Lease(0, "ann", BEFORE), {}, True, "LeaseExpired", id="one that ended and the task is answered"),
    pytest.param(None, {}, False, "NotLeased", id="none"),
    pytest.param(Lease(0, "bob", LATER), {}, False, "NotLeased", id="of another person"),
    pytest.param(Lease(1, "ann", LATER), {}, False, "NotLeased", id="of another item"),
    pytest.param(Lease(9, "ann", LATER), {}, False, "NotLeased", id="of no task"),
    pytest.param(None, {"supersedes": "mine"}, False, "", id="an edit of one's own"),
    pytest.param(Lease(0, "ann", LATER), {"supersedes": "his"}, True, "NotYours", id="an edit of another's"),
    pytest.param(None, {"supersedes": "nothing"}, False, "NotYours", id="an edit of nothing"),
]


@pytest.mark.parametrize(("lease", "extra", "is_answered", "want"), CASES)
def test_vote_counts_under_a_lease_or_as_an_edit(
    vote: MakeVote, lease: Lease | None, extra: dict[str, str], is_answered: bool, want: str
) -> None:
    known = ledger(2, 2)
    known.add(vote("mine", "a", "ann"))
    if is_answered:
        known.add(vote("his", "a", "bob"))
    aside = under_lease(vote("new", "a", "ann", **extra), lease, known, before=None, now=NOW)
    assert ("" if aside is None else aside.reason) == want


def test_edit_of_a_vote_that_came_in_the_same_breath_counts(vote: MakeVote) -> None:
    edit = vote("2", "a", "ann", supersedes="1")
    assert under_lease(edit, None, ledger(1), before=vote("1", "a", "ann"), now=NOW) is None
    aside = under_lease(edit, None, ledger(1), before=vote("1", "a", "bob"), now=NOW)
    assert aside is not None
    assert aside.reason == "NotYours"
