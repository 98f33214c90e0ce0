"""`kubectl labelplane status`: where jobs stand."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labelplane_cli.errors import BadUsage
from labelplane_cli.terminal import is_live, output
from labelplane_kubectl.options import ContextOption, KubeconfigOption, NamespaceOption, reach, session_of

if TYPE_CHECKING:
    from labelplane_kubectl.cluster import Cluster
    from labelplane_kubectl.tree import JobView
    from labelplane_kubectl.watching import Frame

__all__ = ["Format", "status"]


class Format(StrEnum):
    """How the status is written."""

    TEXT = "text"
    JSON = "json"


def status(
    call: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="One job at length; without, a line for each.")
    ] = None,
    *,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="The jobs of all namespaces.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it again and again; one job until it is finished.")
    ] = False,
    interval: Annotated[float, typer.Option(min=0.5, max=3600, metavar="SECONDS", help="Between two looks.")] = 2.0,
    form: Annotated[Format, typer.Option("--output", "-o", help="For people or for scripts.")] = Format.TEXT,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Show where jobs stand: stage, round, quality, cost, what is wrong, and with a name its pods."""
    if name is not None and everywhere:
        raise BadUsage(f"{name} lies in one namespace: give --namespace in place of --all-namespaces")
    if form is Format.JSON and watch:
        raise BadUsage("--watch is for people: leave out --output json, or ask again and again")
    cluster = reach(call, namespace, context, kubeconfig)
    if form is Format.JSON:
        _print_json(call, cluster, name, everywhere=everywhere)
        return

    def look() -> "Frame":
        return _one(call, cluster, name) if name is not None else _all(call, cluster, everywhere=everywhere)

    if not watch:
        for line in look().lines:
            output().print(line)
        return

    from labelplane_kubectl.watching import watch as show_again

    show_again(output(), look, pause=lambda: session_of(call).pause(interval))


def _one(call: typer.Context, cluster: "Cluster", name: str) -> "Frame":
    """Return the lines of a job; they are the last when it is finished."""
    from labelplane_kubectl.tree import tree
    from labelplane_kubectl.watching import Frame
    from labelplane_operator.history import is_finished

    view = _view(cluster, name)
    lines = tree(view, now=session_of(call).clock.now(), with_bar=is_live(output()))
    return Frame(lines, view, is_last=is_finished(view.seen.status))


def _all(call: typer.Context, cluster: "Cluster", *, everywhere: bool) -> "Frame":
    """Return a line for each job."""
    from labelplane_kubectl.overview import overview
    from labelplane_kubectl.seen_job import read_job
    from labelplane_kubectl.watching import Frame

    jobs = [read_job(each) for each in cluster.jobs(everywhere=everywhere)]
    if not jobs:
        where = "any namespace" if everywhere else "this namespace"
        return Frame([f"  no LabelingJob in {where}; kubectl labelplane demo tells how to begin"], ())
    return Frame(overview(jobs, now=session_of(call).clock.now(), everywhere=everywhere), jobs)


def _view(cluster: "Cluster", name: str) -> "JobView":
    from labelplane_kubectl.seen_job import read_job
    from labelplane_kubectl.tree import JobView
    from labelplane_kubectl.workloads import workloads

    seen = read_job(cluster.job(name))
    children = cluster.children(name)
    return JobView(seen, workloads(children), children.hindrance)


def _print_json(call: typer.Context, cluster: "Cluster", name: str | None, *, everywhere: bool) -> None:
    import json

    from labelplane_kubectl.seen_job import read_job
    from labelplane_kubectl.summary import job_summary, view_summary

    now = session_of(call).clock.now()
    found: Any
    if name is not None:
        found = view_summary(_view(cluster, name), now=now)
    else:
        found = [job_summary(read_job(each), now=now) for each in cluster.jobs(everywhere=everywhere)]
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
