"""What a change of rules does, in words and numbers."""

from collections import Counter

from source_cases import block, rule

from labelplane_aggregation.canary import RuleChange, RuleNames, compare_votes
from labelplane_aggregation.requests import Task
from labelplane_aggregation.sources import Family, Setting
from labelplane_core.tables import RULES
from labelplane_core.tasks import Modality, task_kind

CLASSES = ("cat", "dog", "owl")
TASK = Task(task_kind("TextClassification"), CLASSES)
SETTING = Setting(CLASSES, Modality.TEXT)
NAMES = RuleNames(changed=("r",))


def votes(*rules: tuple[str, str]) -> object:
    """Let rules of (pattern, label) vote on four texts."""
    made = tuple(rule(pattern, name=f"r-{pattern}", label=label, setting=SETTING) for pattern, label in rules)
    return Family(RULES, made, CLASSES).vote(block("a cat", "a dog", "an owl", "a mouse"), number=0)


def test_labels_coverage_and_conflicts_are_compared() -> None:
    before = votes(("cat", "cat"), ("dog", "dog"), ("mouse", "owl"))
    after = votes(("cat", "cat"), ("dog", "owl"), ("owl", "owl"), ("ow", "dog"))

    found = compare_votes(before, after, items=4, task=TASK, names=NAMES)

    assert found.labels == Counter(same=1, changed=1, new=1, lost=1)
    assert (found.covered, found.conflicting) == ((3, 3), (0, 1))
    assert found.figures["canary_conflict_after"] == 0.25


def test_rules_that_never_voted_before_or_after_are_compared_too() -> None:
    found = compare_votes(votes(("zebra", "cat")), votes(("cat", "cat")), items=4, task=TASK, names=NAMES)

    assert (found.covered, found.labels) == ((0, 1), Counter(new=1))


def test_what_differs_is_found_by_digests() -> None:
    names = RuleNames.between({"a": "1", "b": "2", "c": "3"}, {"a": "1", "b": "9", "d": "4"})

    assert names == RuleNames(changed=("b",), new=("d",), gone=("c",))
    assert names
    assert not RuleNames.between({"a": "1"}, {"a": "1"})


def test_words_stay_within_what_a_status_holds() -> None:
    many = tuple(f"{number:03d}-{'x' * 200}" for number in range(200))
    change = RuleChange(RuleNames(many, many, many), 2000, (1, 2), (3, 4), Counter(changed=10_000))

    assert len(change.words) < 1024
    assert "and 195 more" in change.words
