"""The truth of a data set, for the simulated crowd, the report and the bench; nothing else reads it."""

from dataclasses import dataclass

from labelplane_aggregation.columns import as_text
from labelplane_aggregation.preparing.listing import read_listing
from labelplane_aggregation.requests import Dataset, Task
from labelplane_core.errors import BadVote
from labelplane_core.storage import ObjectStore

__all__ = ["Truth", "read_truth"]


@dataclass(frozen=True, slots=True)
class Truth:
    """The class of each item whose truth is known; `unknown` counts cells that name no class."""

    classes: dict[str, str]
    unknown: int = 0


async def read_truth(data: ObjectStore, task: Task, dataset: Dataset, *, field: str) -> Truth:
    """Return the truth in the column `field`, through the same reader as Prepare; errors as `read_listing`.

    A cell that names no class is counted and left out: truth measures, it decides nothing.
    """
    listing = await read_listing(data, task, dataset, fields=(field,))
    known: dict[str, str] = {}
    unknown = 0
    for item_id, value in zip(listing.item_ids, listing.fields[field], strict=True):
        text = as_text(value)
        if not text:
            continue
        try:
            known[item_id] = task.kind.parse_answer(text, task.classes)
        except BadVote:
            unknown += 1
    return Truth(known, unknown)
