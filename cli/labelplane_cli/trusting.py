"""The option that names packages whose functions may run as rules."""

from typing import Annotated

import typer

__all__ = ["TrustOption", "package_names"]

TrustOption = Annotated[
    str,
    typer.Option(
        metavar="PACKAGE,PACKAGE",
        envvar="LABELPLANE_TRUSTED_PACKAGES",
        help="Python packages whose functions may run as rules, with all rights of this process.",
    ),
]


def package_names(text: str) -> tuple[str, ...]:
    """Return the packages of a list with commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())
