"""Rules: conditions that vote a class where they hold, and abstain elsewhere."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Protocol

import numpy as np
import pyarrow as pa

from labelplane_aggregation.errors import BadRule
from labelplane_aggregation.sources.block import BoolArray, ItemBlock
from labelplane_aggregation.sources.comparisons import FieldComparison
from labelplane_aggregation.sources.expressions import Expression, Function
from labelplane_aggregation.sources.patterns import Keywords, Pattern
from labelplane_aggregation.sources.source import Ballots
from labelplane_aggregation.sources.specs import (
    ComparisonSpec,
    ExpressionSpec,
    FunctionSpec,
    KeywordSpec,
    RegexSpec,
    RuleSpec,
    Setting,
)
from labelplane_core.tasks import Modality

__all__ = ["FORM", "Condition", "Rule", "compile_rules"]

FORM = 1
"""Raised whenever a release makes the same rule vote otherwise, so that no older votes are taken for its own."""

_FIELDS = {
    RegexSpec: "regex",
    KeywordSpec: "keywords",
    ComparisonSpec: "metadata",
    ExpressionSpec: "expression",
    FunctionSpec: "function",
}


class Condition(Protocol):
    """What holds for an item or not."""

    def holds(self, block: ItemBlock) -> BoolArray:
        """Return for which items it holds, (items,)."""
        ...


class Rule:
    """A `VoteSource`: votes its label where its condition holds and the pattern `unless` does not.

    Raises:
        BadRule: the class is not the task's, or the condition cannot be compiled; names rule and field.
    """

    def __init__(self, spec: RuleSpec, setting: Setting) -> None:
        self.spec = spec
        if spec.label not in setting.classes:
            raise BadRule(spec.name, "label", f"{spec.label!r} is no class of the task: {_some(setting.classes)}")
        self._condition = _compiled(spec, setting)
        self._unless = _pattern(spec.name, "unless", spec.unless, setting) if spec.unless else None
        self.reads_pixels = setting.modality is Modality.IMAGE and bool(getattr(self._condition, "reads_pixels", False))

    @property
    def name(self) -> str:
        """The annotator's name."""
        return self.spec.name

    @property
    def priority(self) -> int:
        """Of two rules that disagree on an item, the higher votes alone."""
        return self.spec.priority

    @property
    def failures(self) -> int:
        """On how many items the condition failed, and so abstained."""
        return int(getattr(self._condition, "failures", 0))

    @property
    def first_failure(self) -> str:
        """What went wrong on the first of them."""
        return str(getattr(self._condition, "first_failure", ""))

    @property
    def digest(self) -> str:
        """Changes with everything that shapes the rule's own votes; priority and who looks at them do not."""
        fields = asdict(replace(self.spec, priority=0))
        del fields["review_share"]
        code = getattr(self._condition, "code_digest", "")
        words = [FORM, type(self.spec.condition).__name__, fields, code]
        return hashlib.sha256(json.dumps(words, sort_keys=True).encode()).hexdigest()

    def prepare(self) -> None:
        """Do nothing: a rule is compiled when it is made."""

    def vote(self, block: ItemBlock) -> Ballots:
        """Vote on the items of a block."""
        holds = self._condition.holds(block)
        if self._unless is not None:
            holds = holds & ~self._unless.holds(block)
        rows = np.flatnonzero(holds)
        return Ballots(rows, pa.array([self.spec.label] * len(rows), pa.string()), np.ones(len(rows)))


def compile_rules(specs: Sequence[RuleSpec], setting: Setting) -> tuple[Rule, ...]:
    """Return the rules, ready to vote.

    Raises:
        BadRule: the first rule that is wrong, or the second of two with one name.
    """
    twice = next((name for name, count in Counter(spec.name for spec in specs).items() if count > 1), None)
    if twice is not None:
        raise BadRule(twice, "name", "two rules have this name: rename one")
    return tuple(Rule(spec, setting) for spec in specs)


def _compiled(spec: RuleSpec, setting: Setting) -> Condition:
    condition, field = spec.condition, _FIELDS[type(spec.condition)]
    try:
        match condition:
            case RegexSpec(pattern):
                return _pattern(spec.name, field, pattern, setting)
            case KeywordSpec():
                _require_texts(spec.name, field, setting)
                return Keywords(condition)
            case ComparisonSpec():
                return FieldComparison(condition, setting)
            case ExpressionSpec(source):
                return Expression(source, setting)
            case FunctionSpec(path):
                return Function(path, setting)
    except ValueError as error:
        raise BadRule(spec.name, field, str(error)) from error


def _pattern(name: str, field: str, pattern: str, setting: Setting) -> Pattern:
    _require_texts(name, field, setting)
    try:
        return Pattern(pattern)
    except ValueError as error:
        raise BadRule(name, field, str(error)) from error


def _require_texts(name: str, field: str, setting: Setting) -> None:
    if setting.modality is not Modality.TEXT:
        raise BadRule(name, field, "looks into texts, and the items are images: use metadata or expression")


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:10])
    return f"take one of {shown}" if len(names) <= 10 else f"take one of its {len(names)}, such as {shown}"
