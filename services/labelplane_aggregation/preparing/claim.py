"""Who owns an output prefix."""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any, Final

from labelplane_aggregation.errors import DatasetChanged, PrefixTaken
from labelplane_aggregation.requests import Dataset, Ownership, PrepareRequest
from labelplane_core.errors import AlreadyExists, DamagedRecord, ObjectNotFound
from labelplane_core.storage import Layout, ObjectStore

__all__ = ["claim_prefix", "read_owner"]

_OWNER: Final = ("installation", "namespace", "name")


async def claim_prefix(store: ObjectStore, layout: Layout, request: PrepareRequest) -> None:
    """Claim the prefix for the job, by a conditional put of `owner.json`; claiming it again changes nothing.

    The record also says which settings of the data set shaped the index, since blocks are numbered for good.

    Raises:
        PrefixTaken: another job has claimed it and the request does not adopt.
        DatasetChanged: the prefix holds an index that was made with other settings.
        DamagedRecord: `owner.json` is not ours.
        PreconditionFailed: two jobs adopt the prefix at once, and the other was faster.
    """
    claim = _Claim.of(request)
    try:
        await store.create(layout.owner, claim.to_json())
    except AlreadyExists:
        await _reclaim(store, layout, claim, may_adopt=request.ownership.adopt)


async def read_owner(store: ObjectStore, layout: Layout) -> Ownership | None:
    """Return the job that has claimed the prefix, None when none has.

    Raises:
        DamagedRecord: `owner.json` is not ours.
    """
    try:
        stored = await store.get(layout.owner)
    except ObjectNotFound:
        return None
    return _Claim.from_json(stored.data, key=layout.owner).owner


async def _reclaim(store: ObjectStore, layout: Layout, claim: "_Claim", *, may_adopt: bool) -> None:
    stored = await store.get(layout.owner)
    standing = _Claim.from_json(stored.data, key=layout.owner)
    if standing.owner != claim.owner and not may_adopt:
        raise PrefixTaken(
            f"this output prefix belongs to job {standing.owner.words}: take another output.prefix, or set "
            "output.adopt to go on with its data"
        )
    if standing.dataset != claim.dataset:
        raise DatasetChanged(
            f"this output prefix holds an index of job {standing.owner.words} that was made with other settings of the "
            "data set or another seed: take another output.prefix"
        )
    if standing != claim:
        await store.replace(layout.owner, claim.to_json(), etag=stored.etag)


@dataclass(frozen=True, slots=True)
class _Claim:
    owner: Ownership
    dataset: str

    @classmethod
    def of(cls, request: PrepareRequest) -> "_Claim":
        return cls(replace(request.ownership, adopt=False), _fingerprint(request))

    def to_json(self) -> bytes:
        owner = {name: getattr(self.owner, name) for name in _OWNER}
        return json.dumps(owner | {"dataset": self.dataset}, indent=1, sort_keys=True).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes, *, key: str) -> "_Claim":
        try:
            fields: dict[str, Any] = json.loads(data)
            return cls(Ownership(**{name: fields[name] for name in _OWNER}), fields["dataset"])
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedRecord(f"{key} is not an owner's claim ({error!r}): take another output.prefix") from error


def _fingerprint(request: PrepareRequest) -> str:
    """Return a digest of what shapes the index: not the classes, which may grow, nor the bound on errors."""
    dataset: Dataset = request.dataset
    shape = [
        request.task.kind.type_name,
        dataset.format.value,
        dataset.index,
        dataset.id_field,
        dataset.item_field,
        dataset.gold_field,
        dataset.gold_gate_share,
        list(dataset.metadata_fields),
        request.seed,
    ]
    return hashlib.sha256(json.dumps(shape).encode()).hexdigest()
