"""A real kube-controller-manager for tests, with the controllers that a test asks for and no others."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api_server import ApiServer
from helm import find_tool

_STOP_SECONDS = 15.0


@contextmanager
def running_controllers(server: ApiServer, folder: Path, *controllers: str) -> Iterator[None]:
    """Start the controllers, with their log in `folder`; they are stopped by their process id."""
    command = [
        find_tool("kube-controller-manager"),
        f"--kubeconfig={server.kubeconfig()}",
        f"--controllers={','.join(controllers)}",
        "--leader-elect=false",
        "--secure-port=0",
    ]
    with (folder / "controller-manager.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env={"PATH": os.environ["PATH"]})
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(_STOP_SECONDS)
