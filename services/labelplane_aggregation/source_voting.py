"""Rules and knowledge bases at work: read, compiled, and run over the blocks of the index.

`votes/<source>/<digest>/part-<block>.parquet` holds the votes of one block. The digest is of everything that shapes
them, so a part is written once, whoever writes it, and a later round takes it as it is. When one rule changes, the
votes of the others are copied from the part before.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_aggregation.canary import RuleChange, RuleNames, compare_votes
from labelplane_aggregation.errors import BadKnowledgeBase, BadRule
from labelplane_aggregation.requests import Task, VoteRequest
from labelplane_aggregation.rule_files import ReadSources, keep_rule_files, read_rule_files
from labelplane_aggregation.sources import (
    Family,
    ItemBlock,
    KnowledgeBase,
    KnowledgeBaseSpec,
    Known,
    Setting,
    VoteSource,
    compile_rules,
    image_features,
    needed_files,
)
from labelplane_core.errors import BadKey, ObjectNotFound, StoreNotFound
from labelplane_core.items import ItemReader
from labelplane_core.operations import OperationContext
from labelplane_core.process import ServiceParts
from labelplane_core.seeds import generator
from labelplane_core.shards import Shard, Stage, plan_shards, work_in_process
from labelplane_core.storage import Layout, ObjectStore, put_once
from labelplane_core.table_store import TableStore
from labelplane_core.tables import INDEX, KNOWLEDGE_BASES, RULES, VOTES, TableManifest, TablePart
from labelplane_core.tasks import Modality, TaskKind

__all__ = ["SourceVotes", "SourceVoting", "read_annotators"]

_IMAGES_AT_ONCE = 64
"""Images that are in memory together; a block of large ones would not fit."""

_SAMPLE_ITEMS = 2000
"""Items on which a change of the rules is measured: a share is right within some two points."""

_SAMPLE_BLOCKS = 16
"""Blocks that they are drawn from, spread over the index."""

_FORM = 1


@dataclass(frozen=True, slots=True)
class SourceVotes:
    """What the sources have said.

    Attributes:
        parts: of the table of votes.
        rule_files: the key under which the files of rules are kept as they were; empty when none was read.
        change: what a change of the rules does to a sample; None where nothing has changed since the last Vote.
        review_shares: of rules whose items people look at, the share of them, by the rule's name.
    """

    parts: Sequence[TablePart] = ()
    rule_files: str = ""
    review_shares: Mapping[str, float] = field(default_factory=dict)
    change: RuleChange | None = None


class SourceVoting:
    """Lets a job's rules and knowledge bases vote on every item, gold included."""

    def __init__(self, parts: ServiceParts) -> None:
        self._parts = parts
        self._tables = TableStore(parts.store)

    async def vote(self, request: VoteRequest, before: Sequence[TablePart], context: OperationContext) -> SourceVotes:
        """Return the parts of the table of votes that the sources give; what is there already is not voted again.

        Where rules have changed since the last Vote, that is first measured on a sample, and then takes effect.

        Args:
            request: which rules and knowledge bases, and the index.
            before: the parts of the last Vote.
            context: of the operation.

        Raises:
            BadRule: a rule cannot be compiled.
            BadRuleFile: a file of rules holds something else.
            MissingRuleFile: a file of rules is not there.
            BadKnowledgeBase: a knowledge base cannot be read.
            ShardGivenUp: a block cannot be voted on.
        """
        if not (request.rules or request.knowledge_bases):
            return SourceVotes()
        sources = await asyncio.to_thread(
            read_rule_files, request.rules, request.knowledge_bases, self._parts.rules_folder
        )
        index = await self._tables.read_manifest(request.index_ref, INDEX)
        families = await self._families(request, sources)
        benches = [await self._bench(family, index.digest, before) for family in families]
        blocks = _VoteBlocks(
            store=self._parts.store,
            layout=self._parts.layout,
            tables=self._tables,
            items=ItemReader(self._parts.data, request.task.kind),
            kind=request.task.kind,
            index=index,
            benches=benches,
            context=context,
            parts={part.key: part for part in before},
        )
        shards = plan_shards(index.blocks, stage=Stage.VOTE, round_number=request.round_number, attempt=request.attempt)
        await self._prepare(blocks, shards)
        change = await self._change(request.task, blocks, before)
        await work_in_process(shards, blocks, clock=self._parts.clock)
        kept = await keep_rule_files(self._parts.store, self._parts.layout, sources.texts)
        parts = [await blocks.part(bench, block) for bench in benches for block in index.blocks]
        shares = {rule.name: rule.review_share for rule in sources.rules if rule.review_share > 0}
        return SourceVotes(parts, rule_files=kept, review_shares=shares, change=change)

    async def _families(self, request: VoteRequest, sources: ReadSources) -> list[Family]:
        setting = Setting(
            classes=request.task.classes,
            modality=request.task.kind.modality,
            metadata_fields=request.metadata_fields,
            trusted_packages=self._parts.trusted_packages,
        )
        try:
            rules = await asyncio.to_thread(compile_rules, sources.rules, setting)
            bases = [await self._knowledge_base(spec, setting) for spec in sources.knowledge_bases]
            _check_names(rules, bases)
        except BadRule as error:
            place = sources.place(error.rule, error.field)
            raise BadRule(error.rule, error.field, error.problem, place=place) from error
        families = [
            Family(RULES, rules, request.task.classes),
            Family(KNOWLEDGE_BASES, tuple(bases), request.task.classes),
        ]
        return [family for family in families if family.members]

    async def _knowledge_base(self, spec: KnowledgeBaseSpec, setting: Setting) -> KnowledgeBase:
        contents = {name: await self._file(spec, name) for name in needed_files(spec)}
        return KnowledgeBase(spec, contents, setting)

    async def _file(self, spec: KnowledgeBaseSpec, name: str) -> bytes:
        """Return a file below the knowledge base's address, or at it where `name` is empty."""
        address = spec.terms.uri.rstrip("/")
        folder, key = (address, name) if name else _split(address)
        try:
            return (await self._parts.open_address(folder).get(key)).data
        except (ObjectNotFound, StoreNotFound) as error:
            raise BadKnowledgeBase(spec.name, f"there is no file {key!r} at {folder!r}: correct its uri") from error
        except BadKey as error:
            raise BadKnowledgeBase(spec.name, f"uri: {error}") from error

    async def _bench(self, family: Family, index_digest: str, before: Sequence[TablePart]) -> "_Bench":
        """Write who votes, and find the votes of the last Vote that can be taken over."""
        layout, digest = self._parts.layout, family.digest(index_digest)
        key = layout.source_members(family.source, digest)
        members = {"form": _FORM, "digests": family.digests}
        await put_once(self._parts.store, key, json.dumps(members, indent=1).encode() + b"\n")
        old = _parts_of(before, layout, family.source)
        old_digest = _digest_of(old[0].key) if old else digest
        if old_digest == digest:
            return _Bench(family, digest)
        digests = await _read_members(self._parts.store, layout.source_members(family.source, old_digest))
        return _Bench(family, digest, {part.block: part.key for part in old if part.block is not None}, digests)

    async def _prepare(self, blocks: "_VoteBlocks", shards: Sequence[Shard]) -> None:
        """Make families ready that have to vote, so that what is wrong with their data is told once."""
        for bench in blocks.benches:
            if not all([await blocks.has(bench, block) for shard in shards for block in shard.blocks]):
                await asyncio.to_thread(bench.family.prepare)

    async def _change(self, task: Task, blocks: "_VoteBlocks", before: Sequence[TablePart]) -> RuleChange | None:
        """Measure a change of the rules on a sample; None without one, and for the first rules of a job."""
        layout, store = self._parts.layout, self._parts.store
        old = {source: _parts_of(before, layout, source) for source in (RULES, KNOWLEDGE_BASES)}
        if not any(old.values()):
            return None
        were: dict[str, str] = {}
        for source, parts in old.items():
            if parts:
                were |= await _read_members(store, layout.source_members(source, _digest_of(parts[0].key)))
        are = {name: digest for bench in blocks.benches for name, digest in bench.family.digests.items()}
        names = RuleNames.between(were, are)
        if not were or not names:
            return None
        keys = {part.key: part.block for parts in old.values() for part in parts}
        tables = [await blocks.sampled(block, keys) for block in _spread(blocks.index.blocks)]
        before_votes, after_votes = (pa.concat_tables([each[place] for each in tables]) for place in (0, 1))
        count = sum(each[2] for each in tables)
        return await asyncio.to_thread(compare_votes, before_votes, after_votes, items=count, task=task, names=names)


async def read_annotators(store: ObjectStore, layout: Layout, votes: TableManifest) -> dict[str, str]:
    """Return the rules and knowledge bases behind a table of votes, each with its source; also those without a vote."""
    found: dict[str, str] = {}
    for source in (RULES, KNOWLEDGE_BASES):
        if parts := _parts_of(votes.parts, layout, source):
            members = await _read_members(store, layout.source_members(source, _digest_of(parts[0].key)))
            found |= dict.fromkeys(members, source)
    return found


@dataclass(frozen=True, slots=True)
class _Bench:
    """A family on one index, and where the votes of the last round lie when others voted then."""

    family: Family
    digest: str
    old_keys: Mapping[int, str] = field(default_factory=dict)
    old_digests: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _VoteBlocks:
    """The handler that the shard worker calls."""

    store: ObjectStore
    layout: Layout
    tables: TableStore
    items: ItemReader
    kind: TaskKind
    index: TableManifest
    benches: Sequence[_Bench]
    context: OperationContext
    parts: dict[str, TablePart]
    rows_done: int = 0

    async def has_part(self, shard: Shard, block: int) -> bool:
        """Return whether every family has voted on the block."""
        del shard
        return all([await self.has(bench, block) for bench in self.benches])

    async def process(self, shard: Shard, block: int) -> None:
        """Let the families vote that have not, and write their parts."""
        del shard
        self.context.check()
        waiting = [bench for bench in self.benches if not await self.has(bench, block)]
        rows = await self.tables.read_part(self._index_key(block), INDEX)
        items = await self._items(rows, reads_pixels=any(bench.family.reads_pixels for bench in waiting))
        for bench in waiting:
            known = await self._known(bench, block)
            votes = await asyncio.to_thread(bench.family.vote, items, number=block, known=known)
            key = self._key(bench, block)
            self.parts[key] = await self.tables.write_part(key, votes, VOTES, block=block)
        self.rows_done += len(rows)
        self.context.progress(self.rows_done, self.index.rows, "items")

    async def sampled(self, block: int, old: Mapping[str, int | None]) -> tuple[pa.Table, pa.Table, int]:
        """Return what was and what is voted on a sample of a block's items, and how many these are.

        Args:
            block: its number.
            old: the blocks of the last Vote's parts, by key.
        """
        self.context.check()
        rows = await self.tables.read_part(self._index_key(block), INDEX)
        most = -(-_SAMPLE_ITEMS // min(len(self.index.blocks), _SAMPLE_BLOCKS))
        rows = rows.take(pa.array(np.sort(generator(0, "canary", block).permutation(len(rows))[:most])))
        items = await self._items(rows, reads_pixels=any(bench.family.reads_pixels for bench in self.benches))
        votes = [await asyncio.to_thread(bench.family.vote, items, number=block) for bench in self.benches]
        were = [await self.tables.read_part(key, VOTES) for key, number in old.items() if number == block]
        ids = rows.column("item_id").combine_chunks()
        said = [each.filter(pc.is_in(each.column("item_id"), value_set=ids)) for each in were]
        return pa.concat_tables(said or [VOTES.empty()]), pa.concat_tables(votes or [VOTES.empty()]), len(rows)

    async def has(self, bench: _Bench, block: int) -> bool:
        """Return whether a family has voted on a block, in this round or an earlier one."""
        key = self._key(bench, block)
        return key in self.parts or await self.store.exists(key)

    async def part(self, bench: _Bench, block: int) -> TablePart:
        """Return the part of a block that is done."""
        key = self._key(bench, block)
        if key not in self.parts:
            self.parts[key] = await self.tables.describe_part(key, VOTES, block=block)
        return self.parts[key]

    async def _known(self, bench: _Bench, block: int) -> Known | None:
        if block not in bench.old_keys:
            return None
        return Known(await self.tables.read_part(bench.old_keys[block], VOTES), bench.old_digests)

    async def _items(self, rows: pa.Table, *, reads_pixels: bool) -> ItemBlock:
        ids, meta = rows.column("item_id").to_pylist(), rows.column("meta").to_pylist()
        if self.kind.modality is Modality.TEXT:
            texts = [str(text) for text in await self.items.read(rows)]
            return ItemBlock(ids, texts=texts, meta=meta)
        return ItemBlock(ids, meta=meta, features=await self._features(rows) if reads_pixels else None)

    async def _features(self, rows: pa.Table) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
        measured = []
        for start in range(0, len(rows), _IMAGES_AT_ONCE):
            images = await self.items.read(rows.slice(start, _IMAGES_AT_ONCE))
            arrays = [image for image in images if isinstance(image, np.ndarray)]
            measured.append(await asyncio.to_thread(image_features, arrays))
        return {name: np.concatenate([each[name] for each in measured]) for name in measured[0]}

    def _index_key(self, block: int) -> str:
        return next(part.key for part in self.index.parts if part.block == block)

    def _key(self, bench: _Bench, block: int) -> str:
        return self.layout.source_votes(bench.family.source, bench.digest, block)


def _parts_of(parts: Sequence[TablePart], layout: Layout, source: str) -> list[TablePart]:
    folder = f"{layout.votes_folder(source)}/"
    return [part for part in parts if part.key.startswith(folder)]


def _spread(blocks: Sequence[int]) -> list[int]:
    """Return blocks from the first to the last, at even distances."""
    places = np.unique(np.linspace(0, len(blocks) - 1, min(len(blocks), _SAMPLE_BLOCKS)).astype(int))
    return [blocks[place] for place in places]


def _digest_of(key: str) -> str:
    return key.rsplit("/", 2)[-2]


async def _read_members(store: ObjectStore, key: str) -> dict[str, str]:
    """Return the members' digests by name; none where the list is gone, so that all vote again."""
    try:
        fields = json.loads((await store.get(key)).data)
    except ObjectNotFound:
        return {}
    return dict(fields["digests"]) if fields.get("form") == _FORM else {}


def _split(address: str) -> tuple[str, str]:
    folder, _, name = address.rpartition("/")
    return folder or ".", name


def _check_names(rules: Sequence[VoteSource], bases: Sequence[VoteSource]) -> None:
    names = [rule.name for rule in rules]
    for base in bases:
        if base.name in names:
            raise BadRule(base.name, "name", "a knowledge base has this name, too: rename one")
        names.append(base.name)
