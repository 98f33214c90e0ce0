"""Containers without a kubelet: the environment that a pod template gives a process, and the files it mounts."""

import base64
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api_server import ApiError, ApiServer

Object = dict[str, Any]

_SCRATCH = "/tmp"
_VARIABLE = re.compile(r"\$(\$|\((?P<name>[A-Za-z_][\w.-]*)\))")


class CannotStart(Exception):
    """A container cannot be made; the text is a kubelet's."""

    reason = "CreateContainerConfigError"


class CannotPull(CannotStart):
    """A container's image is not there."""

    reason = "ImagePullBackOff"


@dataclass(frozen=True)
class HollowContainers:
    """Starts the containers of pod templates as processes of this machine.

    Attributes:
        server: holds the Secrets.
        namespace: of the pods.
        folder: where logs and mounted files lie.
        images: the scripts that images of users stand for; an image that is not among them cannot be pulled.
    """

    server: ApiServer
    namespace: str
    folder: Path
    images: dict[str, Path] = field(default_factory=dict)

    def start(
        self, name: str, number: int, container: Object, template: Object, **changes: str
    ) -> "subprocess.Popen[bytes]":
        """Start a container of a pod's template; `changes` replace variables that it has.

        Raises:
            CannotStart: a Secret, or a key in it, is missing.
            CannotPull: the image of a user is not there.
        """
        environment = self._environment(name, container, template.get("volumes", ()))
        environment.update({key: value for key, value in changes.items() if key in environment})
        command = [sys.executable, *self._command(container)]
        with self.log(name, number).open("ab") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def log(self, name: str, number: int) -> Path:
        """Return the file with what a container has said."""
        return self.folder / f"{name}.{number}.log"

    def _command(self, container: Object) -> "list[str | Path]":
        if "command" in container:
            return list(container["command"][1:])
        if container["image"] not in self.images:
            raise CannotPull(f"Back-off pulling image {container['image']}")
        return [self.images[container["image"]]]

    def _environment(self, name: str, container: Object, volumes: Any) -> dict[str, str]:
        mounts = self._mounted(name, container, volumes)
        values = {"PATH": os.environ["PATH"]}
        if "command" not in container:  # an image of a user's, which has nothing of ours but what it is told
            return values | {each["name"]: _below(mounts, self._value(each, values) or "") for each in container["env"]}
        values["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
        for each in container["env"]:
            value = self._value(each, values)
            if value is not None:
                values[each["name"]] = _below(mounts, value)
        values["HOME"] = os.environ.get("HOME", "/")
        values.pop("NUMBA_CACHE_DIR", None)
        values["LABELPLANE_METRICS_PORT"] = "0"
        return values

    def _value(self, variable: Object, before: dict[str, str]) -> str | None:
        """Return the value of a variable, None when it comes from an optional key that is missing."""
        source = variable.get("valueFrom")
        if source is None:
            return expanded(str(variable.get("value", "")), before)
        if "secretKeyRef" not in source:
            return "1"  # a share of the container's CPU
        reference = source["secretKeyRef"]
        try:
            return self._secret(reference["name"])[reference["key"]].decode()
        except KeyError as error:
            if reference.get("optional"):
                return None
            where = f"Secret {self.namespace}/{reference['name']}"
            raise CannotStart(f"couldn't find key {reference['key']} in {where}") from error

    def _mounted(self, name: str, container: Object, volumes: Any) -> dict[str, Path]:
        """Write the files of mounted Secrets, and return where each mount path lies; a pod shares its empty folders."""
        sources = {volume["name"]: volume for volume in volumes}
        mounts = {}
        for mount in container.get("volumeMounts", ()):
            secret = sources[mount["name"]].get("secret")
            is_shared = "emptyDir" in sources[mount["name"]] and mount["mountPath"] != _SCRATCH
            if secret is None and not is_shared:
                continue
            folder = self.folder / "mounts" / name / mount["name"]
            folder.mkdir(parents=True, exist_ok=True)
            if secret is None:
                mounts[mount["mountPath"]] = folder
                continue
            for key, value in self._secret(secret["secretName"]).items():
                (folder / key).write_bytes(value)
            mounts[mount["mountPath"]] = folder
        return mounts

    def _secret(self, name: str) -> dict[str, bytes]:
        try:
            found = self.server.get(f"/api/v1/namespaces/{self.namespace}/secrets/{name}")
        except ApiError as error:
            if error.code == 404:
                raise CannotStart(f'secret "{name}" not found') from error
            raise
        return {key: base64.b64decode(value) for key, value in found.get("data", {}).items()}


def expanded(text: str, values: dict[str, str]) -> str:
    """Return a variable's value as a kubelet gives it: `$(NAME)` is another's value, `$$` is a dollar."""
    return _VARIABLE.sub(lambda found: "$" if found["name"] is None else values.get(found["name"], found[0]), text)


def _below(mounts: dict[str, Path], value: str) -> str:
    for path, folder in mounts.items():
        if value == path or value.startswith(f"{path}/"):
            return str(folder / value[len(path) + 1 :])
    return value
