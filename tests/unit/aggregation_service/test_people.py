"""What every annotator has done, as votes begin and end to count."""

from datetime import UTC, datetime, timedelta

import pytest

from labelplane_aggregation.inbox.people import People

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def people(**gold: str) -> People:
    made = People()
    made.know(gold)
    return made


def test_unknown_person_has_done_nothing() -> None:
    person = people().person("ann")
    assert (person.votes, person.skips, person.gold_answered, person.seconds_per_vote, person.last_seen) == (
        0,
        0,
        0,
        0.0,
        None,
    )


def test_answers_to_gold_are_compared_and_others_are_not() -> None:
    made = people(i="cat", j="dog")
    for item, answer in (("i", "cat"), ("j", "cat"), ("k", "cat")):
        made.begin("ann", item, answer)
    person = made.person("ann")
    assert (person.votes, person.gold_answered, person.gold_right) == (3, 2, 1)


def test_two_answers_to_one_item_are_one_vote_and_the_last_is_compared() -> None:
    made = people(i="cat")
    made.begin("ann", "i", "dog")
    made.begin("ann", "i", "cat")
    assert (made.person("ann").votes, made.person("ann").gold_right) == (1, 1)
    made.end("ann", "i", "cat")
    assert (made.person("ann").votes, made.person("ann").gold_answered, made.person("ann").gold_right) == (1, 1, 0)
    made.end("ann", "i", "dog")
    assert (made.person("ann").votes, made.person("ann").gold_answered) == (0, 0)


def test_time_is_the_median_of_the_last_two_hundred_and_nothing_known_counts_not() -> None:
    made = people()
    for seconds in [1000.0] * 300 + [2.0] * 199 + [0.0]:
        made.seen("ann", at=NOON, seconds=seconds)
    assert made.person("ann").seconds_per_vote == 2.0


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_last_seen_is_the_latest_whatever_came_first(order: tuple[int, int]) -> None:
    made = people()
    for place in order:
        made.seen("ann", at=NOON + timedelta(hours=place), seconds=0.0)
    assert made.person("ann").last_seen == NOON + timedelta(hours=1)


def test_everybody_is_listed_with_most_votes_first() -> None:
    made = people()
    for name, count in (("bob", 1), ("ann", 1), ("eve", 2)):
        for item in range(count):
            made.begin(name, f"i{item}", "cat")
    made.skipped("zoe", by=1)
    assert [(each.annotator, each.votes, each.skips) for each in made.all()] == [
        ("eve", 2, 0),
        ("ann", 1, 0),
        ("bob", 1, 0),
        ("zoe", 0, 1),
    ]
