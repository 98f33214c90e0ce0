"""`labelplane rules test`: what rules would do to a table, before a job runs them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labelplane_cli.terminal import Next, output, print_next, short_path
from labelplane_cli.trusting import TrustOption, package_names

if TYPE_CHECKING:
    from labelplane_cli.ruling.reading import Fields

__all__ = ["rules"]

rules = typer.Typer(no_args_is_help=True, help="Try rules and knowledge bases on a table.")


@rules.callback()
def _group() -> None:
    """Try rules and knowledge bases on a table."""


@rules.command("test")
def try_out(
    rules_file: Annotated[
        Path, typer.Argument(metavar="RULES", help="A file with rules: and knowledgeBases:, or a job file.")
    ],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="CSV, JSONL or Parquet with a column of texts.")],
    *,
    diff: Annotated[
        Path | None, typer.Option(metavar="RULES", help="Another file of rules: what it would change.")
    ] = None,
    text_field: Annotated[str, typer.Option(help="Column of the texts; found by its usual names.")] = "",
    id_field: Annotated[str, typer.Option(help="Column of the ids; else rows are numbered from 1.")] = "",
    label_field: Annotated[str, typer.Option(help="Column of known classes, which measure the rules.")] = "",
    sample: Annotated[int, typer.Option(min=0, help="Items to draw, the same for any rules; 0 takes all.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw.")] = 0,
    examples: Annotated[int, typer.Option(min=0, max=100, help="Examples to print for each rule.")] = 2,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    trust: TrustOption = "",
) -> None:
    """Tell of each rule what it covers, where rules meet and disagree, and how often it is right."""
    from labelplane_cli.ruling import showing
    from labelplane_cli.ruling.reading import Fields, read_rules, read_sample
    from labelplane_cli.ruling.trying import classes_of, compare, try_rules

    first = read_rules(rules_file)
    second = None if diff is None else read_rules(diff)
    fields = _fields(Fields(id_field, text_field, label_field), first.fields)
    items = read_sample(data, fields, size=sample, seed=seed)
    classes = classes_of([first] if second is None else [first, second], items)
    trusted = package_names(trust)
    tried = try_rules(first, items, classes, trusted_packages=trusted)
    change = None
    if second is not None:
        change = compare(tried, try_rules(second, items, classes, trusted_packages=trusted), items)
    console = output()
    if as_json:
        typer.echo(showing.as_json(tried, items, change, examples=examples))
        return
    showing.show(console, tried, items, examples=0 if change else examples)
    if change is not None:
        showing.show_change(console, change, items, examples=10 * examples)
    print_next(console, _next(rules_file, data, has_diff=diff is not None))


def _fields(given: "Fields", of_job: "Fields") -> "Fields":
    from labelplane_cli.ruling.reading import Fields

    return Fields(given.item_id or of_job.item_id, given.text or of_job.text, given.label or of_job.label)


def _next(rules_file: Path, data: Path, *, has_diff: bool) -> list[Next]:
    if has_diff:
        return [("take the other rules", "put them into the job: only what changed votes again")]
    command = f"labelplane rules test {short_path(rules_file)} {short_path(data)} --diff CHANGED"
    return [("see what a change does", command)]
