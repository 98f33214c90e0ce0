"""`kubectl labelplane suspend`: let a job rest."""

from typing import Annotated

import typer

from labelplane_kubectl.options import ContextOption, KubeconfigOption, NameArgument, NamespaceOption, reach, session_of

__all__ = ["suspend"]


def suspend(
    call: typer.Context,
    name: NameArgument,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Come back when no pod is left.")] = False,
    timeout: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="The longest wait.")] = 300.0,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Take every pod of a job away and keep what it has (sets run.suspend)."""
    from labelplane_kubectl.holding import Holding, hold

    cluster = reach(call, namespace, context, kubeconfig)
    hold(cluster, session_of(call), name, Holding(suspend=True, timeout_seconds=timeout if wait else None))
