"""`labelplane demo`: the loop on made-up data, in less than a minute."""

from pathlib import Path
from typing import Annotated

import typer

from labelplane_cli.terminal import output, print_next, short_path

__all__ = ["demo"]


def demo(
    *,
    out: Annotated[Path, typer.Option(help="Where to write.")] = Path("labelplane-demo"),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the result alone.")] = False,
) -> None:
    """Show the loop on made-up data: no file, network, GPU or torch is needed."""
    console = output()
    if not quiet:
        console.print("  Labelling 1,000 points, 3 classes, 5 simulated annotators (one answers at random)")
    job_file = _write(out, quiet=quiet)

    from labelplane_api.load import read_manifests
    from labelplane_cli.commands.run import run_job
    from labelplane_cli.embedded.addresses import resolve_addresses

    manifests = read_manifests(job_file)
    run_job(manifests.job, resolve_addresses(manifests, beside=job_file.absolute().parent, out=str(out)), quiet=quiet)
    if not quiet:
        _show_labels(out)
    print_next(console, [("label your own", "labelplane init ./my-images")])


def _show_labels(out: Path) -> None:
    """Draw the points as they are labelled, wrong ones in capitals."""
    import csv

    from labelplane_cli.sample_points import CLASSES, Points, draw_points

    points = Points.draw()
    with (out / "export" / "labels.csv").open(encoding="utf-8", newline="") as file:
        labels = {row["item"]: row["label"] for row in csv.DictReader(file)}
    names = [labels.get(f"point-{number:04d}", "?") for number in range(len(points.classes))]
    wrong = [name != CLASSES[code] for name, code in zip(names, points.classes, strict=True)]
    console = output()
    for line in draw_points(points, [name.upper() if bad else name for name, bad in zip(names, wrong, strict=True)]):
        console.print(f"  {line}")
    console.print(f"  {', '.join(CLASSES)} by their first letter; {sum(wrong)} wrong ones in capitals")


def _write(out: Path, *, quiet: bool) -> Path:
    """Write the points and the job, show them, and return the job's file."""
    from labelplane_cli.replacing import replace_file
    from labelplane_cli.sample_points import JOB, Points, draw_points, write_points

    points = Points.draw()
    if not quiet:
        console = output()
        for line in draw_points(points, ["·"] * len(points.classes)):
            console.print(f"  {line}", style="dim")
    try:
        write_points(points, out)
    except OSError as error:
        from labelplane_cli.errors import BadFile

        raise BadFile(f"{out}: {error.strerror}: choose a folder that you may write, with --out") from error
    job_file = out / "demo.labelingjob.yaml"
    replace_file(job_file, JOB.encode())
    console = output()
    if not quiet:
        console.print(f"  wrote {short_path(job_file)} and its pictures")
    return job_file
