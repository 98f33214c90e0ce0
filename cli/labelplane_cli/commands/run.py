"""`labelplane run`: the whole loop of a job file on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labelplane_cli.terminal import output
from labelplane_cli.trusting import TrustOption, package_names

if TYPE_CHECKING:
    from labelplane_api.job import LabelingJob
    from labelplane_cli.embedded.addresses import RunAddresses

__all__ = ["run", "run_job"]

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C or SIGTERM ended, as shells count it."""


def run(
    job_file: Annotated[Path, typer.Argument(metavar="JOB.yaml", help="The LabelingJob, with its ConfigMaps.")],
    *,
    data: Annotated[str, typer.Option(help="Folder or address of the items, in place of dataset.uri.")] = "",
    out: Annotated[str, typer.Option(help="Folder or address of the results, in place of storage.uri.")] = "",
    replay: Annotated[
        int | None, typer.Option(metavar="ROUND", min=0, help="Run a finished round again and compare; writes nothing.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the result alone.")] = False,
    trust: TrustOption = "",
) -> None:
    """Run a job until its labels are done. The same command goes on after Ctrl-C or a crash."""
    from labelplane_api.load import read_manifests
    from labelplane_api.support import check_supported
    from labelplane_cli.embedded.addresses import resolve_addresses
    from labelplane_cli.ruling.checking import check_job_rules

    manifests = read_manifests(job_file)
    check_supported(manifests.job)
    trusted = package_names(trust)
    check_job_rules(manifests, trusted_packages=trusted)
    addresses = resolve_addresses(
        manifests,
        beside=job_file.absolute().parent,
        data=data or None,
        out=out or None,
        trusted_packages=trusted,
    )
    if replay is None:
        run_job(manifests.job, addresses, quiet=quiet)
    else:
        _replay_round(addresses, replay)


def run_job(job: "LabelingJob", addresses: "RunAddresses", *, quiet: bool = False) -> "LabelingJob":
    """Run a job to its end, show it, print how it ended and return it.

    Raises:
        JobHasFailed: it cannot go on.
        JobIsSuspended: it is to rest.
        typer.Exit: somebody stopped it; with code 130.
    """
    import asyncio

    from labelplane_cli.concluding import print_conclusion
    from labelplane_cli.embedded.play import play_until_told
    from labelplane_cli.watching import RunWatcher
    from labelplane_core.clock import SystemClock

    console, clock = output(), SystemClock()
    try:
        with RunWatcher(console, clock, quiet=quiet) as watcher:
            job = asyncio.run(play_until_told(job, addresses, clock=clock, watcher=watcher))
    except (KeyboardInterrupt, asyncio.CancelledError) as stopped:
        console.print("  Stopped. Nothing is lost: the same command goes on from here.")
        raise typer.Exit(INTERRUPTED) from stopped
    print_conclusion(console, job, addresses.store_uri)
    return job


def _replay_round(addresses: "RunAddresses", number: int) -> None:
    import asyncio

    from labelplane_cli.comparing import print_comparison
    from labelplane_cli.embedded.replay import replay
    from labelplane_core.clock import SystemClock

    compared = asyncio.run(replay(addresses, number, clock=SystemClock()))
    if not print_comparison(output(), number, compared):
        raise typer.Exit(1)
