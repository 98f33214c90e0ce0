"""The command `labelplane`."""

import sys
from collections.abc import Sequence

from labelplane_cli.app import app
from labelplane_cli.failing import Session, report_failure
from labelplane_core.leaving import leave

__all__ = ["invoke", "main"]

_DEBUG = "--debug"


def main() -> None:
    """Run the command that the process was started with, and exit with its code."""
    leave(invoke(sys.argv[1:]))


def invoke(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code: 0, 1 (the job has failed), 2 (bad input), 130 (Ctrl-C).

    `--debug` is read wherever it stands, so that it can be added to the command that just failed.
    """
    given = list(arguments)
    if _DEBUG in given:
        given.remove(_DEBUG)
        given.insert(0, _DEBUG)
    session = Session()
    try:
        code = app(given, prog_name="labelplane", standalone_mode=False, obj=session)
    except Exception as error:  # noqa: BLE001 - the one place where every error becomes a line
        return report_failure(error, session)
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    main()
