"""The help loads nothing heavy: a plugin that takes its time is a plugin that nobody asks."""

import subprocess
import sys

import pytest

HEAVY = ("aiohttp", "grpc", "kopf", "kubernetes", "numba", "numpy", "polars", "pyarrow", "torch")
IN_COMMANDS = (*HEAVY, "jinja2", "pydantic", "yaml")
COMMANDS = ("demo", "diff", "explain", "logs", "resume", "status", "suspend")


def _loaded(code: str, heavy: tuple[str, ...]) -> list[str]:
    """Run code and return which of these libraries it has loaded."""
    tell = f"import sys; print(*sorted(set(sys.modules) & set({heavy})), file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", f"{code}\n{tell}"], check=True, capture_output=True, text=True)
    return ran.stderr.split()


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_imported_without_heavy_libraries(command: str) -> None:
    assert _loaded(f"import labelplane_kubectl.commands.{command}", IN_COMMANDS) == []


@pytest.mark.parametrize("arguments", [["--help"], ["status", "--help"], ["logs", "--help"], ["demo"]], ids=" ".join)
def test_help_and_what_needs_no_cluster_load_no_heavy_library(arguments: list[str]) -> None:
    # pydantic is not among them: newer versions of typer load it themselves.
    run = f"from labelplane_kubectl.__main__ import invoke; assert invoke({arguments}) == 0"
    assert _loaded(run, HEAVY) == []


def test_nothing_that_the_plugin_is_made_of_loads_a_service_or_a_cluster_client() -> None:
    code = (
        "import importlib, pkgutil, labelplane_kubectl as plugin\n"
        "for each in pkgutil.walk_packages(plugin.__path__, 'labelplane_kubectl.'):\n"
        "    importlib.import_module(each.name)"
    )
    assert _loaded(code, HEAVY) == []
