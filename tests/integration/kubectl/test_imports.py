"""The help loads nothing heavy: a plugin that takes its time is a plugin that nobody asks."""

import subprocess
import sys

import pytest

HEAVY = (
    "aiohttp",
    "grpc",
    "jinja2",
    "kopf",
    "kubernetes",
    "numba",
    "numpy",
    "polars",
    "pyarrow",
    "pydantic",
    "torch",
    "yaml",
)
RUN = "from labelplane_kubectl.__main__ import invoke; code = invoke({arguments}); assert code in (0, 2), code"
TELL = "import sys; print(*sorted(set(sys.modules) & set({heavy})), file=sys.stderr)"


def _loaded(arguments: list[str], heavy: tuple[str, ...]) -> list[str]:
    code = f"{RUN.format(arguments=arguments)}\n{TELL.format(heavy=heavy)}"
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return ran.stderr.split()


@pytest.mark.parametrize(
    "arguments", [["--help"], ["status", "--help"], ["logs", "--help"], ["demo"]], ids=lambda words: " ".join(words)
)
def test_help_and_what_needs_no_cluster_load_nothing_heavy(arguments: list[str]) -> None:
    assert _loaded(arguments, HEAVY) == []


def test_nothing_that_the_plugin_is_made_of_loads_a_service_or_a_cluster_client() -> None:
    modules = "status, logs, explain, diff, suspend, resume, demo"
    code = (
        "import importlib, pkgutil, sys, labelplane_kubectl as plugin\n"
        "for each in pkgutil.walk_packages(plugin.__path__, 'labelplane_kubectl.'):\n"
        "    importlib.import_module(each.name)\n"
        "heavy = {'grpc', 'numba', 'torch', 'polars', 'pyarrow', 'numpy', 'kopf', 'kubernetes', 'aiohttp'}\n"
        f"from labelplane_kubectl.commands import {modules}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert loaded.stdout.split() == []
