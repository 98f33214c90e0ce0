"""`labelplane export`: the labels of a run in another format or place."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labelplane_cli.terminal import output, print_next, short_path

if TYPE_CHECKING:
    from labelplane_cli.results import RunResults

__all__ = ["export"]

LABEL_STUDIO = "label-studio"


def export(
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="The folder of a run.")],
    target: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write; its ending names the format.")
    ],
    *,
    format_name: Annotated[
        str,
        typer.Option("--format", metavar="FORMAT", help="csv, jsonl, parquet or label-studio, whatever the ending."),
    ] = "",
    state: Annotated[
        str, typer.Option(help="Only labels of this state: human, accepted or predicted.", metavar="STATE")
    ] = "",
) -> None:
    """Write the labels of a finished run as CSV, JSONL, Parquet or Label Studio's JSON (.json)."""
    import asyncio

    from labelplane_cli.errors import BadUsage
    from labelplane_cli.replacing import check_folder_of, replace_file
    from labelplane_cli.results import open_results
    from labelplane_report.data import LabelState

    name = _format(target, format_name)
    if state and state not in set(LabelState):
        raise BadUsage(f"--state {state}: is none of {', '.join(LabelState)}: choose one of them")
    check_folder_of(target)
    labels, data = asyncio.run(_exported(open_results(folder), state, name))
    replace_file(target, data)
    console = output()
    console.print(f"  {labels:,} labels")
    print_next(console, [("use the labels", short_path(target))])


def _format(target: Path, wanted: str) -> str:
    """Return the format that is asked for, or the one that the file's ending names."""
    from labelplane_cli.errors import BadUsage
    from labelplane_report import EXPORT_FORMATS

    endings = {each.suffix: each.name for each in EXPORT_FORMATS.values()} | {".json": LABEL_STUDIO}
    if wanted and wanted.lower() not in endings.values():
        raise BadUsage(f"--format {wanted}: is none of {', '.join(endings.values())}: choose one of them")
    if not wanted and target.suffix.lower() not in endings:
        raise BadUsage(f"--output {target}: the ending names the format: use one of {', '.join(endings)}")
    return wanted.lower() or endings[target.suffix.lower()]


async def _exported(results: "RunResults", state: str, name: str) -> tuple[int, bytes]:
    """Return how many labels there are, and the file."""
    import io

    import pyarrow.compute as pc

    from labelplane_api.status import Stage
    from labelplane_cli.errors import BadFile
    from labelplane_core.tables import INDEX, LABELS
    from labelplane_report import export_format, export_table, write_label_studio

    if results.job.status.finalize is None:
        raise BadFile(
            f"{results.folder}: the run is not finished, so there are no labels yet: go on with labelplane run"
        )
    labels = await results.newest(Stage.FINALIZE, "labels", LABELS)
    if state:
        labels = labels.filter(pc.equal(labels.column("state"), state))
    index = await results.newest(Stage.PREPARE, "index", INDEX)
    dataset, sink = results.job.spec.dataset, io.BytesIO()
    if name == LABEL_STUDIO:
        write_label_studio(labels, index, sink, address=dataset.uri if "://" in dataset.uri else "")
    else:
        export_format(name).write(export_table(labels, index, metadata_fields=dataset.metadata_fields), sink)
    return len(labels), sink.getvalue()
