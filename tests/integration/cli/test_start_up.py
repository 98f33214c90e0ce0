"""The command line starts light: its help loads none of the libraries that a run needs."""

import subprocess
import sys

HEAVY = ("torch", "numba", "grpc", "polars", "pyarrow", "numpy")


def test_help_is_printed_without_heavy_libraries() -> None:
    code = (
        "import sys; from labelplane_cli.__main__ import invoke; code = invoke(['--help']); "
        f"print('loaded', *sorted(set(sys.modules) & set({HEAVY}))); sys.exit(code)"
    )

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert "labelplane" in done.stdout
    assert done.stdout.splitlines()[-1].split() == ["loaded"]
