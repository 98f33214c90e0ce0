"""What an operator says that cannot start: what is wrong, exit code 2, and never a traceback."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from real_parts import free_ports

_SECONDS = 120


def _start(folder: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    key = folder / "key"
    key.write_bytes(b"0123456789abcdef")
    health_port, metrics_port = free_ports(2)
    values = {
        "installation": "test",
        "installation_key_file": str(key),
        "pod_name": "operator-0",
        "pod_namespace": "default",
        "health_port": str(health_port),
        "metrics_port": str(metrics_port),
        **{f"image_{part}": "i:1" for part in ("small", "aggregation", "scoring", "distillation", "review")},
        **settings,
    }
    environment = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    environment |= {f"LABELPLANE_{name.upper()}": value for name, value in values.items()}
    environment |= {"KUBECONFIG": str(folder / "kubeconfig"), "HOME": str(folder)}
    command = [sys.executable, "-m", "labelplane_operator"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False)


@pytest.mark.parametrize(
    ("settings", "want"),
    [
        pytest.param({}, "no cluster: neither a pod's ServiceAccount nor KUBECONFIG", id="no cluster"),
        pytest.param({"workers": "0"}, "LABELPLANE_WORKERS: ", id="a setting out of bounds"),
    ],
)
def test_an_operator_that_cannot_start_says_why(tmp_path: Path, settings: dict[str, str], want: str) -> None:
    ended = _start(tmp_path, **settings)

    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1].startswith(f"labelplane operator: {want}")
    assert "Traceback" not in ended.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.create_server(("", 0)) as taken:
        port = taken.getsockname()[1]
        ended = _start(tmp_path, health_port=str(port))

    assert ended.returncode == 2
    assert f"LABELPLANE_HEALTH_PORT {port}" in ended.stderr
    assert "Traceback" not in ended.stderr
