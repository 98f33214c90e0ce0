"""What a change of the rules does to a sample of the items, measured before they vote on all."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from labelplane_aggregation.inferring import infer
from labelplane_aggregation.requests import Inference, Task
from labelplane_aggregation.sources import diagnose
from labelplane_core.tables import RULES

__all__ = ["RuleChange", "RuleNames", "compare_votes"]

_LISTED = 5
"""Names of each kind that a sentence lists."""

_LONGEST_NAME = 40


@dataclass(frozen=True, slots=True)
class RuleNames:
    """Which rules and knowledge bases differ, by name, sorted."""

    changed: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    @classmethod
    def between(cls, before: Mapping[str, str], after: Mapping[str, str]) -> "RuleNames":
        """Return what differs between the digests of two sets of rules."""
        return cls(
            changed=tuple(sorted(name for name in before.keys() & after.keys() if before[name] != after[name])),
            new=tuple(sorted(after.keys() - before.keys())),
            gone=tuple(sorted(before.keys() - after.keys())),
        )

    def __bool__(self) -> bool:
        """Return whether anything differs."""
        return bool(self.changed or self.new or self.gone)

    @property
    def words(self) -> str:
        """The names as a sentence has them, bounded."""
        kinds = {"changed": self.changed, "new": self.new, "gone": self.gone}
        return "; ".join(f"{kind}: {_some(names)}" for kind, names in kinds.items() if names)


@dataclass(frozen=True, slots=True)
class RuleChange:
    """What changes on a sample.

    Attributes:
        names: which rules differ.
        items: of the sample.
        covered: items with a vote, before and after.
        conflicting: items on which two disagree, before and after.
        labels: items by what becomes of the label that rules give alone: "changed", "new", "lost" or "same".
    """

    names: RuleNames
    items: int
    covered: tuple[int, int]
    conflicting: tuple[int, int]
    labels: Counter[str] = field(default_factory=Counter)

    @property
    def words(self) -> str:
        """The change in some hundred characters, for a status."""
        changed, new, lost = (self.labels[kind] for kind in ("changed", "new", "lost"))
        return (
            f"{self.names.words}. On {self.items:,} items drawn at random they cover {self._share(self.covered)}, and "
            f"disagree on {self._share(self.conflicting)}; of the labels that they give alone {changed:,} change, "
            f"{new:,} are new and {lost:,} are lost"
        )

    @property
    def figures(self) -> dict[str, float]:
        """The same in numbers: counts, and shares of the sample."""
        counts = {f"canary_{kind}": float(self.labels[kind]) for kind in ("changed", "new", "lost")}
        shares = {
            f"canary_{what}_{when}": count / max(self.items, 1)
            for what, pair in (("coverage", self.covered), ("conflict", self.conflicting))
            for when, count in zip(("before", "after"), pair, strict=True)
        }
        return {"canary_items": float(self.items), **counts, **shares}

    def _share(self, counts: tuple[int, int]) -> str:
        before, after = (f"{100 * count / max(self.items, 1):.1f} %" for count in counts)
        return f"{before} -> {after}"


def compare_votes(before: pa.Table, after: pa.Table, *, items: int, task: Task, names: RuleNames) -> RuleChange:
    """Return what changes between the `VOTES` of two sets of rules on the same items."""
    found = [_labels(votes, task) for votes in (before, after)]
    labels: Counter[str] = Counter()
    for item in found[0].keys() | found[1].keys():
        old, new = found[0].get(item), found[1].get(item)
        labels["same" if old == new else "new" if old is None else "lost" if new is None else "changed"] += 1
    diagnosed = [diagnose(votes, _annotators(votes), classes=task.classes) for votes in (before, after)]
    return RuleChange(
        names,
        items,
        covered=(diagnosed[0].covered, diagnosed[1].covered),
        conflicting=(diagnosed[0].conflicting, diagnosed[1].conflicting),
        labels=labels,
    )


def _labels(votes: pa.Table, task: Task) -> dict[str, str]:
    posteriors = infer(votes, task, Inference("OneCoin", {}, seed=0)).posteriors
    columns = (posteriors.column(name).to_pylist() for name in ("item_id", "answer"))
    return dict(zip(*columns, strict=True))


def _annotators(votes: pa.Table) -> dict[str, str]:
    return dict.fromkeys(votes.column("annotator").unique().to_pylist(), RULES)


def _some(names: Sequence[str]) -> str:
    listed = ", ".join(
        name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…" for name in names[:_LISTED]
    )
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return listed + more
