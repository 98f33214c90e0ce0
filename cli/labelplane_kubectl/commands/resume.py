"""`kubectl labelplane resume`: let a suspended job go on."""

from typing import Annotated

import typer

from labelplane_kubectl.options import ContextOption, KubeconfigOption, NameArgument, NamespaceOption, reach, session_of

__all__ = ["resume"]


def resume(
    call: typer.Context,
    name: NameArgument,
    *,
    wait: Annotated[bool, typer.Option("--wait", help="Come back when the operator has let it go on.")] = False,
    timeout: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="The longest wait.")] = 300.0,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Let a suspended job go on where it stood (clears run.suspend)."""
    from labelplane_kubectl.holding import Holding, hold

    cluster = reach(call, namespace, context, kubeconfig)
    hold(cluster, session_of(call), name, Holding(suspend=False, timeout_seconds=timeout if wait else None))
