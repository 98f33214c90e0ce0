"""What every command is told: which cluster and namespace, as for kubectl itself."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import sleep
from typing import Annotated

import typer

from labelplane_cli.failing import Session
from labelplane_core.clock import Clock, SystemClock
from labelplane_kubectl.cluster import Cluster, Target
from labelplane_kubectl.kubectl import Kubectl, KubectlProgram

__all__ = [
    "ContextOption",
    "KubeconfigOption",
    "NameArgument",
    "NamespaceOption",
    "PluginSession",
    "reach",
    "session_of",
]

_PANEL = "Cluster"

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The job.")]
NamespaceOption = Annotated[
    str | None,
    typer.Option("--namespace", "-n", metavar="NAME", help="Not the kubeconfig's own.", rich_help_panel=_PANEL),
]
ContextOption = Annotated[
    str | None, typer.Option("--context", metavar="NAME", help="Of the kubeconfig.", rich_help_panel=_PANEL)
]
KubeconfigOption = Annotated[
    str | None, typer.Option("--kubeconfig", metavar="FILE", help="Not the usual one.", rich_help_panel=_PANEL)
]


@dataclass(slots=True)
class PluginSession(Session):
    """What a command works with besides its arguments.

    Attributes:
        kubectl: calls kubectl.
        clock: tells the time.
        pause: waits for so many seconds.
    """

    kubectl: Kubectl = field(default_factory=KubectlProgram)
    clock: Clock = field(default_factory=SystemClock)
    pause: Callable[[float], None] = sleep


def session_of(call: typer.Context) -> PluginSession:
    """Return what the command works with."""
    return call.ensure_object(PluginSession)


def reach(call: typer.Context, namespace: str | None, context: str | None, kubeconfig: str | None) -> Cluster:
    """Return the cluster that a command's options name."""
    return Cluster(session_of(call).kubectl, Target(namespace, context, kubeconfig))
