"""A real KEDA operator for tests, on a test's API server: no adapter, so it scales between none and one."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import yaml
from api_server import ApiServer
from certificates import make_certificate
from real_parts import TOOLS, find_tool, free_ports, running

_READY_SECONDS = 120.0
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def apply_keda_definitions(server: ApiServer) -> None:
    """Apply KEDA's CRDs as they lie in its module, and wait until ScaledObjects are served."""
    folder = TOOLS / "keda-crds"
    if not folder.is_dir():
        pytest.fail(f"{folder} is missing: run `make tools`")
    for path in sorted(folder.glob("*.yaml")):
        definition = yaml.safe_load(path.read_text())
        server.apply(f"{_CRDS}/{definition['metadata']['name']}", definition)
        _await_established(server, definition["metadata"]["name"])


def _await_established(server: ApiServer, name: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        conditions = server.get(f"{_CRDS}/{name}").get("status", {}).get("conditions") or ()
        if any(each["type"] == "Established" and each["status"] == "True" for each in conditions):
            return
        time.sleep(0.05)
    raise RuntimeError(f"the CRD {name} was not established")


@contextmanager
def running_keda(server: ApiServer, folder: Path) -> Iterator[Path]:
    """Start KEDA's operator, yield the file of its log; it is stopped by its process id."""
    program = find_tool("keda")
    apply_keda_definitions(server)
    folder.mkdir(parents=True, exist_ok=True)
    made = make_certificate(folder / "certificates", "tls")
    (folder / "certificates" / "ca.crt").write_bytes(made.certificate.read_bytes())
    health, metrics_service = free_ports(2)
    command = [
        program,
        "--enable-prometheus-metrics=false",
        f"--health-probe-bind-address=127.0.0.1:{health}",
        f"--metrics-service-bind-address=127.0.0.1:{metrics_service}",
        "--leader-elect=false",
        "--enable-cert-rotation=false",
        "--enable-webhook-patching=false",
        "--enable-apiservice-patching=false",
        f"--cert-dir={folder / 'certificates'}",
        "--zap-log-level=info",
    ]
    environment = {
        "PATH": os.environ["PATH"],
        "KUBECONFIG": os.fspath(server.kubeconfig()),
        "KEDA_CLUSTER_OBJECT_NAMESPACE": "default",
        "POD_NAMESPACE": "default",
        "WATCH_NAMESPACE": "",
    }
    log = folder / "keda.log"
    with running(command, log=log, environment=environment) as process:
        deadline = time.monotonic() + _READY_SECONDS
        while not _is_ready(health):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"KEDA did not start: {log.read_text()[-3000:]}")
            time.sleep(0.05)
        yield log


def _is_ready(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (URLError, OSError):
        return False
