"""The tools load nothing heavy before they are called: `labelplane --help` must be quick."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "numba", "grpc", "polars", "pyarrow", "numpy", "yaml", "jinja2", "pydantic")


@pytest.mark.parametrize("command", ["aggregate", "agreement", "doctor", "init", "rules"])
def test_a_command_is_imported_without_heavy_libraries(command: str) -> None:
    code = f"import sys, labelplane_cli.commands.{command}; print(*sorted(set(sys.modules) & set({HEAVY})))"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert loaded.stdout.split() == []
