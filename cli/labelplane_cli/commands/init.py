"""`labelplane init`: a first job file for a folder or table of items."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from labelplane_cli.errors import BadUsage
from labelplane_cli.terminal import one_line, output, print_next, short_path

if TYPE_CHECKING:
    from labelplane_cli.starting.findings import Findings

__all__ = ["init"]

_ENDINGS = (".yaml", ".yml")
"""With another one `--force` could replace the items themselves."""


def init(
    items: Annotated[
        Path, typer.Argument(metavar="DIR|FILE", help="A folder of images or texts, or a CSV, JSONL or Parquet table.")
    ],
    *,
    output_file: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="PATH", help="The job file, in place of NAME.labelingjob.yaml."),
    ] = None,
    no_classes: Annotated[
        bool, typer.Option("--no-classes", help="Take neither folder names nor a column as classes.")
    ] = False,
    classes: Annotated[
        str, typer.Option(metavar="A,B,...", help="Your classes, in place of those that the items show.")
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace a job file that is there.")] = False,
) -> None:
    """Look at your items and write a commented job file for them."""
    from labelplane_cli.replacing import check_folder_of, replace_file
    from labelplane_cli.starting.detecting import detect
    from labelplane_cli.starting.job_file import job_name, job_text

    name = job_name(items)
    job_file = output_file or Path(f"{name}.labelingjob.yaml")
    if job_file.suffix.lower() not in _ENDINGS:
        raise BadUsage(f"{short_path(job_file)}: a job file ends in {' or '.join(_ENDINGS)}: name one with --output")
    if job_file.exists() and not force:
        raise BadUsage(f"{short_path(job_file)}: is there already: give --force to replace it, or another --output")
    check_folder_of(job_file)
    found = detect(items, use_classes=not no_classes and not classes)
    if classes:
        found = replace(found, classes=_given(classes), classes_from="--classes")
    has_torch = find_spec("torch") is not None
    text = job_text(found, name=name, file=job_file, has_torch=has_torch)
    replace_file(job_file, text.encode())
    _print_found(output(), found, job_file, text)


def _print_found(console: Console, found: "Findings", job_file: Path, text: str) -> None:
    from labelplane_cli.starting.job_file import classes_line

    written, line = short_path(job_file), classes_line(text)
    console.print(f"  {one_line(f'{found.summary}; {_classes(found)}')}")
    for note in found.notes:
        console.print(f"  {one_line(note)}")
    console.print(f"  wrote {written}  (commented; {len(text.splitlines())} lines)")
    console.print(f"  {_votes(found)}")
    run = ("", f"labelplane run {written}{'' if found.truth_field else ' --review'}")
    print_next(console, [run] if found.classes else [("write your classes into", f"{written}:{line}"), run])


def _classes(found: "Findings") -> str:
    from labelplane_cli.starting.findings import some

    if not found.classes:
        return f"its classes are not known: {found.classes_from}"
    shown = some(found.classes)
    source = found.classes_from
    if source == "--classes":
        return f"your classes: {shown}"
    looks = (
        f"{source} look like classes" if source.startswith("the ") else f"{len(found.classes):,} classes from {source}"
    )
    return f"{looks}: {shown}   (--no-classes to ignore them)"


def _votes(found: "Findings") -> str:
    if found.truth_field:
        return "every class is known, so simulated people answer; the file says how to label yourself instead"
    return "people answer on a page in their browser; the file says how to take answers from files instead"


def _given(classes: str) -> tuple[str, ...]:
    from labelplane_cli.starting.findings import are_class_names

    names = tuple(dict.fromkeys(name.strip() for name in classes.split(",") if name.strip()))
    if not are_class_names(names):
        raise BadUsage(f"--classes {classes}: give 2 to 1,000 names with commas between, as in --classes cat,dog")
    return names
