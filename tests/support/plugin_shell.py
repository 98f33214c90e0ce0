"""A user's shell with kubectl and its plugin, as pip installs it."""

import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api_server import ApiServer
from planned_world import PlannedWorld
from plugin_world import with_times
from points_on_cluster import jobs_path
from real_parts import find_tool

from labelplane_api.job import LabelingJob

Object = dict[str, Any]

_ROOT = Path(__file__).parents[2]
_SCRIPTS = ("kubectl-labelplane", "kubectl_complete-labelplane")


@dataclass(frozen=True)
class Shell:
    """A shell, and the namespace that its user works in."""

    server: ApiServer
    namespace: str
    environment: dict[str, str]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `kubectl labelplane` in the namespace."""
        command = ["kubectl", "labelplane", *arguments, "--namespace", self.namespace]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)

    def apply(self, world: PlannedWorld) -> Object:
        """Apply a job with the status that its planner has written, as user and operator do."""
        path = jobs_path(self.namespace, world.job.metadata.name)
        fields = {key: value for key, value in _in(self.namespace, world.job).items() if key != "status"}
        self.server.apply(path, fields)
        return self.write_status(world.job)

    def write_status(self, job: LabelingJob) -> Object:
        """Write the status of a job that there is."""
        path = jobs_path(self.namespace, job.metadata.name)
        body = {"status": _in(self.namespace, with_times(job))["status"]}
        return self.server.request("PATCH", f"{path}/status", body=body, content_type="application/merge-patch+json")


def _in(namespace: str, job: LabelingJob) -> Object:
    manifest = job.to_manifest()
    manifest["metadata"] = {"name": job.metadata.name, "namespace": namespace}
    return manifest


def plugin_shell(server: ApiServer, namespace: str, folder: Path) -> Shell:
    """Return a shell with kubectl and the scripts of the plugin on PATH; they are written to a new folder."""
    folder.mkdir()
    scripts = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    for name in _SCRIPTS:
        module, _, function = scripts[name].partition(":")
        text = f"#!{sys.executable}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (folder / "kubectl").symlink_to(find_tool("kubectl"))
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([str(folder), *_places_without_the_plugin()]),
        "KUBECONFIG": os.fspath(server.kubeconfig()),
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }
    return Shell(server, namespace, environment)


def _places_without_the_plugin() -> list[str]:
    """Return PATH without an environment that the plugin is installed in: kubectl warns of two plugins of one name."""
    places = os.environ["PATH"].split(os.pathsep)
    return [place for place in places if not (Path(place) / _SCRIPTS[0]).exists()]
