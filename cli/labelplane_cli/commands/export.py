"""`labelplane export`: the labels of a run in another format or place."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labelplane_cli.terminal import output, print_next, short_path

if TYPE_CHECKING:
    import pyarrow as pa

    from labelplane_cli.results import RunResults

__all__ = ["export"]


def export(
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="The folder of a run.")],
    target: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write; its ending names the format.")
    ],
    *,
    state: Annotated[
        str, typer.Option(help="Only labels of this state: human, accepted or predicted.", metavar="STATE")
    ] = "",
) -> None:
    """Write the labels of a finished run as CSV, JSONL or Parquet."""
    import asyncio
    import io

    from labelplane_cli.errors import BadUsage
    from labelplane_cli.replacing import check_folder_of, replace_file
    from labelplane_cli.results import open_results
    from labelplane_report import EXPORT_FORMATS
    from labelplane_report.data import LabelState

    chosen = next((each for each in EXPORT_FORMATS.values() if each.suffix == target.suffix.lower()), None)
    if chosen is None:
        endings = ", ".join(each.suffix for each in EXPORT_FORMATS.values())
        raise BadUsage(f"--output {target}: the ending names the format: use one of {endings}")
    if state and state not in set(LabelState):
        raise BadUsage(f"--state {state}: is none of {', '.join(LabelState)}: choose one of them")
    check_folder_of(target)
    table = asyncio.run(_exported(open_results(folder), state))
    sink = io.BytesIO()
    chosen.write(table, sink)
    replace_file(target, sink.getvalue())
    console = output()
    console.print(f"  {len(table):,} labels")
    print_next(console, [("use the labels", short_path(target))])


async def _exported(results: "RunResults", state: str) -> "pa.Table":
    import pyarrow.compute as pc

    from labelplane_api.status import Stage
    from labelplane_cli.errors import BadFile
    from labelplane_core.tables import INDEX, LABELS
    from labelplane_report import export_table

    if results.job.status.finalize is None:
        raise BadFile(
            f"{results.folder}: the run is not finished, so there are no labels yet: go on with labelplane run"
        )
    labels = await results.newest(Stage.FINALIZE, "labels", LABELS)
    if state:
        labels = labels.filter(pc.equal(labels.column("state"), state))
    index = await results.newest(Stage.PREPARE, "index", INDEX)
    return export_table(labels, index, metadata_fields=results.job.spec.dataset.metadata_fields)
