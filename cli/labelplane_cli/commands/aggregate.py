"""`labelplane aggregate`: labels from a file of votes, without a job."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from labelplane_cli.errors import BadFile, BadUsage
from labelplane_cli.terminal import output, print_next, printable, short_path

if TYPE_CHECKING:
    from labelplane_cli.aggregating.inference import Inferred
    from labelplane_report.data import Proportion

__all__ = ["Method", "aggregate"]

_SHOWN = 5


class Method(StrEnum):
    """How votes become labels."""

    MAJORITY_VOTE = "majority-vote"
    WEIGHTED_MAJORITY_VOTE = "weighted-majority-vote"
    DAWID_SKENE = "dawid-skene"
    ONE_COIN = "one-coin"
    GLAD = "glad"
    MACE = "mace"
    VARIATIONAL_BAYES = "variational-bayes"
    MINIMAX_ENTROPY = "minimax-entropy"
    LABEL_MODEL = "label-model"
    AUTO = "auto"

    @property
    def model(self) -> str:
        """The name of its model in `labelplane_aggregation.MODELS`."""
        return "".join(word.capitalize() for word in self.value.split("-"))


_COUNTING = frozenset({Method.MAJORITY_VOTE, Method.WEIGHTED_MAJORITY_VOTE})
"""Methods that tell how far annotators agree and not how often they are right."""


def aggregate(
    *,
    votes: Annotated[
        Path,
        typer.Option(metavar="FILE", help="CSV, JSONL or Parquet with columns item, annotator, label, perhaps weight."),
    ],
    output_file: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where the labels go: CSV, JSONL or Parquet.")
    ],
    method: Annotated[Method, typer.Option(help="How votes become labels.")] = Method.AUTO,
    truth: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Columns item and label, to measure the labels by.")
    ] = None,
) -> None:
    """Infer labels, confidences and how reliable each annotator is from a file of votes."""
    from labelplane_cli.aggregating.inference import infer
    from labelplane_cli.aggregating.reading import read_truth, read_votes
    from labelplane_cli.table_writing import check_output, write_table

    _check_different(output_file, votes, truth)
    check_output(output_file, "labels")
    table = read_votes(votes)
    known = read_truth(truth) if truth is not None else None
    found = infer(table, method.model)
    right = None if known is None else found.right(known)
    if truth is not None and right is None:
        raise BadFile(
            f"{short_path(truth)}: none of its items has a vote: give the truth of items in {short_path(votes)}"
        )
    write_table(output_file, found.labels())
    console = output()
    _print_summary(console, found, method)
    if right is not None:
        console.print(f"  {_accuracy(right)}")
    _print_annotators(console, found, method)
    print_next(console, [("open", short_path(output_file))])


def _check_different(written: Path, *read: Path | None) -> None:
    if any(each is not None and each.resolve() == written.resolve() for each in read):
        raise BadUsage(f"--output {short_path(written)} is also read: name another file")


def _print_summary(console: Console, found: "Inferred", method: Method) -> None:
    fit = found.fit
    counts = f"{found.n_votes:,} votes on {len(fit.item_ids_):,} items by {len(fit.reliability_):,} annotators"
    console.print(f"  {counts}, {len(fit.classes_):,} classes")
    if found.n_replaced:
        console.print(f"  {found.n_replaced:,} rows count no more: the same annotator answered the item again later")
    console.print(f"  {method}: {_iterations(found)}")
    if fit.selection_ is not None:
        console.print(f"  {fit.selection_.reason}")
    if ties := int(fit.ties_.sum()):
        console.print(f"  {ties:,} items are ties: a class was drawn, their confidence says so")


def _iterations(found: "Inferred") -> str:
    fit = found.fit
    if not fit.n_iter_:
        return "counted, nothing to iterate"
    state = "converged" if fit.converged_ else "not converged: labels may still move"
    return f"{fit.n_iter_:,} iterations, {state}"


def _accuracy(right: "Proportion") -> str:
    low, high = right.interval.low, right.interval.high
    share = f"{right.share * 100:.1f} % right on {right.total:,} items with truth"
    return f"{share} (95 % interval {low * 100:.1f} to {high * 100:.1f} %)"


def _print_annotators(console: Console, found: "Inferred", method: Method) -> None:
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("  least reliable")
    table.add_column("votes", justify="right")
    table.add_column("agrees" if method in _COUNTING else "right", justify="right")
    for each in found.least_reliable(_SHOWN):
        table.add_row(f"  {printable(each.name)}", f"{each.votes:,}", f"{each.accuracy:.2f}")
    console.print(table)
