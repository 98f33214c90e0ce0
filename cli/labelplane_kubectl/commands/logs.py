"""`kubectl labelplane logs`: what the containers of a job say."""

from typing import Annotated

import typer

from labelplane_cli.errors import BadUsage
from labelplane_kubectl.log_parts import LogPart
from labelplane_kubectl.options import (
    ContextOption,
    KubeconfigOption,
    NameArgument,
    NamespaceOption,
    reach,
    session_of,
)

__all__ = ["logs"]

_LOOK_SECONDS = 2.0


def logs(
    call: typer.Context,
    name: NameArgument,
    *,
    part: Annotated[LogPart | None, typer.Option(help="One part of the job; without, all of them.")] = None,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", "-f", help="Go on as they come, with pods that start later, until the job is finished."
        ),
    ] = False,
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Not older than this, as in 90s, 5m or 3h.")] = None,
    tail: Annotated[
        int, typer.Option(min=-1, metavar="LINES", help="The last lines of each container; -1 for all.")
    ] = -1,
    previous: Annotated[
        bool, typer.Option("--previous", "-p", help="Of the containers before their last restart.")
    ] = False,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Print what the job's containers say, each line with its pod and container."""
    from labelplane_kubectl import following

    if follow and previous:
        raise BadUsage("--previous reads what has ended: leave out --follow")
    options = [f"--tail={tail}", *([f"--since={since}"] if since else []), *(["--previous"] if previous else [])]
    cluster = reach(call, namespace, context, kubeconfig)
    if follow:
        following.follow(cluster, name, part, options, pause=lambda: session_of(call).pause(_LOOK_SECONDS))
        return
    following.print_logs(cluster, following.present_sources(cluster, name, part, previous=previous), options)
