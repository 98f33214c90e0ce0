"""The command `kubectl-labelplane`, which kubectl starts for `kubectl labelplane`."""

import sys
from collections.abc import Sequence
from typing import Final

from labelplane_cli.failing import report_failure
from labelplane_kubectl.app import app
from labelplane_kubectl.options import PluginSession

__all__ = ["invoke", "main"]

_DEBUG: Final = "--debug"
_WITH_VALUE: Final = frozenset({"-n", "--namespace", "--context", "--kubeconfig"})


def main() -> None:
    """Run the command that the process was started with, and exit with its code."""
    sys.exit(invoke(sys.argv[1:]))


def invoke(arguments: Sequence[str], session: PluginSession | None = None) -> int:
    """Run one command and return its exit code: 0, 1 (it took too long), 2 (bad input, or no cluster), 130 (Ctrl-C).

    `--debug` is read wherever it stands. The options of kubectl may stand before the command, as kubectl's own do.
    """
    given = _command_first(arguments)
    if _DEBUG in given:
        given.remove(_DEBUG)
        given.insert(0, _DEBUG)
    session = session or PluginSession()
    try:
        code = app(given, prog_name="kubectl labelplane", standalone_mode=False, obj=session)
    except Exception as error:  # noqa: BLE001 - the one place where every error becomes a line
        return report_failure(error, session)
    return code if isinstance(code, int) else 0


def _command_first(arguments: Sequence[str]) -> list[str]:
    """Return the arguments with kubectl's options that stand before the command behind it."""
    moved: list[str] = []
    rest = list(arguments)
    while rest and rest[0].partition("=")[0] in _WITH_VALUE:
        count = 1 if "=" in rest[0] else 2
        moved, rest = [*moved, *rest[:count]], rest[count:]
    return [*rest[:1], *moved, *rest[1:]]


if __name__ == "__main__":
    main()
