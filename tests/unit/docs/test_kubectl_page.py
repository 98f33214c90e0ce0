"""The page of the plugin tells of every command and option that it has."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from labelplane_kubectl.app import app
from labelplane_kubectl.log_parts import LogPart

PAGE = (Path(__file__).parents[3] / "docs/kubectl.md").read_text(encoding="utf-8")
COMMANDS = get_command(app).commands  # type: ignore[attr-defined]


def test_every_command_has_a_section() -> None:
    told = re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    assert {name for heading in told for name in heading.split(", ")} == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_told(command: str) -> None:
    short = {"--all-namespaces": "-A", "--output": "-o"}
    options = [name for each in COMMANDS[command].params for name in each.opts if name.startswith("--")]
    missing = [name for name in options if short.get(name, name) not in PAGE and name != "--help"]
    assert missing == []


def test_every_part_with_logs_is_told() -> None:
    assert [part for part in LogPart if f"`{part}`" not in PAGE] == []
