"""The jobs of a namespace, a line each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.text import Text

from labelplane_cli.terminal import one_line
from labelplane_kubectl.columns import columns
from labelplane_kubectl.pressing import Weight, pressing, weight
from labelplane_kubectl.seen_job import SeenJob
from labelplane_kubectl.wording import age, labels_text, money_text, percent, percent_done, round_text, votes_text

__all__ = ["overview"]

_HEADINGS: Final = ("NAME", "STAGE", "ROUND", "LABELLED", "RIGHT", "VOTES", "COST", "AGE", "NOTE")
_NUMBERS: Final = frozenset({2, 3, 4, 5, 6, 7})
_LONGEST_NOTE: Final = 100


def overview(jobs: Sequence[SeenJob], *, now: datetime, everywhere: bool = False) -> list[Text]:
    """Return a table of jobs, by namespace and name.

    Args:
        jobs: at least one.
        now: the time, for their age.
        everywhere: whether they are of several namespaces, so that these have a column.
    """
    ordered = sorted(jobs, key=lambda seen: (seen.namespace, seen.name))
    rows = [_HEADINGS, *(_row(seen, now=now) for seen in ordered)]
    numbers = _NUMBERS
    if everywhere:
        namespaces = ("NAMESPACE", *(seen.namespace for seen in ordered))
        rows = [(namespace, *row) for namespace, row in zip(namespaces, rows, strict=True)]
        numbers = frozenset(place + 1 for place in _NUMBERS)
    head, *lines = columns(rows, right=numbers)
    return [
        Text(head, style="dim"),
        *(Text(line, style=_style(seen)) for line, seen in zip(lines, ordered, strict=True)),
    ]


def _row(seen: SeenJob, *, now: datetime) -> tuple[str, ...]:
    status = seen.status
    return (
        seen.name,
        f"{seen.stage} {percent_done(status)}".rstrip(),
        round_text(seen),
        labels_text(status),
        percent(status.model.accuracy if status.model else None),
        votes_text(seen),
        money_text(seen),
        age(seen.created, now=now),
        _note(seen),
    )


def _note(seen: SeenJob) -> str:
    first = next(iter(pressing(seen.status.conditions)), None)
    if first is None:
        return ""
    text = one_line(f"{first.reason}: {first.message}" if first.message else first.reason)
    return text if len(text) <= _LONGEST_NOTE else f"{text[: _LONGEST_NOTE - 3]}..."


def _style(seen: SeenJob) -> str:
    weights = {weight(each) for each in seen.status.conditions}
    if Weight.WRONG in weights:
        return "red"
    return "yellow" if Weight.WARNING in weights else ""
