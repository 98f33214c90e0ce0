"""`labelplane plan`: what a job would do and cost, without running it."""

from pathlib import Path
from typing import Annotated

import typer

from labelplane_cli.terminal import output, print_next, short_path

__all__ = ["plan"]


def plan(
    job_file: Annotated[Path, typer.Argument(metavar="JOB.yaml", help="The LabelingJob.")],
    *,
    data: Annotated[str, typer.Option(help="Folder or address of the items, in place of dataset.uri.")] = "",
    out: Annotated[str, typer.Option(help="Folder or address of the results, in place of storage.uri.")] = "",
) -> None:
    """Tell what a job would ask people for and cost. Nothing is run or written."""
    import asyncio

    from labelplane_api.load import read_manifests
    from labelplane_api.support import check_supported
    from labelplane_cli.embedded.addresses import resolve_addresses
    from labelplane_cli.planning import count_items, plan_lines

    manifests = read_manifests(job_file)
    check_supported(manifests.job)
    addresses = resolve_addresses(manifests, beside=job_file.absolute().parent, data=data or None, out=out or None)
    counted = asyncio.run(count_items(manifests.job, addresses.open_data()))
    console = output()
    for line in plan_lines(manifests.job, counted):
        console.print(f"  {line}")
    console.print(f"  results go to {short_path(addresses.store_uri)}; nothing was run")
    print_next(console, [("run it", f"labelplane run {job_file}")])
