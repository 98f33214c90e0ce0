"""`labelplane agreement`: how far the annotators of a file of votes agree."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labelplane_cli.errors import BadFile, BadUsage
from labelplane_cli.terminal import Next, output, print_next, short_path

if TYPE_CHECKING:
    import pyarrow as pa

    from labelplane_aggregation import VoteMatrix
    from labelplane_cli.agreeing.measuring import Measured

__all__ = ["Scale", "agreement"]


class Scale(StrEnum):
    """How far apart two classes are; the values of `labelplane_aggregation.Level`."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"


def agreement(
    *,
    votes: Annotated[
        Path, typer.Option(metavar="FILE", help="CSV, JSONL or Parquet with columns item, annotator and label.")
    ],
    scale: Annotated[Scale, typer.Option(help="How far apart two classes are, for alpha.")] = Scale.NOMINAL,
    order: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS,CLASS", help="All classes from low to high; needed where ordered ones are no numbers."
        ),
    ] = None,
    resamples: Annotated[
        int, typer.Option(min=0, max=100_000, help="Resamples of items for the intervals; 0 draws none.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the resamples.")] = 0,
    min_shared: Annotated[
        int, typer.Option(min=1, help="Items that two annotators must share to be listed as a pair.")
    ] = 10,
    output_file: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where all pairs go: CSV, JSONL or Parquet."),
    ] = None,
) -> None:
    """Measure how far annotators agree beyond chance, on which classes, and which two agree least."""
    from labelplane_cli.aggregating.reading import read_votes
    from labelplane_cli.agreeing.measuring import Bootstrap, hindrance, measure
    from labelplane_cli.agreeing.showing import show

    if output_file is not None:
        _check_output(output_file, votes)
    table = read_votes(votes)
    matrix = _matrix(table, order, scale)
    if why := hindrance(matrix):
        raise BadFile(f"{short_path(votes)}: {why}")
    found = measure(matrix, scale.value, Bootstrap(resamples, seed))
    if output_file is not None:
        _write_pairs(output_file, found)
    console = output()
    counts = f"{found.n_votes:,} votes on {found.n_items:,} items by {found.n_annotators:,} annotators"
    console.print(f"  {counts}, {found.alpha.n_items:,} items with two votes or more")
    for note in _notes(table, matrix, found):
        console.print(f"  {note}")
    show(console, found, scale=scale.value, shared=min_shared)
    print_next(console, _next(votes, output_file))


def _check_output(written: Path, read: Path) -> None:
    from labelplane_cli.table_writing import check_output

    if read.resolve() == written.resolve():
        raise BadUsage(f"--output {short_path(written)} is also read: name another file")
    check_output(written, "pairs")


def _matrix(table: "pa.Table", order: str | None, scale: Scale) -> "VoteMatrix":
    from labelplane_aggregation import VoteMatrix
    from labelplane_cli.agreeing.scales import ordered_classes, parse_order

    found = sorted(table.column("label").unique().to_pylist())
    given = None if order is None else parse_order(order)
    return VoteMatrix.from_table(table, classes=ordered_classes(found, given, scale=scale.value))


def _write_pairs(path: Path, found: "Measured") -> None:
    from labelplane_cli.table_writing import write_table

    if found.pairs is None:
        raise BadUsage(f"--output {short_path(path)}: annotators and classes are too many for a table: leave it out")
    write_table(path, found.pairs.table())


def _notes(table: "pa.Table", matrix: "VoteMatrix", found: "Measured") -> list[str]:
    replaced, without_weight = table.num_rows - matrix.n_votes, matrix.n_votes - found.n_votes
    notes = []
    if replaced:
        notes.append(f"{replaced:,} rows count no more: the same annotator answered the item again later")
    if without_weight:
        notes.append(f"{without_weight:,} votes of weight 0 are left out")
    if not ((matrix.weights == 0.0) | (matrix.weights == 1.0)).all():
        notes.append("weights do not count here: agreement is about answers")
    return notes


def _next(votes: Path, output_file: Path | None) -> list[Next]:
    from shlex import quote

    steps = [] if output_file is None else [("open", short_path(output_file))]
    command = f"labelplane aggregate --votes {quote(short_path(votes))} --output labels.csv"
    return [*steps, ("weigh annotators", command)]
