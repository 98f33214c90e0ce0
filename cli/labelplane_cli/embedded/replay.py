"""Running the stages of a finished round again, from its record, and comparing what they give.

Nothing is written to the job's store: the new results lie in memory above it.
"""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pyarrow.compute as pc
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from labelplane.aggregation.v1 import aggregation_pb2 as aggregation
from labelplane.distillation.v1 import distillation_pb2 as distillation
from labelplane.scoring.v1 import scoring_pb2 as scoring
from labelplane_aggregation.rounds import RoundRecord, StageRecord, read_round_record
from labelplane_api.status import Stage
from labelplane_cli.embedded.addresses import RunAddresses
from labelplane_cli.embedded.run_folder import RunFolder
from labelplane_cli.embedded.services import running_services
from labelplane_cli.errors import BadUsage, JobHasFailed
from labelplane_core.clock import Clock
from labelplane_core.storage import Layout, ObjectStore, OverlayStore, open_store
from labelplane_core.table_store import TableStore
from labelplane_core.tables import POSTERIORS, SCORES, SELECTION, TableSchema
from labelplane_operator.observed import OperationState, OperationView
from labelplane_operator.requests import StageRequest
from labelplane_operator.service_calls import ServiceCalls

__all__ = ["Compared", "replay"]

LEAST_SAME_LABELS: Final = 0.999
"""The share of labels that a model trained and run again must give alike: arithmetic may differ in the last bit."""

_REPLAY_ATTEMPT: Final = 1_000_000
"""An attempt that no job comes to, so that results of a replay never meet those of the round."""

_WAIT_SECONDS: Final = 5.0
_MESSAGES: Final[Mapping[Stage, Callable[[], Message]]] = {
    Stage.AGGREGATE: aggregation.StartAggregateRequest,
    Stage.TRAIN: distillation.StartTrainRequest,
    Stage.SCORE: scoring.StartScoreRequest,
    Stage.SELECT: scoring.StartSelectRequest,
}
_TABLES: Final[Mapping[Stage, tuple[str, TableSchema]]] = {
    Stage.AGGREGATE: ("posteriors", POSTERIORS),
    Stage.SCORE: ("scores", SCORES),
    Stage.SELECT: ("selection", SELECTION),
}


@dataclass(frozen=True, slots=True)
class Compared:
    """One stage of a round, run again.

    Attributes:
        stage: which.
        is_same: whether it gave what a replay promises.
        is_exact: whether the digests are equal to the bit.
        detail: the finding in words.
    """

    stage: Stage
    is_same: bool
    is_exact: bool
    detail: str


async def replay(addresses: RunAddresses, number: int, *, clock: Clock) -> list[Compared]:
    """Run the stages of a finished round again that measure or choose, and compare them with what stands.

    Aggregate and Select must give the same digest of their rows. Train and Score must give the same labels on at least
    99.9 % of the items; in deterministic mode their digests are equal, too.

    Raises:
        BadUsage: the round is not finished.
        JobHasFailed: a stage cannot be run again.
        RunIsLive: the job runs just now.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(RunFolder(addresses.folder).held())
        below = addresses.open_store()
        record = await read_round_record(below, Layout(), number)
        if record is None:
            raise BadUsage(f"--replay {number}: no such finished round in {addresses.folder}: name an earlier one")
        store = OverlayStore(below, open_store("memory://"))
        socket = Path(stack.enter_context(TemporaryDirectory(prefix="labelplane-"))) / "services.sock"
        stores = addresses.open_stores(store=store)
        channel = await stack.enter_async_context(running_services(stores, address=f"unix:{socket}", clock=clock))
        return await _Replay(record, store, ServiceCalls(channel)).run()


class _Replay:
    def __init__(self, record: RoundRecord, store: ObjectStore, calls: ServiceCalls) -> None:
        self._record = record
        self._tables = TableStore(store)
        self._calls = calls
        self._model_ref = ""

    async def run(self) -> list[Compared]:
        return [await self._stage(stage) for stage in _MESSAGES if stage.value in self._record.stages]

    async def _stage(self, stage: Stage) -> Compared:
        recorded = self._record.stages[stage.value]
        results = await self._again(stage, recorded)
        if stage is Stage.TRAIN:
            return self._compare_models(recorded, results)
        name, schema = _TABLES[stage]
        manifest = await self._tables.read_manifest(results[name], schema)
        before, after = recorded.digests.get(name, ""), manifest.digest
        if before == after:
            return Compared(stage, is_same=True, is_exact=True, detail=f"{name} {after[:12]}")
        if stage is Stage.SCORE:
            return await self._compare_scores(recorded.results[name], results[name])
        return Compared(stage, is_same=False, is_exact=False, detail=f"{name} {before[:12]} before, {after[:12]} now")

    async def _again(self, stage: Stage, recorded: StageRecord) -> Mapping[str, str]:
        message: Any = ParseDict(dict(recorded.request), _MESSAGES[stage](), ignore_unknown_fields=True)
        message.invocation.request_id = f"{recorded.request_id}/replay"
        message.round.attempt = _REPLAY_ATTEMPT
        if stage is Stage.SCORE and self._model_ref:
            message.model_ref = self._model_ref
        view = await self._calls.start(StageRequest(stage, message.invocation.request_id, message))
        while view.state is OperationState.RUNNING:
            await self._calls.wait_for_end(view.request_id, seconds=_WAIT_SECONDS)
            view = await self._calls.get(view.request_id) or view
        return _results(stage, view)

    def _compare_models(self, recorded: StageRecord, results: Mapping[str, str]) -> Compared:
        before, after = (ref["model"].rsplit("/", 1)[-1] for ref in (recorded.results, results))
        is_exact = before == after
        if self._scored_with(recorded.results["model"]):
            self._model_ref = results["model"]
        words = f"model {after[:12]}" if is_exact else f"model {before[:12]} before, {after[:12]} now: see Score"
        return Compared(Stage.TRAIN, is_same=True, is_exact=is_exact, detail=words)

    def _scored_with(self, model_ref: str) -> bool:
        """Whether the round scored with the model that it trained, not with an older one that stood."""
        score = self._record.stages.get(Stage.SCORE.value)
        return score is not None and model_ref in {score.request.get("modelRef"), score.request.get("model_ref")}

    async def _compare_scores(self, before_ref: str, after_ref: str) -> Compared:
        before = (await self._tables.read(before_ref, SCORES)).sort_by("item_id").column("prediction")
        after = (await self._tables.read(after_ref, SCORES)).sort_by("item_id").column("prediction")
        share = pc.mean(pc.equal(before, after).cast("float64")).as_py() if len(before) == len(after) else 0.0
        return Compared(
            Stage.SCORE,
            is_same=share >= LEAST_SAME_LABELS,
            is_exact=False,
            detail=f"{100 * share:.2f} % of {len(after):,} predictions are the same",
        )


def _results(stage: Stage, view: OperationView) -> Mapping[str, str]:
    if view.state is not OperationState.SUCCEEDED:
        why = view.error.message if view.error else view.state.value
        raise JobHasFailed(f"{stage.value} cannot be run again: {why}")
    return view.results
