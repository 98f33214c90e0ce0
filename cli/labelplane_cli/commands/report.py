"""`labelplane report`: the page that shows what a run has brought."""

from pathlib import Path
from typing import Annotated

import typer

from labelplane_cli.terminal import output, print_next, short_path

__all__ = ["report"]


def report(
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="The folder of a run.")],
    *,
    browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Say how a run stands and where its report lies."""
    from labelplane_cli.concluding import conclusion
    from labelplane_cli.display import finished_rounds, round_line
    from labelplane_cli.errors import BadFile
    from labelplane_cli.results import open_results

    results = open_results(folder)
    job, console = results.job, output()
    for each in finished_rounds(job):
        console.print(round_line(job, each))
    if job.status.finalize is None:
        raise BadFile(f"{folder}: the run is not finished, so there is no report yet: go on with labelplane run")
    page = folder / job.status.finalize.results["report"]
    if not page.exists():
        raise BadFile(f"{page}: the report is gone: restore it, or run the job into a new folder")
    for line in conclusion(job):
        console.print(f"  {line}")
    if browser:
        typer.launch(page.absolute().as_uri())
    print_next(console, [("open the report", short_path(page))])
