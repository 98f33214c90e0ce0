"""`labelplane votes push`: votes of any other tool, from a file into a running job."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labelplane_cli.errors import BadFile, BadUsage
from labelplane_cli.terminal import error_output, one_line, output

if TYPE_CHECKING:
    from labelplane_cli.pushing.pushing import Pushed

__all__ = ["votes"]

_FORMATS = ("csv", "json", "jsonl", "parquet")

votes = typer.Typer(no_args_is_help=True, help="Bring votes from elsewhere into a running job.")


@votes.callback()
def _group() -> None:
    """Bring votes from elsewhere into a running job."""


@votes.command("push")
def push(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE|-", help="CSV, JSONL or Parquet: item, label[, annotator]; or Label Studio's JSON."
        ),
    ],
    *,
    to: Annotated[
        str, typer.Option(metavar="LINK", envvar="LABELPLANE_REVIEW_URL", help="The owner's link of the review page.")
    ] = "",
    run_folder: Annotated[
        Path | None, typer.Option("--run", metavar="FOLDER", help="A run's folder on this machine, in place of --to.")
    ] = None,
    job: Annotated[str, typer.Option(help="The job's name, where the page shows several.")] = "",
    input_format: Annotated[str, typer.Option("--format", help="Of standard input: csv, json, jsonl or parquet.")] = "",
    token: Annotated[
        str, typer.Option(envvar="LABELPLANE_REVIEW_TOKEN", help="The owner's token, when the link has none.")
    ] = "",
    patience: Annotated[float, typer.Option(min=0, help="Seconds to wait for a page that is away.")] = 120.0,
) -> None:
    """Send a file of votes. The same command goes on where it was; what is known counts once."""
    from labelplane_cli.pushing.client import ReviewClient
    from labelplane_cli.pushing.memory import PushMemory, state_folder
    from labelplane_cli.pushing.pushing import push_rows
    from labelplane_cli.pushing.showing import showing
    from labelplane_cli.pushing.target import target_of_folder, target_of_link
    from labelplane_review.vote_files import read_rows

    name, data = _input(file, input_format)
    rows = list(read_rows(name, data))
    if bool(to) == (run_folder is not None):
        raise BadUsage("say where the votes go: --to LINK, or --run FOLDER of a run on this machine")
    target = target_of_link(to, token=token) if run_folder is None else target_of_folder(run_folder)
    errors = error_output()
    with ReviewClient(target, patience_seconds=patience) as client, showing(errors) as progress:
        found = client.job(job)
        pushed = push_rows(
            client,
            found,
            PushMemory(state_folder(), job_uid=found.uid, name=name),
            name=name,
            rows=rows,
            told=lambda line: errors.print(one_line(f"set aside: {line}")),
            progress=progress,
        )
    output().print(_summary(pushed))
    if pushed.set_aside:
        raise typer.Exit(1)


def _input(file: str, input_format: str) -> tuple[str, bytes]:
    """Return the file's name, which says its format, and its bytes."""
    if file == "-":
        if input_format not in _FORMATS:
            raise BadUsage(f"--format: say which of {', '.join(_FORMATS)} comes from standard input")
        return f"stdin.{input_format}", sys.stdin.buffer.read()
    path = Path(file)
    if path.suffix.lower().removeprefix(".") not in _FORMATS:
        raise BadFile(f"{file}: is no .csv, .json, .jsonl or .parquet file: rename it")
    return f"{path.stem}{path.suffix.lower()}", path.read_bytes()


def _summary(pushed: "Pushed") -> str:
    parts = [f"{pushed.accepted:,} new"]
    if pushed.duplicates:
        parts.append(f"{pushed.duplicates:,} were there already")
    if pushed.before:
        parts.append(f"{pushed.before:,} sent before")
    if pushed.set_aside:
        parts.append(f"{pushed.set_aside:,} set aside")
    return f"  {pushed.rows:,} rows: {', '.join(parts)}"
