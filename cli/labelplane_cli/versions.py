"""What `--version` prints, the same for every command of the distribution."""

import typer

__all__ = ["print_version"]


def print_version(wanted: bool) -> None:  # noqa: FBT001 - the parser's own call
    """Print the version and end, when it is asked for."""
    if wanted:
        from importlib.metadata import version

        typer.echo(f"labelplane {version('labelplane')}")
        raise typer.Exit
