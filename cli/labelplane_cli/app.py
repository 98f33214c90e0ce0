"""The commands and their order in the help. Nothing here loads what only one command needs."""

from typing import Annotated

import typer

from labelplane_cli.commands.aggregate import aggregate
from labelplane_cli.commands.agreement import agreement
from labelplane_cli.commands.demo import demo
from labelplane_cli.commands.doctor import doctor
from labelplane_cli.commands.explain import explain
from labelplane_cli.commands.export import export
from labelplane_cli.commands.init import init
from labelplane_cli.commands.plan import plan
from labelplane_cli.commands.report import report
from labelplane_cli.commands.rules import rules
from labelplane_cli.commands.run import run
from labelplane_cli.commands.votes import votes
from labelplane_cli.failing import Session
from labelplane_cli.logs import start_logging
from labelplane_cli.versions import print_version

__all__ = ["app"]

_FIRST_STEPS = "First steps"
_RESULTS = "Results"
_TOOLS = "Tools"

app = typer.Typer(
    name="labelplane",
    help="Label images and text with few votes: active learning, truth inference and a small model of your own.",
    epilog="Begin with: labelplane demo",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _options(
    context: typer.Context,
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error and the log.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=print_version)
    ] = False,
) -> None:
    del version
    session = context.ensure_object(Session)
    session.debug = debug
    start_logging(debug=debug)


app.command("demo", rich_help_panel=_FIRST_STEPS)(demo)
app.command("init", rich_help_panel=_FIRST_STEPS)(init)
app.command("plan", rich_help_panel=_FIRST_STEPS)(plan)
app.command("run", rich_help_panel=_FIRST_STEPS)(run)
app.command("report", rich_help_panel=_RESULTS)(report)
app.command("export", rich_help_panel=_RESULTS)(export)
app.command("explain", rich_help_panel=_RESULTS)(explain)
app.command("aggregate", rich_help_panel=_TOOLS)(aggregate)
app.command("agreement", rich_help_panel=_TOOLS)(agreement)
app.add_typer(rules, name="rules", rich_help_panel=_TOOLS)
app.add_typer(votes, name="votes", rich_help_panel=_TOOLS)
app.command("doctor", rich_help_panel=_TOOLS)(doctor)
