"""The simulated crowd: pure in seed, item and annotator, and as right as it is told to be."""

import numpy as np
import pytest

from labelplane_review.simulated import AnnotatorGroup, SimulatedCrowd

CLASSES = ("a", "b", "c", "d")


def make_crowd(*, seed: int = 0, accuracy: float = 0.85, spammers: int = 3) -> SimulatedCrowd:
    careful = AnnotatorGroup("careful", 12, AnnotatorGroup.symmetric(accuracy, 4), response_seconds=2.5)
    careless = AnnotatorGroup("careless", spammers, np.full((4, 4), 0.25))
    return SimulatedCrowd([careful, careless], CLASSES, seed=seed)


def test_same_seed_and_item_give_the_same_votes() -> None:
    assert make_crowd().votes("item-7", "b", wanted=3) == make_crowd().votes("item-7", "b", wanted=3)


@pytest.mark.parametrize("other", [{"seed": 1}, {"spammers": 4}], ids=["another seed", "another crowd"])
def test_other_crowd_gives_other_votes(other: dict[str, int]) -> None:
    items = [f"item-{number}" for number in range(50)]
    ours = [make_crowd().votes(item, "b", wanted=3) for item in items]
    assert ours != [make_crowd(**other).votes(item, "b", wanted=3) for item in items]  # type: ignore[arg-type]


def test_answer_of_an_annotator_does_not_depend_on_who_else_is_asked() -> None:
    few = {vote.annotator: vote for vote in make_crowd().votes("item-7", "b", wanted=2)}
    many = {vote.annotator: vote for vote in make_crowd().votes("item-7", "b", wanted=15)}
    assert few.items() <= many.items()
    assert len(many) == 15


def test_small_crowd_gives_what_it_can() -> None:
    crowd = SimulatedCrowd([AnnotatorGroup("one", 1, np.eye(4))], CLASSES, seed=0)
    assert [vote.annotator for vote in crowd.votes("x", "a", wanted=5)] == ["one-1"]


def test_annotators_are_as_right_as_they_are_told_to_be() -> None:
    crowd = make_crowd(accuracy=0.85)
    right: dict[str, list[bool]] = {"careful": [], "careless": []}
    for number in range(2000):
        truth = CLASSES[number % 4]
        for vote in crowd.votes(f"item-{number}", truth, wanted=3):
            right[vote.annotator.split("-")[0]].append(vote.answer == truth)
    assert np.mean(right["careful"]) == pytest.approx(0.85, abs=0.02)
    assert np.mean(right["careless"]) == pytest.approx(0.25, abs=0.04)


def test_every_annotator_is_asked_about_equally_often() -> None:
    crowd = make_crowd()
    counts: dict[str, int] = {}
    for number in range(3000):
        for vote in crowd.votes(f"item-{number}", "a", wanted=3):
            counts[vote.annotator] = counts.get(vote.annotator, 0) + 1
    assert len(counts) == 15
    assert min(counts.values()) > 500
    assert max(counts.values()) < 700


def test_vote_ids_are_unique_and_last() -> None:
    votes = [vote for number in range(200) for vote in make_crowd().votes(f"item-{number}", "a", wanted=3)]
    assert len({vote.vote_id for vote in votes}) == 600
    assert votes[0].lead_time_seconds in {2.5, 0.0}


def test_symmetric_confusion_is_a_distribution() -> None:
    confusion = AnnotatorGroup.symmetric(0.7, 4)
    assert confusion.sum(axis=1) == pytest.approx(np.ones(4))
    assert np.diag(confusion) == pytest.approx(np.full(4, 0.7))
