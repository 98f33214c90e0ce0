"""A real kube-controller-manager for tests, with the controllers that a test asks for and no others."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api_server import ApiServer
from real_parts import find_tool, running


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
    environment = {"PATH": os.environ["PATH"]}
    with running(command, log=folder / "controller-manager.log", environment=environment):
        yield
