"""The commands and their order in the help. Nothing here loads what only one command needs."""

from typing import Annotated

import typer

from labelplane_cli.logs import start_logging
from labelplane_cli.versions import print_version
from labelplane_kubectl.commands.demo import demo
from labelplane_kubectl.commands.diff import diff
from labelplane_kubectl.commands.explain import explain
from labelplane_kubectl.commands.logs import logs
from labelplane_kubectl.commands.resume import resume
from labelplane_kubectl.commands.status import status
from labelplane_kubectl.commands.suspend import suspend
from labelplane_kubectl.options import session_of

__all__ = ["app"]

_LOOK = "Look"
_HOLD = "Hold"
_BEGIN = "Begin"

app = typer.Typer(
    name="kubectl labelplane",
    help="Look at the LabelingJobs of a cluster, and hold them.",
    epilog="Begin with: kubectl labelplane status --all-namespaces",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(
    call: typer.Context,
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=print_version)
    ] = False,
) -> None:
    del version
    session_of(call).debug = debug
    start_logging(debug=debug)


app.command("status", rich_help_panel=_LOOK)(status)
app.command("explain", rich_help_panel=_LOOK)(explain)
app.command("diff", rich_help_panel=_LOOK)(diff)
app.command("logs", rich_help_panel=_LOOK)(logs)
app.command("suspend", rich_help_panel=_HOLD)(suspend)
app.command("resume", rich_help_panel=_HOLD)(resume)
app.command("demo", rich_help_panel=_BEGIN)(demo)
