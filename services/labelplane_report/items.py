"""The items that a person should look at first, and how to show them."""

import base64
import html
from collections import defaultdict
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from labelplane_core.tasks import Modality, TaskKind
from labelplane_report.columns import Column, one_array
from labelplane_report.data import HardItem, ItemError, LabelState, Preview, VoteShown

__all__ = ["hard_items", "hardest_item_ids", "item_errors", "item_preview"]

_PIXELS = 128
_CHARACTERS = 280


def hardest_item_ids(labels: pa.Table, *, limit: int = 24, leave_out: Column | None = None) -> tuple[str, ...]:
    """Return the items of a LABELS table with the least confidence, least first, equal ones by id; at most `limit`.

    The caller reads these items alone to make previews. O(n log limit). Gold goes into `leave_out`.
    """
    rows = labels.select(["item_id", "confidence"])
    if leave_out is not None:
        rows = rows.filter(pc.invert(pc.is_in(rows.column("item_id"), value_set=leave_out)))
    options = pc.SelectKOptions(
        k=min(limit, len(rows)), sort_keys=[("confidence", "ascending"), ("item_id", "ascending")]
    )
    chosen = pc.call_function("select_k_unstable", [rows], options)
    return tuple(one_array(rows, "item_id").take(chosen).to_pylist())


def hard_items(
    item_ids: tuple[str, ...],
    labels: pa.Table,
    *,
    votes: pa.Table,
    truth: Mapping[str, str] | None = None,
    previews: Mapping[str, Preview] | None = None,
) -> tuple[HardItem, ...]:
    """Return what is shown of the items, in the order of `item_ids`; ids without a label are left out.

    Args:
        item_ids: Usually of `hardest_item_ids`.
        labels: A LABELS table.
        votes: The VOTES that count.
        truth: Class by item id.
        previews: By item id; an item without one shows its id alone.
    """
    wanted = pa.array(item_ids, pa.string())
    given = _votes_by_item(votes.filter(pc.is_in(votes.column("item_id"), value_set=wanted)))
    columns = ["item_id", "label", "confidence", "state"]
    rows = labels.select(columns).filter(pc.is_in(labels.column("item_id"), value_set=wanted)).to_pylist()
    by_id = {row["item_id"]: row for row in rows}
    return tuple(
        HardItem(
            item_id=item_id,
            label=by_id[item_id]["label"],
            confidence=by_id[item_id]["confidence"],
            state=LabelState(by_id[item_id]["state"]),
            votes=given.get(item_id, ()),
            truth=(truth or {}).get(item_id),
            preview=(previews or {}).get(item_id, Preview()),
        )
        for item_id in item_ids
        if item_id in by_id
    )


def item_errors(errors: pa.Table, *, limit: int = 100) -> tuple[ItemError, ...]:
    """Return the first `limit` rows of an ITEM_ERRORS table."""
    rows = errors.select(["item_id", "reason", "message"]).slice(0, limit).to_pylist()
    return tuple(ItemError(**row) for row in rows)


def item_preview(kind: TaskKind, raw: bytes | str, *, size: int = 0) -> Preview:
    """Return what shows an item: a picture of at most `size` pixels a side, or the first `size` characters of a text.

    Args:
        kind: The task kind, whose `thumbnail` is shown.
        raw: The item as it lies in the store or the index.
        size: 0 means 128 pixels, or 280 characters.

    Raises:
        BadItem: The item cannot be decoded.
    """
    if kind.modality is Modality.TEXT:
        # A thumbnail is escaped, and so is everything in the page: twice would show the entities.
        return Preview(text=html.unescape(kind.thumbnail(raw, size=size or _CHARACTERS)))
    address = kind.thumbnail(raw, size=size or _PIXELS)
    width, height = _png_size(address)
    return Preview(picture=address, width=width, height=height)


def _png_size(address: str) -> tuple[int, int]:
    """Return width and height from the header of a PNG in a `data:` address (PNG specification, 11.2.2)."""
    head = base64.b64decode(address.partition(",")[2][:32])
    return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])


def _votes_by_item(votes: pa.Table) -> dict[str, tuple[VoteShown, ...]]:
    grouped: defaultdict[str, list[VoteShown]] = defaultdict(list)
    ordered = votes.select(["item_id", "annotator", "answer"]).sort_by([("annotator", "ascending")])
    for row in ordered.to_pylist():
        grouped[row["item_id"]].append(VoteShown(row["annotator"], row["answer"]))
    return {item_id: tuple(shown) for item_id, shown in grouped.items()}
