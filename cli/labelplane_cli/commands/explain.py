"""`labelplane explain`: why an item has its label."""

from pathlib import Path
from typing import Annotated

import typer

from labelplane_cli.terminal import output, printable

__all__ = ["explain"]


def explain(
    folder: Annotated[Path, typer.Argument(metavar="OUT", help="The folder of a run.")],
    item: Annotated[str, typer.Argument(metavar="ITEM", help="The item's id.")],
) -> None:
    """Tell who voted what on an item, how far each is trusted, what the model says, and why people were asked."""
    import asyncio

    from labelplane_cli.explaining import explain_item
    from labelplane_cli.results import open_results

    console = output()
    for line in asyncio.run(explain_item(open_results(folder), item)):
        console.print(f"  {printable(line)}")
