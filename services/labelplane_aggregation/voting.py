"""The stage Vote: what people have answered since becomes part of the table of votes."""

from labelplane_aggregation.inbox import ReviewInbox
from labelplane_aggregation.requests import VoteRequest
from labelplane_core.operations import OperationContext, Outcome
from labelplane_core.process import ServiceParts
from labelplane_core.shards import Stage
from labelplane_core.table_store import TableStore
from labelplane_core.tables import VOTES, TableManifest, TablePart, current_votes

__all__ = ["Vote"]


class Vote:
    """Drains the inbox. A file of votes is written once and belongs to every later manifest."""

    def __init__(self, parts: ServiceParts, inbox: ReviewInbox) -> None:
        self._layout = parts.layout
        self._tables = TableStore(parts.store)
        self._inbox = inbox

    async def run(self, request: VoteRequest, context: OperationContext) -> Outcome:
        """Return the votes so far: the files of the last Vote and those that were drained since."""
        before = await self._parts_before(request.previous_votes_ref)
        known = {part.key for part in before}
        keys, set_aside = await self._inbox.drain()
        new = [await self._inbox.describe(key) for key in keys if key not in known]
        context.check()
        manifest = TableManifest.of(VOTES, (*before, *new))
        key = self._layout.round_manifest(request.round_number, Stage.VOTE, request.attempt, context.generation)
        ref = await self._tables.write_manifest(key, manifest)
        counting = current_votes(await self._tables.read_parts(manifest.parts, VOTES))
        figures = {
            "votes": float(manifest.rows),
            "new_votes": float(sum(part.rows for part in new)),
            "people_votes": float(len(counting)),
            "votes_set_aside": float(set_aside),
        }
        return Outcome({"votes": ref}, figures)

    async def _parts_before(self, ref: str) -> tuple[TablePart, ...]:
        return (await self._tables.read_manifest(ref, VOTES)).parts if ref else ()
