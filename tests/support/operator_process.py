"""The operator as a process of its own, on free ports, against a test's API server."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from api_server import ApiServer
from real_parts import free_ports, running

KEY = b"0123456789abcdef0123456789abcdef"
SYSTEM_NAMESPACE = "default"
_STOP_SECONDS = 30.0
_READY_SECONDS = 60.0


@dataclass
class OperatorProcess:
    """A running operator."""

    process: "subprocess.Popen[bytes]"
    log: Path
    health_port: int
    metrics_port: int

    def get(self, path: str, *, port: int | None = None) -> tuple[int, str]:
        """Return status and text of a page of the process."""
        try:
            with urlopen(f"http://127.0.0.1:{port or self.health_port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric over all series that bear these labels."""
        _, text = self.get("/metrics", port=self.metrics_port)
        found = 0.0
        for line in text.splitlines():
            series, _, value = line.rpartition(" ")
            if series.split("{")[0] == name and all(f'{key}="{value_}"' in series for key, value_ in labels.items()):
                found += float(value)
        return found

    def await_metric(self, name: str, value: float, *, seconds: float = 60.0, **labels: str) -> bool:
        """Return whether a metric comes to have a value in time."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.metric(name, **labels) == value:
                return True
            time.sleep(0.1)
        return False

    def kill(self) -> None:
        """Kill it, as a node that dies does."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(_STOP_SECONDS)

    def stop(self) -> int:
        """Stop it as the kubelet does, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(_STOP_SECONDS)


@contextmanager
def operator_process(
    server: ApiServer, folder: Path, *, name: str = "operator-0", kubeconfig: Path | None = None, **settings: str
) -> Iterator[OperatorProcess]:
    """Start an operator; `settings` are LABELPLANE_* variables in small letters. It is stopped at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "installation.key"
    key.write_bytes(KEY)
    health_port, metrics_port = free_ports(2)
    values = {
        "installation": "test",
        "installation_key_file": str(key),
        "pod_name": name,
        "pod_namespace": SYSTEM_NAMESPACE,
        "health_port": str(health_port),
        "metrics_port": str(metrics_port),
        "lease_duration_seconds": "3",
        "renew_deadline_seconds": "2",
        "retry_period_seconds": "0.5",
        **{f"image_{part}": f"{part}:test" for part in ("small", "aggregation", "scoring", "distillation", "review")},
        **settings,
    }
    environment = {f"LABELPLANE_{key.upper()}": value for key, value in values.items()}
    inherited = {key: os.environ[key] for key in ("PATH", "PYTHONPATH", "HOME") if key in os.environ}
    inherited["KUBECONFIG"] = str(kubeconfig or server.kubeconfig())
    log = folder / f"{name}.log"
    command = [sys.executable, "-m", "labelplane_operator"]
    with running(command, log=log, environment={**inherited, **environment}) as process:
        operator = OperatorProcess(process, log, health_port, metrics_port)
        _await_ready(operator)
        yield operator


def _await_ready(operator: OperatorProcess) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and operator.process.poll() is None:
        try:
            if operator.get("/readyz")[0] == 200:
                return
        except (URLError, OSError):
            pass
        time.sleep(0.05)
    raise RuntimeError(f"the operator did not start: {operator.log.read_text()[-3000:]}")
