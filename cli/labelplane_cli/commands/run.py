"""`labelplane run`: the whole loop of a job file on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labelplane_cli.errors import BadUsage
from labelplane_cli.terminal import output
from labelplane_cli.trusting import TrustOption, package_names

if TYPE_CHECKING:
    from labelplane_api.job import LabelingJob
    from labelplane_cli.embedded.addresses import RunAddresses
    from labelplane_cli.embedded.front import FrontWish

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
    review: Annotated[
        bool, typer.Option("--review", help="Serve the review page, on which people label in their browser.")
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="The page's port on 127.0.0.1, in place of a free one.")
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Print the page's link and open no browser.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the result alone.")] = False,
    trust: TrustOption = "",
) -> None:
    """Run a job until its labels are done. The same command goes on after Ctrl-C or a crash."""
    import os

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
        items_endpoint=os.environ.get("LABELPLANE_ITEMS_ENDPOINT", ""),
    )
    if replay is None:
        run_job(
            manifests.job,
            addresses,
            quiet=quiet,
            front=_front(manifests.job, is_wanted=review, port=port, no_browser=no_browser),
        )
    else:
        _replay_round(addresses, replay)


def run_job(
    job: "LabelingJob", addresses: "RunAddresses", *, quiet: bool = False, front: "FrontWish | None" = None
) -> "LabelingJob":
    """Run a job to its end, show it, print how it ended and return it; `front` says how to serve the review page.

    Raises:
        InvalidInput: the settings of webhooks cannot be used.
        JobHasFailed: it cannot go on.
        JobIsSuspended: it is to rest.
        typer.Exit: somebody stopped it; with code 130.
    """
    import asyncio
    import os

    from labelplane_cli.concluding import print_conclusion
    from labelplane_cli.embedded.play import play_until_told
    from labelplane_cli.watching import RunWatcher
    from labelplane_core.clock import SystemClock
    from labelplane_review.webhooks.settings import WebhookSettings

    console, clock = output(), SystemClock()
    webhooks = WebhookSettings.from_environment(os.environ)
    try:
        with RunWatcher(console, clock, quiet=quiet) as watcher:
            job = asyncio.run(
                play_until_told(job, addresses, clock=clock, watcher=watcher, front=front, webhooks=webhooks)
            )
    except (KeyboardInterrupt, asyncio.CancelledError) as stopped:
        console.print("  Stopped. Nothing is lost: the same command goes on from here.")
        raise typer.Exit(INTERRUPTED) from stopped
    print_conclusion(console, job, addresses.store_uri)
    return job


def _front(job: "LabelingJob", *, is_wanted: bool, port: int | None, no_browser: bool) -> "FrontWish | None":
    """Return how to serve the review page, which a job whose votes come from it always has."""
    from labelplane_api.sources import Connector
    from labelplane_cli.embedded.front import FrontWish

    humans = job.spec.sources.humans
    if humans is None:
        if is_wanted:
            raise BadUsage("--review: the job asks no people: set spec.sources.humans.inbox")
        return None
    if not is_wanted and humans.connector is not Connector.INBOX:
        return None
    console = output()

    def tell(address: str, for_others: str) -> None:
        console.print(f"  Review page: {address}", soft_wrap=True, highlight=False)
        console.print(f"  For others:  {for_others}", soft_wrap=True, highlight=False)
        console.print("  Ctrl-C is safe: run the same command again.")

    return FrontWish(tell=tell, port=port, opens_browser=console.is_terminal and not no_browser)


def _replay_round(addresses: "RunAddresses", number: int) -> None:
    import asyncio

    from labelplane_cli.comparing import print_comparison
    from labelplane_cli.embedded.replay import replay
    from labelplane_core.clock import SystemClock

    compared = asyncio.run(replay(addresses, number, clock=SystemClock()))
    if not print_comparison(output(), number, compared):
        raise typer.Exit(1)
