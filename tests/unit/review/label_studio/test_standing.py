"""Which votes follow from what annotations say, whatever happened to them since the last look."""

from typing import Any

import pytest

from labelplane_review.label_studio.answers import TaskAnswers, read_task
from labelplane_review.label_studio.finding import named_item
from labelplane_review.label_studio.standing import Standing, VoteRecord, bad_vote

ANN, BOB = 1, 2
PEOPLE = {ANN: "ann", BOB: "bob"}


def annotation(number: int, label: str, *, at: int = 1, by: int | None = ANN, **more: Any) -> dict[str, Any]:
    choices = [{"type": "choices", "value": {"choices": [label]}}]
    return {"id": number, "updated_by": by, "updated_at": f"2026-01-01T00:00:{at:02d}Z", "result": choices} | more


def task(*annotations: dict[str, Any], number: int = 7, item: str | None = "i") -> TaskAnswers:
    data = {} if item is None else {"item": item}
    fields = {"id": number, "data": data, "updated_at": "2026-01-01T00:01:00Z", "annotations": list(annotations)}
    return read_task(fields, people=PEOPLE, classes=("cat", "dog"), find_item=named_item)


def live(records: list[VoteRecord]) -> set[tuple[str, str, str]]:
    """What counts at the inbox, which takes a vote id once."""
    known: dict[str, VoteRecord] = {}
    for record in records:
        known.setdefault(record.vote_id, record)
    gone = {record.supersedes for record in known.values()}
    return {
        (record.item, record.annotator, record.label)
        for record in known.values()
        if record.vote_id not in gone and not record.retracted
    }


HISTORIES = [
    pytest.param([task(annotation(1, "cat"))], {("i", "ann", "cat")}, id="an answer"),
    pytest.param(
        [task(annotation(1, "cat")), task(annotation(1, "dog", at=2))], {("i", "ann", "dog")}, id="an edit of one's own"
    ),
    pytest.param(
        [task(annotation(1, "cat")), task(annotation(1, "dog", at=2)), task(annotation(1, "cat", at=3))],
        {("i", "ann", "cat")},
        id="an edit and back",
    ),
    pytest.param(
        [task(annotation(1, "cat")), task(annotation(1, "cat", at=2, by=BOB))],
        {("i", "bob", "cat")},
        id="another one writes the same",
    ),
    pytest.param([task(annotation(1, "cat")), task()], set(), id="deleted"),
    pytest.param(
        [task(annotation(1, "cat")), task(annotation(1, "cat", was_cancelled=True))], set(), id="skipped afterwards"
    ),
    pytest.param(
        [task(annotation(1, "cat")), task(annotation(1, "horse", at=2))], set(), id="changed to what is no class"
    ),
    pytest.param(
        [task(annotation(1, "cat"), annotation(2, "dog", at=2))], {("i", "ann", "dog")}, id="twice, the last counts"
    ),
    pytest.param(
        [task(annotation(1, "cat"), annotation(2, "dog", at=2)), task(annotation(1, "cat"))],
        {("i", "ann", "cat")},
        id="twice, the last deleted",
    ),
    pytest.param(
        [
            task(annotation(1, "cat")),
            task(annotation(1, "cat"), annotation(2, "dog", at=2)),
            task(annotation(1, "cat")),
            task(),
        ],
        set(),
        id="twice, and both deleted one after the other",
    ),
    pytest.param(
        [
            task(annotation(1, "cat")),
            task(annotation(1, "cat"), annotation(2, "dog", at=2)),
            task(annotation(1, "cat")),
            task(annotation(1, "cat"), annotation(2, "dog", at=2)),
        ],
        {("i", "ann", "dog")},
        id="a deletion that a backup took back",
    ),
    pytest.param(
        [task(annotation(1, "cat")), task(annotation(5, "dog", at=2), number=8)],
        {("i", "ann", "dog")},
        id="answered again in another task of the item",
    ),
    pytest.param(
        [task(annotation(5, "dog", at=2), number=8), task(annotation(1, "cat"))],
        {("i", "ann", "dog")},
        id="an older answer that is seen later",
    ),
    pytest.param(
        [task(annotation(1, "cat"), annotation(2, "dog", by=BOB)), task(annotation(2, "dog", by=BOB))],
        {("i", "bob", "dog")},
        id="two people, one takes hers back",
    ),
    pytest.param(
        [task(annotation(1, "cat")), task(annotation(1, "cat"), item="other")],
        {("other", "ann", "cat")},
        id="the task was given another item by hand",
    ),
    pytest.param([task(annotation(1, "cat", by=None))], {("i", "imported", "cat")}, id="imported there"),
    pytest.param([task(annotation(1, "cat", by=99))], {("i", "user-99", "cat")}, id="somebody who is gone"),
    pytest.param([task(annotation(1, "cat"), item=None)], set(), id="a task of no item"),
]


@pytest.mark.parametrize("is_restarted", [False, True])
@pytest.mark.parametrize(("looks", "want"), HISTORIES)
def test_what_counts_after(looks: list[TaskAnswers], want: set[tuple[str, str, str]], is_restarted: bool) -> None:
    records: list[VoteRecord] = []
    standing = Standing("p")
    for look in looks:
        if is_restarted:
            standing = Standing("p", records)
        changes = standing.changes(look)
        standing.take(changes)
        records += changes
        assert standing.changes(look) == []
    assert live(records) == want
    ids = [record.vote_id for record in records]
    assert len(set(ids)) == len(ids)


def test_a_vote_is_known_by_project_annotation_and_version() -> None:
    one, again, other = (
        Standing(name).changes(task(annotation(1, "cat")))[0].vote_id for name in ("p", "p", "another")
    )
    assert one == again != other


def test_records_of_another_project_say_nothing_of_this_one() -> None:
    records = Standing("p").changes(task(annotation(1, "cat")))
    assert len(Standing("q", records)) == 0
    assert [VoteRecord.from_json(record.to_json()) for record in records] == records


def test_what_cannot_count_names_its_place_and_cause() -> None:
    both = [{"type": "choices", "value": {"choices": ["cat", "dog"]}}]
    look = task(annotation(1, "horse"), annotation(2, "", by=BOB, result=both))
    votes = [bad_vote("p", look, each, origin="Label Studio project 3") for each in look.bad]
    assert [vote.origin for vote in votes] == [
        "Label Studio project 3, task 7, annotation 1: 'horse' is none of the job's classes",
        "Label Studio project 3, task 7, annotation 2: it holds 2 choices where one is wanted",
    ]
    assert [vote.answer for vote in votes] == ["horse", "cat, dog"]


def test_a_vote_tells_whether_a_suggestion_was_shown_and_how_long_it_took() -> None:
    fields = {
        "id": 7,
        "data": {"item": "i"},
        "updated_at": "2026-01-01T00:01:00Z",
        "predictions": [{"result": [{"type": "choices"}]}],
        "annotations": [annotation(1, "cat", lead_time=4.5)],
    }
    look = read_task(fields, people=PEOPLE, classes=("cat",), find_item=named_item)
    vote = Standing("p").changes(look)[0].vote(origin="o")
    assert (vote.suggestion_shown, vote.lead_time_seconds, vote.annotator) == (True, 4.5, "ann")
    fields["predictions"] = [{"result": []}]
    assert not read_task(fields, people=PEOPLE, classes=("cat",), find_item=named_item).good[0].suggestion_shown
