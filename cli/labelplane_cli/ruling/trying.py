"""Rules at work on a sample: what they vote, how each does, and what another file of rules would change."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from labelplane_aggregation.errors import BadKnowledgeBase
from labelplane_aggregation.inferred import Gold
from labelplane_aggregation.inferring import infer
from labelplane_aggregation.requests import Inference, Task
from labelplane_aggregation.source_converters import knowledge_base_specs
from labelplane_aggregation.sources import (
    Diagnosed,
    Family,
    ItemBlock,
    KnowledgeBase,
    KnowledgeBaseSpec,
    Rule,
    Setting,
    diagnose,
    needed_files,
)
from labelplane_cli.errors import BadFile
from labelplane_cli.ruling.checking import compiled
from labelplane_cli.ruling.reading import RuleSet, Sample
from labelplane_core.tables import KNOWLEDGE_BASES, RULES, current_votes
from labelplane_core.tasks import Modality, task_kind
from labelplane_operator.vote_sources import knowledge_base_message

__all__ = ["Change", "Tried", "classes_of", "compare", "try_rules"]

_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Failure:
    """A rule that could not decide on some items, and so abstained."""

    rule: str
    count: int
    first: str


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """What rules say of a sample.

    Attributes:
        votes: `VOTES`, with those that yield to a higher priority.
        diagnosed: how each does.
        labels: of each item that rules vote on, the class that their votes add up to.
        confidences: of these labels.
        failures: of rules that are programs.
        right: items with a label that is the known class, and of all labelled items whose class is known; None without.
    """

    votes: pa.Table
    diagnosed: Diagnosed
    labels: dict[str, str]
    confidences: dict[str, float]
    failures: list[Failure]
    right: tuple[int, int] | None

    def answers(self, *, with_outvoted: bool = False) -> dict[str, list[tuple[str, str]]]:
        """Return (annotator, class) of each vote, by item."""
        votes = self.votes if with_outvoted else current_votes(self.votes)
        found: dict[str, list[tuple[str, str]]] = {}
        names = ("item_id", "annotator", "answer")
        for item, annotator, answer in zip(*(votes.column(name).to_pylist() for name in names), strict=True):
            found.setdefault(item, []).append((annotator, answer))
        return found


@dataclass(frozen=True, slots=True)
class Change:
    """What the second of two files of rules does otherwise.

    Attributes:
        counts: of items by what becomes of them: "new" label, "lost" label, "changed" label, "same".
        items: (item, label before, label after), "" for none, of those that differ, in the sample's order.
        hits: of each rule in either file, items that it votes on before and after; None where a file lacks it.
    """

    counts: Counter[str]
    items: list[tuple[str, str, str]] = field(default_factory=list)
    hits: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)


def classes_of(rule_sets: Sequence[RuleSet], sample: Sample) -> tuple[str, ...]:
    """Return the job's classes, or those that the rules and the known labels name, in order of first mention."""
    named = next((each.classes for each in rule_sets if each.classes), ())
    if named:
        return named
    names = [str(rule.label) for each in rule_sets for rule in each.rules]
    for base in (base for each in rule_sets for base in each.knowledge_bases):
        names += base.word_net.synsets if base.word_net else ()
        names += base.wikipedia.categories if base.wikipedia else ()
    names += sorted({label for label in sample.labels or () if label})
    return tuple(dict.fromkeys(names))


def try_rules(
    rule_set: RuleSet, sample: Sample, classes: tuple[str, ...], *, trusted_packages: tuple[str, ...]
) -> Tried:
    """Let rules and knowledge bases vote on a sample.

    Raises:
        JobFileError: a rule cannot be compiled.
        BadKnowledgeBase: a knowledge base cannot be read.
        BadFile: fewer than two classes are named.
    """
    if len(classes) < 2:
        raise BadFile("the rules and the known labels name fewer than two classes: give the job file, or more rules")
    setting = Setting(classes, Modality.TEXT, sample.metadata_fields, trusted_packages)
    rules = compiled(rule_set.rules, setting, origins=rule_set.origins)
    specs = knowledge_base_specs([knowledge_base_message(each) for each in rule_set.knowledge_bases])
    bases = tuple(KnowledgeBase(spec, _contents(spec, rule_set.beside), setting) for spec in specs)
    families = (Family(RULES, rules, classes), Family(KNOWLEDGE_BASES, bases, classes))
    votes = pa.concat_tables(
        [family.vote(block, number=number) for number, block in _blocks(sample) for family in families]
    )
    return _concluded(votes, rules, bases, sample, classes)


def compare(before: Tried, after: Tried, sample: Sample) -> Change:
    """Return what changes between two files of rules on one sample."""
    change = Change(Counter())
    for item in sample.item_ids:
        old, new = before.labels.get(item, ""), after.labels.get(item, "")
        if old == new:
            change.counts["same"] += 1
            continue
        change.counts["changed" if old and new else "new" if new else "lost"] += 1
        change.items.append((item, old, new))
    hits = [_hits(tried) for tried in (before, after)]
    for name in dict.fromkeys([*hits[0], *hits[1]]):
        change.hits[name] = (hits[0].get(name), hits[1].get(name))
    return change


def _concluded(
    votes: pa.Table, rules: Sequence[Rule], bases: Sequence[KnowledgeBase], sample: Sample, classes: tuple[str, ...]
) -> Tried:
    task = Task(task_kind("TextClassification"), classes)
    inferred = infer(votes, task, Inference("OneCoin", {}, seed=0))
    annotators = {rule.name: RULES for rule in rules} | {base.name: KNOWLEDGE_BASES for base in bases}
    gold = _gold(sample, classes)
    diagnosed = diagnose(
        votes,
        annotators,
        classes=classes,
        posteriors=inferred.posteriors,
        gold=(gold.item_ids, gold.classes) if len(gold) else None,
    )
    posteriors = inferred.posteriors
    items = posteriors.column("item_id").to_pylist()
    is_right = gold.answered(posteriors.column("item_id"), posteriors.column("answer"))[1] if len(gold) else None
    return Tried(
        votes=votes,
        diagnosed=diagnosed,
        labels=dict(zip(items, posteriors.column("answer").to_pylist(), strict=True)),
        confidences=dict(zip(items, posteriors.column("confidence").to_pylist(), strict=True)),
        failures=[Failure(rule.name, rule.failures, rule.first_failure) for rule in rules if rule.failures],
        right=None if is_right is None else (int(is_right.sum()), len(is_right)),
    )


def _blocks(sample: Sample) -> list[tuple[int, ItemBlock]]:
    starts = range(0, len(sample.item_ids), _BLOCK)
    return [
        (
            number,
            ItemBlock(
                sample.item_ids[start : start + _BLOCK],
                texts=sample.texts[start : start + _BLOCK],
                meta=sample.meta[start : start + _BLOCK],
            ),
        )
        for number, start in enumerate(starts)
    ]


def _gold(sample: Sample, classes: tuple[str, ...]) -> Gold:
    """Return the items whose class is known; a label that is no class of the rules' is not known."""
    labels = pa.array(sample.labels or [""] * len(sample.item_ids), pa.string())
    is_known = pc.is_in(labels, value_set=pa.array(classes, pa.string()))
    return Gold(pa.array(sample.item_ids, pa.string()).filter(is_known), labels.filter(is_known))


def _hits(tried: Tried) -> dict[str, int]:
    table = tried.diagnosed.table
    return dict(zip(table.column("annotator").to_pylist(), table.column("hits").to_pylist(), strict=True))


def _contents(spec: KnowledgeBaseSpec, beside: Path) -> dict[str, bytes]:
    contents = {}
    for name in needed_files(spec):
        path = beside / spec.terms.uri / name if name else beside / spec.terms.uri
        if "://" in spec.terms.uri:
            raise BadKnowledgeBase(
                spec.name, f"{spec.terms.uri} lies in object storage: copy it here and give its path"
            )
        try:
            contents[name] = path.read_bytes()
        except OSError as error:
            raise BadKnowledgeBase(spec.name, f"{path}: {error.strerror}: correct its uri") from error
    return contents
