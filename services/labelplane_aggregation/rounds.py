"""The record of a finished round: everything that it takes to run the round again."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Self

from labelplane_aggregation.requests import RoundRefs, StageRef, Task
from labelplane_core.errors import DamagedRecord, ObjectNotFound
from labelplane_core.operations import OperationRecord
from labelplane_core.storage import Layout, ObjectStore, put_once

__all__ = [
    "RoundRecord",
    "StageRecord",
    "close_round",
    "package_versions",
    "read_round_record",
    "read_round_records",
    "read_stage",
    "round_refs",
]

_FORM = 1
_PACKAGES = ("labelplane", "numpy", "numba", "pyarrow", "onnxruntime", "torch", "pillow")


@dataclass(frozen=True, slots=True)
class StageRecord:
    """One operation of a round.

    Attributes:
        request_id: the id it ran under.
        request: its RPC's message in proto JSON: parameters, seeds and references.
        results: references by name.
        figures: measurements by name.
        digests: of each result that is a table, the digest of its rows.
        seconds: wall time.
    """

    request_id: str
    request: Mapping[str, Any]
    results: Mapping[str, str]
    figures: Mapping[str, float]
    digests: Mapping[str, str] = field(default_factory=dict)
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """A finished round.

    Attributes:
        number: the round.
        task_type: the task kind.
        classes: the task's classes as they were.
        data_hash: digest of the index.
        stages: the operations, by stage name, in the order they ran.
        versions: of the packages that ran them.
    """

    number: int
    task_type: str
    classes: Sequence[str]
    data_hash: str
    stages: Mapping[str, StageRecord]
    versions: Mapping[str, str]

    def to_json(self) -> bytes:
        """Return the record as it lies in the store."""
        return json.dumps({"form": _FORM, **asdict(self)}, indent=1, ensure_ascii=False).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes, *, key: str) -> Self:
        """Return the record at `key`; `DamagedRecord` when it is none of this version."""
        try:
            fields: dict[str, Any] = json.loads(data)
            del fields["form"]
            stages = {name: StageRecord(**each) for name, each in fields.pop("stages").items()}
            return cls(stages=stages, **fields)
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DamagedRecord(f"{key} is not the record of a round ({error!r}): restore it from a backup") from error


async def close_round(
    store: ObjectStore,
    layout: Layout,
    *,
    number: int,
    task: Task,
    data_hash: str,
    stages: Sequence[StageRef],
    last: tuple[StageRef, Mapping[str, str], Mapping[str, float]],
) -> str:
    """Write the round's record unless it is there, and return its key: from then on the round is finished.

    Args:
        store: the job's store.
        layout: its keys.
        number: the round.
        task: what was asked.
        data_hash: digest of the index.
        stages: the finished operations of the round.
        last: the operation that closes the round, which is still running, with its results and figures.
    """
    records = {each.stage: await read_stage(store, layout, each.request_id) for each in stages}
    closing, results, figures = last
    own = await _operation(store, layout, closing.request_id)
    records[closing.stage] = StageRecord(
        closing.request_id, json.loads(own.request), dict(results), dict(figures), await _digests(store, results)
    )
    record = RoundRecord(number, task.kind.type_name, task.classes, data_hash, records, package_versions())
    await put_once(store, layout.round_record(number), record.to_json())
    return layout.round_record(number)


async def read_round_record(store: ObjectStore, layout: Layout, number: int) -> RoundRecord | None:
    """Return the record of a round, None when the round is not finished."""
    key = layout.round_record(number)
    try:
        stored = await store.get(key)
    except ObjectNotFound:
        return None
    return RoundRecord.from_json(stored.data, key=key)


async def read_round_records(store: ObjectStore, layout: Layout, numbers: Iterable[int]) -> list[RoundRecord]:
    """Return the records of those of these rounds that are finished, in the same order."""
    records = [await read_round_record(store, layout, number) for number in numbers]
    return [record for record in records if record is not None]


def round_refs(record: RoundRecord) -> RoundRefs:
    """Return what the report reads of a round, from its record."""

    def reference(stage: str, name: str) -> str:
        return record.stages[stage].results.get(name, "") if stage in record.stages else ""

    votes = record.stages["Vote"].figures.get("people_votes", 0.0) if "Vote" in record.stages else 0.0
    return RoundRefs(
        number=record.number,
        votes=int(votes),
        posteriors_ref=reference("Aggregate", "posteriors"),
        scores_ref=reference("Score", "scores"),
    )


async def read_stage(store: ObjectStore, layout: Layout, request_id: str) -> StageRecord:
    """Return what the record of an operation says; `ObjectNotFound` when it never ran."""
    operation = await _operation(store, layout, request_id)
    return StageRecord(
        request_id=request_id,
        request=json.loads(operation.request),
        results=dict(operation.results),
        figures=dict(operation.figures),
        digests=await _digests(store, operation.results),
        seconds=(operation.updated - operation.started).total_seconds(),
    )


def package_versions() -> dict[str, str]:
    """Return the versions of the packages that shape results, of those that are installed."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


async def _operation(store: ObjectStore, layout: Layout, request_id: str) -> OperationRecord:
    key = layout.operation(request_id)
    return OperationRecord.from_json((await store.get(key)).data, key=key)


async def _digests(store: ObjectStore, results: Mapping[str, str]) -> dict[str, str]:
    """Return the digests of those results that are manifests of tables."""
    found = {}
    for name, ref in results.items():
        if ref.endswith(".json") and (digest := _digest(await _read(store, ref))):
            found[name] = digest
    return found


async def _read(store: ObjectStore, key: str) -> bytes:
    try:
        return (await store.get(key)).data
    except ObjectNotFound:
        return b""


def _digest(data: bytes) -> str:
    try:
        fields = json.loads(data)
    except ValueError:
        return ""
    return str(fields.get("digest", "")) if isinstance(fields, dict) else ""
