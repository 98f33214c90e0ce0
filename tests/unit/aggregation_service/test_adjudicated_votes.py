"""Adjudicated votes: they win, close tasks, and an item that is sent back wants its answers anew."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from labelplane_aggregation.inbox import IncomingVote, OpenTask
from labelplane_aggregation.inbox.deeds import Deed, DeedKind, Deeds
from labelplane_aggregation.inbox.leases import Assignment
from labelplane_aggregation.inbox.ledger import Ledger
from labelplane_aggregation.inbox.votes import from_lines, to_lines, votes_table
from labelplane_aggregation.inferred import Gold
from labelplane_aggregation.inferring import infer
from labelplane_aggregation.measuring import agreement_figures
from labelplane_aggregation.models import MODELS
from labelplane_aggregation.requests import Inference, Task
from labelplane_core.tasks import task_kind

MakeVote = Callable[..., IncomingVote]
TASK = Task(task_kind("TextClassification"), ("cat", "dog", "owl"))
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def task(number: int, item_id: str, wanted: int = 2, likely: str = "") -> OpenTask:
    return OpenTask(number, item_id, 0, wanted, "", "text", "", 0.0, likely)


def ledger_with(*entries: IncomingVote | OpenTask) -> Ledger:
    ledger = Ledger()
    ledger.add_tasks([each for each in entries if isinstance(each, OpenTask)])
    for entry in entries:
        if isinstance(entry, IncomingVote):
            ledger.add(entry)
    return ledger


def decided(vote: MakeVote, vote_id: str, item: str, answer: str, **extra: object) -> IncomingVote:
    return vote(vote_id, item, "judge", answer, is_decision=True, **extra)


# -- inference --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", sorted(MODELS))
def test_a_decision_wins_over_any_number_of_plain_votes(vote: MakeVote, method: str) -> None:
    plain = [vote(f"v{place}", item, f"p{place % 7}") for place, item in enumerate("iiiiiiijjjjjjj")]
    inferred = infer(votes_table([*plain, decided(vote, "d", "i", "owl")]), TASK, Inference(method, {}, seed=1))
    answers = {row["item_id"]: (row["answer"], row["confidence"]) for row in inferred.posteriors.to_pylist()}
    assert answers["i"][0] == "owl"
    assert answers["i"][1] == pytest.approx(1, abs=1e-6)


def test_known_truth_is_no_ones_to_decide(vote: MakeVote) -> None:
    votes = votes_table([vote("v", "i", "ann", "dog"), decided(vote, "d", "i", "owl"), decided(vote, "e", "j", "owl")])
    gold = Gold(pa.array(["i"]), pa.array(["cat"]))
    inferred = infer(votes, TASK, Inference("DawidSkene", {}, seed=1), gold=gold)
    assert {row["item_id"]: row["answer"] for row in inferred.posteriors.to_pylist()} == {"i": "cat", "j": "owl"}


def test_who_decides_is_neither_measured_nor_part_of_the_agreement(vote: MakeVote) -> None:
    plain = [vote("1", "i", "ann"), vote("2", "i", "bob", "dog"), vote("3", "j", "ann"), vote("4", "j", "bob")]
    with_decision = votes_table([*plain, decided(vote, "d", "i", "cat")])
    inferred = infer(with_decision, TASK, Inference("DawidSkene", {}, seed=1))
    assert inferred.reliabilities.column("annotator").to_pylist() == ["ann", "bob"]
    assert agreement_figures(with_decision, TASK) == agreement_figures(votes_table(plain), TASK)


def test_decisions_stand_in_the_journal_and_old_lines_have_none(vote: MakeVote) -> None:
    batch = [decided(vote, "d", "i", "cat"), vote("v", "i", "ann")]
    assert from_lines(to_lines(batch)) == batch
    old = to_lines([vote("v", "i", "ann")]).replace(b', "is_decision": false', b"")
    assert from_lines(old) == [vote("v", "i", "ann")]


# -- tasks ------------------------------------------------------------------------------------------------------------


def test_a_decision_closes_the_task_and_its_retraction_opens_it(vote: MakeVote) -> None:
    ledger = ledger_with(task(0, "i"), vote("1", "i", "ann"), decided(vote, "d", "i", "cat"))
    assert (ledger.votes_missing, ledger.decision("i").vote_id) == (0, "d")  # type: ignore[union-attr]
    ledger.add(decided(vote, "e", "i", "", supersedes="d", retracted=True))
    assert (ledger.votes_missing, ledger.decision("i")) == (1, None)


def test_an_edit_of_a_decision_may_come_before_the_decision(vote: MakeVote) -> None:
    ledger = ledger_with(decided(vote, "e", "i", "dog", supersedes="d"), decided(vote, "d", "i", "cat"))
    assert ledger.decision("i").answer == "dog"  # type: ignore[union-attr]


def test_items_are_disputed_while_answers_differ(vote: MakeVote) -> None:
    ledger = ledger_with(vote("1", "i", "ann"), vote("2", "i", "bob", "dog"), vote("3", "j", "ann"))
    assert ledger.disputed == {"i"}
    ledger.add(vote("4", "i", "bob", "cat", supersedes="2"))
    assert ledger.disputed == set()


def test_an_item_that_is_sent_back_is_asked_of_everybody_again(vote: MakeVote) -> None:
    ledger = ledger_with(task(0, "i"), vote("1", "i", "ann"))
    ledger.add_skip(0, "bob")
    assert ledger.votes_missing == 0
    ledger.send_back("i", ["1"])
    assert ledger.votes_missing == 2
    assert all(ledger.may_answer(task(0, "i"), name) for name in ("ann", "bob"))
    assert [each.vote_id for each in ledger.live_votes("i")] == ["1"]  # counts until it is answered anew
    ledger.add(vote("2", "i", "ann", "dog", supersedes="1"))
    assert (ledger.votes_missing, ledger.may_answer(task(0, "i"), "ann")) == (1, False)
    ledger.send_back("i", ["2"])
    assert ledger.votes_missing == 2


def test_sending_back_is_the_same_whether_votes_or_deeds_are_read_first(vote: MakeVote) -> None:
    votes = [vote("1", "i", "ann"), vote("2", "i", "bob"), vote("3", "i", "ann", "dog", supersedes="1")]
    first, last = ledger_with(task(0, "i")), ledger_with(task(0, "i"), *votes)
    first.send_back("i", ["1", "2"])
    for each in votes:
        first.add(each)
    last.send_back("i", ["1", "2"])
    assert first.votes_missing == last.votes_missing == 1


# -- assignment -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("likely", "want_covered"), [("cat", True), ("dog", False), ("", True)], ids=["own", "other", "nothing said"]
)
def test_people_get_tasks_of_their_classes(likely: str, want_covered: bool) -> None:
    assert Assignment(frozenset({"cat"})).covers(task(0, "i", likely=likely), "ann") is want_covered


def test_a_share_is_of_the_items_fixed_and_different_for_each_person() -> None:
    half = Assignment(share=0.5)
    mine = [half.covers(task(0, f"i{place}"), "ann") for place in range(2000)]
    hers = [half.covers(task(0, f"i{place}"), "bob") for place in range(2000)]
    assert mine == [half.covers(task(0, f"i{place}"), "ann") for place in range(2000)]
    assert 900 < sum(mine) < 1100
    assert 400 < sum(one and other for one, other in zip(mine, hers, strict=True)) < 600


# -- audit log --------------------------------------------------------------------------------------------------------


def test_log_comes_in_pages_newest_first_and_numbers_stay() -> None:
    log = Deeds()
    for place in range(5):
        log.add(Deed(kind=DeedKind.SKIP, annotator="ann", time=NOON + timedelta(seconds=place), task=place))
    first = log.page(before=0, limit=2)
    assert [number for number, _ in first] == [5, 4]
    log.add(Deed(kind=DeedKind.SKIP, annotator="bob", time=NOON, task=9))
    assert [number for number, _ in log.page(before=4, limit=2)] == [3, 2]
    assert [number for number, _ in log.page(before=2, limit=2)] == [1]
    assert log.page(before=1, limit=2) == []


def test_a_deed_with_an_id_stands_once() -> None:
    log = Deeds()
    deed = Deed(kind=DeedKind.ACCEPT, annotator="ann", time=NOON, deed_id="d", item_id="i", answer="cat")
    assert (log.add(deed), log.add(deed), len(list(log))) == (True, False, 1)


@pytest.mark.parametrize(
    "deed",
    [
        Deed(kind=DeedKind.SKIP, annotator="ann", time=NOON, task=0, note="dark"),
        Deed(kind=DeedKind.SEND_BACK, annotator="ann", time=NOON, deed_id="d", item_id="i", votes=("1", "2")),
        Deed(kind=DeedKind.PUSH, annotator="ann", time=NOON, note="votes.csv", pushed=7),
    ],
    ids=lambda deed: deed.kind.value,
)
def test_deeds_are_read_as_they_were_written(deed: Deed) -> None:
    assert Deed.from_record(deed.to_record()) == deed


def test_skips_of_before_there_was_a_log_are_read() -> None:
    old = {"did": "unskip", "task": 3, "annotator": "ann", "reason": "", "time": NOON.isoformat()}
    assert Deed.from_record(old) == Deed(kind=DeedKind.UNSKIP, annotator="ann", time=NOON, task=3)
