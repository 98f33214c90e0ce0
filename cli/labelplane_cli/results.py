"""Reading what a run has left in its folder."""

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from labelplane_api.job import LabelingJob
from labelplane_api.status import Stage
from labelplane_cli.embedded.run_folder import RunFolder
from labelplane_cli.errors import BadFile
from labelplane_core.storage import FolderStore, Layout
from labelplane_core.table_store import TableStore
from labelplane_core.tables import TableSchema
from labelplane_operator.history import last_reference

__all__ = ["RunResults", "open_results"]


@dataclass(frozen=True, slots=True)
class RunResults:
    """A run's job with its status, and its tables.

    Attributes:
        folder: where it ran.
        job: its spec and status.
        layout: the keys of its store.
        store: its store.
    """

    folder: Path
    job: LabelingJob
    layout: Layout
    store: FolderStore

    async def table(self, ref: str, schema: TableSchema) -> pa.Table:
        """Return the whole table at `ref`; an empty one when `ref` is empty."""
        return await TableStore(self.store).read(ref, schema) if ref else schema.empty()

    async def newest(self, stage: Stage, name: str, schema: TableSchema) -> pa.Table:
        """Return the newest table of a stage; an empty one when no round has it yet."""
        if stage is Stage.FINALIZE:
            ref = self.job.status.finalize.results.get(name, "") if self.job.status.finalize else ""
        else:
            ref = last_reference(self.job.status, stage, name)
        return await self.table(ref, schema)


def open_results(folder: Path) -> RunResults:
    """Return what lies in the folder of a run.

    Raises:
        BadFile: it is no folder of a run, or its results lie in object storage.
    """
    state = RunFolder(folder).read_state() if folder.is_dir() else None
    if state is None:
        raise BadFile(f"{folder}: no run in this folder: give the --out of labelplane run")
    job = LabelingJob.model_validate(
        {"metadata": {"name": state.name, "uid": state.uid}, "spec": state.spec}
    ).with_status(state.status)
    layout = Layout()
    if job.status.prepare is not None and not (folder / layout.index_manifest).exists():
        raise BadFile(f"{folder}: the results lie in object storage ({job.spec.storage.uri}): copy them here first")
    return RunResults(folder, job, layout, FolderStore(folder))
