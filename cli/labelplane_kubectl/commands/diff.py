"""`kubectl labelplane diff`: what changed between two rounds."""

from typing import Annotated

import typer

from labelplane_cli.errors import BadUsage
from labelplane_cli.terminal import output, printable
from labelplane_kubectl.options import ContextOption, KubeconfigOption, NameArgument, NamespaceOption, reach

__all__ = ["diff"]


def diff(
    call: typer.Context,
    name: NameArgument,
    rounds: Annotated[
        list[int] | None, typer.Argument(metavar="ROUND", min=0, help="Two rounds; without, the last two.")
    ] = None,
    *,
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Compare two rounds: votes, labels, the model, agreement, and how long each stage took."""
    from labelplane_kubectl.differing import diff_lines, two_rounds
    from labelplane_kubectl.seen_job import read_job

    numbers = rounds or []
    if len(numbers) not in {0, 2}:
        raise BadUsage(f"kubectl labelplane diff {name}: give two rounds, or none for the last two")
    seen = read_job(reach(call, namespace, context, kubeconfig).job(name))
    before, after = two_rounds(seen, numbers)
    for line in diff_lines(seen.status, before, after):
        output().print(f"  {printable(line)}")
