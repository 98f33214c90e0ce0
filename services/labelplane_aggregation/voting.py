"""The stage Vote: what people have answered since, and what rules and knowledge bases say, joins the table of votes."""

from labelplane_aggregation.inbox import ReviewInbox
from labelplane_aggregation.requests import VoteRequest
from labelplane_aggregation.source_voting import SourceVoting
from labelplane_core.operations import OperationContext, Outcome
from labelplane_core.process import ServiceParts
from labelplane_core.review_shares import ReviewShares
from labelplane_core.shards import Stage
from labelplane_core.storage import put_once
from labelplane_core.table_store import TableStore
from labelplane_core.tables import (
    KNOWLEDGE_BASES,
    RULES,
    VOTES,
    TableManifest,
    TablePart,
    current_votes,
    is_by_people,
)

__all__ = ["Vote"]


class Vote:
    """Drains the inbox and lets the job's sources vote.

    A file of people's votes is written once and belongs to every later manifest. Votes of rules and knowledge bases are
    those of the rules as they are now: what a removed rule said counts no more.
    """

    def __init__(self, parts: ServiceParts, inbox: ReviewInbox) -> None:
        self._store = parts.store
        self._layout = parts.layout
        self._tables = TableStore(parts.store)
        self._inbox = inbox
        self._sources = SourceVoting(parts)

    async def run(self, request: VoteRequest, context: OperationContext) -> Outcome:
        """Return the votes so far: the files of the last Vote, those drained since, and those of the sources."""
        before = await self._parts_before(request.previous_votes_ref)
        kept = [part for part in before if not self._is_of_sources(part)]
        known = {part.key for part in kept}
        keys, set_aside = await self._inbox.drain()
        new = [await self._inbox.describe(key) for key in keys if key not in known]
        people = (*kept, *new)
        context.check()
        sources = await self._sources.vote(request, before, context)
        manifest = TableManifest.of(VOTES, (*people, *sources.parts))
        key = self._layout.round_manifest(request.round_number, Stage.VOTE, request.attempt, context.generation)
        ref = await self._tables.write_manifest(key, manifest)
        counting = current_votes(await self._tables.read_parts(people, VOTES))
        by_people = counting.filter(is_by_people(counting))
        figures = {
            "votes": float(manifest.rows),
            "new_votes": float(sum(part.rows for part in new)),
            "people_votes": float(len(by_people)),
            "votes_set_aside": float(set_aside),
        }
        if sources.parts:
            figures["source_votes"] = float(sum(part.rows for part in sources.parts))
        results = {"votes": ref} | ({"rule_files": sources.rule_files} if sources.rule_files else {})
        if sources.change is not None:
            results["rule_change"] = sources.change.words
            figures |= sources.change.figures
        if sources.review_shares:
            shares_key = self._layout.round_file(
                request.round_number, Stage.VOTE, request.attempt, f"review-shares-{context.generation:04d}.json"
            )
            await put_once(self._store, shares_key, ReviewShares(sources.review_shares).to_json())
            results["review_shares"] = shares_key
        return Outcome(results, figures)

    async def _parts_before(self, ref: str) -> tuple[TablePart, ...]:
        return (await self._tables.read_manifest(ref, VOTES)).parts if ref else ()

    def _is_of_sources(self, part: TablePart) -> bool:
        folders = tuple(f"{self._layout.votes_folder(source)}/" for source in (RULES, KNOWLEDGE_BASES))
        return part.key.startswith(folders)
