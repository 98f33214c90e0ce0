"""Prints what rules do: to people as tables and examples, to programs as JSON."""

import json
from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from labelplane_cli.ruling.reading import Sample
from labelplane_cli.ruling.trying import Change, Tried
from labelplane_cli.terminal import printable

__all__ = ["as_json", "show", "show_change"]

_SNIPPET: Final = 80
_CONFLICTS: Final = 5

Row = dict[str, Any]


def show(console: Console, tried: Tried, sample: Sample, *, examples: int) -> None:
    """Print the table of rules, then examples of what each votes on and of items on which they disagree."""
    console.print(_summary(tried, sample))
    console.print(_table(tried, len(sample.item_ids)))
    for name in tried.diagnosed.silent:
        console.print(f"  {printable(name)} never votes: correct it, or take it out")
    for failure in tried.failures:
        count = f"{failure.count:,} item{'s' if failure.count > 1 else ''}"
        console.print(f"  {printable(failure.rule)} failed on {count} and abstained; {printable(failure.first)}")
    if examples:
        _show_hits(console, tried, sample, examples)
        _show_conflicts(console, tried, sample)


def show_change(console: Console, change: Change, sample: Sample, *, examples: int) -> None:
    """Print what the second file of rules would change."""
    counts = change.counts
    console.print(
        f"  with the other rules: {counts['changed']:,} labels change, {counts['new']:,} are new, "
        f"{counts['lost']:,} are lost, {counts['same']:,} items stay as they are"
    )
    moved = {name: pair for name, pair in change.hits.items() if pair[0] != pair[1]}
    if moved:
        table = _plain("rule", "items before", "items after")
        for name, pair in moved.items():
            table.add_row(f"  {printable(name)}", *("-" if each is None else f"{each:,}" for each in pair))
        console.print(table)
    texts = dict(zip(sample.item_ids, sample.texts, strict=True))
    for item, old, new in change.items[:examples]:
        console.print(f"  {printable(item)}: {old or 'no label'} -> {new or 'no label'}   {_snippet(texts[item])}")


def as_json(tried: Tried, sample: Sample, change: Change | None, *, examples: int) -> str:
    """Return all of it as one JSON object."""
    found: Row = {
        "items": len(sample.item_ids),
        "covered": tried.diagnosed.covered,
        "overlapping": tried.diagnosed.overlapping,
        "conflicting": tried.diagnosed.conflicting,
        "right": None if tried.right is None else {"right": tried.right[0], "of": tried.right[1]},
        "rules": [_rule(each, len(sample.item_ids)) for each in tried.diagnosed.table.to_pylist()],
        "failures": [{"rule": each.rule, "items": each.count, "first": each.first} for each in tried.failures],
        "conflicts": [
            {"item": item, "votes": [{"rule": rule, "label": label} for rule, label in votes]}
            for item, votes in _conflicts(tried)[:examples]
        ],
    }
    if change is not None:
        found["diff"] = {
            **{name: change.counts[name] for name in ("changed", "new", "lost", "same")},
            "rules": [
                {"rule": name, "before": before, "after": after} for name, (before, after) in change.hits.items()
            ],
            "items": [{"item": item, "before": old or None, "after": new or None} for item, old, new in change.items],
        }
    return json.dumps(found, ensure_ascii=False, indent=1)


def _summary(tried: Tried, sample: Sample) -> str:
    count, total = len(sample.item_ids), sample.total
    drawn = f"{count:,} items" if count == total else f"{count:,} of {total:,} items"
    found = tried.diagnosed
    parts = [
        f"{drawn}: {_share(found.covered, count)} covered",
        f"{_share(found.overlapping, count)} by several rules",
        f"{_share(found.conflicting, count)} in conflict",
    ]
    if tried.right is not None and tried.right[1]:
        right, known = tried.right
        parts.append(f"together they are right on {_share(right, known)} of {known:,} known items that they cover")
    return f"  {', '.join(parts)}"


def _table(tried: Tried, n_items: int) -> Table:
    table = _plain("rule", "votes", "coverage", "overlap", "conflict", "outvoted", "estimated", "measured")
    for row in tried.diagnosed.table.to_pylist():
        hits, gold = row["hits"], row["gold_hits"]
        answers = sum(count > 0 for count in row["answers"])
        table.add_row(
            f"  {printable(row['annotator'])}",
            "never" if not hits else f"{answers} classes" if answers > 1 else _only(tried, row),
            _share(hits, n_items),
            _share(row["overlaps"], hits),
            _share(row["conflicts"], hits),
            f"{row['outvoted']:,}" if row["outvoted"] else "-",
            "-" if row["estimated_accuracy"] is None else f"{100 * row['estimated_accuracy']:.0f} %",
            f"{_share(row['gold_right'], gold)} of {gold:,}" if gold else "-",
        )
    return table


def _only(tried: Tried, row: Row) -> str:
    votes = tried.votes.filter(tried.votes.column("annotator").to_numpy() == row["annotator"])
    return printable(str(votes.column("answer")[0].as_py()))


def _show_hits(console: Console, tried: Tried, sample: Sample, examples: int) -> None:
    texts = dict(zip(sample.item_ids, sample.texts, strict=True))
    shown: dict[str, list[str]] = {}
    for item, votes in tried.answers(with_outvoted=True).items():
        for rule, label in votes:
            lines = shown.setdefault(rule, [])
            if len(lines) < examples:
                lines.append(f"    {printable(item)} -> {printable(label)}   {_snippet(texts[item])}")
    console.print("  examples")
    for name in tried.diagnosed.table.column("annotator").to_pylist():
        if name in shown:
            console.print(f"  {printable(name)}")
            for line in shown[name]:
                console.print(line)


def _show_conflicts(console: Console, tried: Tried, sample: Sample) -> None:
    conflicts = _conflicts(tried)
    if not conflicts:
        return
    texts = dict(zip(sample.item_ids, sample.texts, strict=True))
    console.print("  conflicts")
    for item, votes in conflicts[:_CONFLICTS]:
        said = ", ".join(f"{printable(rule)} -> {printable(label)}" for rule, label in votes)
        console.print(f"    {printable(item)}: {said}   {_snippet(texts[item])}")


def _conflicts(tried: Tried) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return items on which two annotators disagree, with all their votes."""
    found = []
    for item, votes in tried.answers(with_outvoted=True).items():
        said: Mapping[str, set[str]] = {rule: {label for name, label in votes if name == rule} for rule, _ in votes}
        if len(said) > 1 and len(set().union(*said.values())) > 1:
            found.append((item, votes))
    return found


def _rule(row: Row, n_items: int) -> Row:
    return {
        "name": row["annotator"],
        "source": row["source"],
        "hits": row["hits"],
        "coverage": row["hits"] / n_items,
        "overlaps": row["overlaps"],
        "conflicts": row["conflicts"],
        "outvoted": row["outvoted"],
        "estimated_accuracy": row["estimated_accuracy"],
        "gold_hits": row["gold_hits"],
        "gold_right": row["gold_right"],
    }


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"


def _snippet(text: str) -> str:
    line = " ".join(text.split())
    return printable(line if len(line) <= _SNIPPET else f"{line[: _SNIPPET - 1]}…")


def _plain(first: str, *others: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column(f"  {first}")
    for name in others:
        table.add_column(name, justify="left" if name == "votes" else "right")
    return table
