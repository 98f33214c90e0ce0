"""`kubectl labelplane explain`: why a job is where it is."""

import typer

from labelplane_cli.terminal import one_line, output
from labelplane_kubectl.options import (
    ContextOption,
    KubeconfigOption,
    NameArgument,
    NamespaceOption,
    reach,
    session_of,
)

__all__ = ["explain"]


def explain(
    call: typer.Context,
    name: NameArgument,
    *,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Tell in sentences why a job is where it is, what comes next, and how it will end."""
    from labelplane_kubectl.explaining import Scene
    from labelplane_kubectl.explaining import explain as sentences
    from labelplane_kubectl.seen_job import read_job
    from labelplane_kubectl.workloads import pod_problem, workloads

    cluster = reach(call, namespace, context, kubeconfig)
    seen = read_job(cluster.job(name))
    children = cluster.children(name)
    found = None if children.hindrance else tuple(workloads(children))
    scene = Scene(seen, found, pod_problem(children))
    console = output()
    console.print(f"{seen.name}: {seen.stage}", style="bold")
    for sentence in sentences(scene, now=session_of(call).clock.now()):
        console.print(f"  {one_line(sentence)}")
    if children.hindrance:
        console.print(f"  Its pods cannot be read: {one_line(children.hindrance)}")
