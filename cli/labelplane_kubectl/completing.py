"""The command `kubectl_complete-labelplane`, which kubectl's own shell completion asks about the plugin's words.

kubectl gives the words after `kubectl labelplane`, the last one unfinished, and takes what cobra's completions write: a
candidate a line with a tab and what it is, and a last line that says what else the shell may offer.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final

from labelplane_cli.errors import CliError
from labelplane_kubectl.cluster import RESOURCE, Target
from labelplane_kubectl.kubectl import Kubectl, KubectlProgram

__all__ = ["completions", "main"]

_NO_FILES: Final = ":4"
"""Cobra's directive that files are no candidates."""
_TARGETS: Final = {
    "-n": "namespace",
    "--namespace": "namespace",
    "--context": "context",
    "--kubeconfig": "kubeconfig",
}
_WITHOUT_NAME: Final = frozenset({"demo"})


def main() -> None:
    """Write the candidates for the words that the process was started with."""
    for line in (*completions(sys.argv[1:], KubectlProgram()), _NO_FILES):
        sys.stdout.write(f"{line}\n")


def completions(words: Sequence[str], kubectl: Kubectl) -> list[str]:
    """Return the candidates for the last word; none where the cluster does not answer."""
    *before, last = words or [""]
    commands = _commands()
    given = [each for each in _without_values(before) if each in commands]
    if not given:
        found = [(name, command.get_short_help_str()) for name, command in commands.items()]
    elif last.startswith("-"):
        found = list(_options(commands[given[0]]))
    elif given[0] in _WITHOUT_NAME or _has_name(before, given[0]):
        found = []
    else:
        found = [(name, "") for name in _names(before, kubectl)]
    return [f"{word}\t{what}".rstrip() for word, what in found if word.startswith(last)]


def _commands() -> dict[str, Any]:
    from typer.main import get_command

    from labelplane_kubectl.app import app

    commands: dict[str, Any] = get_command(app).commands  # type: ignore[attr-defined]
    return commands


def _options(command: Any) -> Iterator[tuple[str, str]]:
    """Yield the long options of a command, each with its help."""
    for each in command.params:
        for name in each.opts:
            if name.startswith("--"):
                yield name, str(getattr(each, "help", "") or "")


def _without_values(words: Sequence[str]) -> Iterator[str]:
    """Yield the words that are neither options nor values of kubectl's options."""
    is_value = False
    for word in words:
        if not is_value and not word.startswith("-"):
            yield word
        is_value = word in _TARGETS


def _has_name(words: Sequence[str], command: str) -> bool:
    plain = list(_without_values(words))
    return len(plain[plain.index(command) :]) > 1


def _names(words: Sequence[str], kubectl: Kubectl) -> list[str]:
    """Return the names of the jobs in the namespace that the words name."""
    given: dict[str, str] = {}
    for place, word in enumerate(words):
        option, is_joined, value = word.partition("=")
        if option in _TARGETS and (is_joined or place + 1 < len(words)):
            given[_TARGETS[option]] = value if is_joined else words[place + 1]
    try:
        answer = kubectl.ask([*Target(**given).flags, "get", RESOURCE, "--output=name", "--request-timeout=3s"])
    except CliError:
        return []
    return sorted(line.rpartition("/")[2] for line in answer.output.split())


if __name__ == "__main__":
    main()
