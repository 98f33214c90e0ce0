"""Containers without a kubelet: the environment that a pod template gives a process, and the files it mounts."""

import base64
import os
import re
import subprocess
import sys
from contextlib import suppress
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


class CannotMount(CannotStart):
    """A volume of the pod cannot be mounted: its containers say nothing of it, and are not made."""


@dataclass(frozen=True)
class HollowContainers:
    """Starts the containers of pod templates as processes of this machine.

    Attributes:
        server: holds the Secrets and ConfigMaps.
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
            CannotMount: a ConfigMap, or a key in it, is missing.
            CannotPull: the image of a user is not there.
        """
        environment = self._environment(name, container, template.get("volumes", ()))
        environment.update({key: value for key, value in changes.items() if key in environment})
        command = [sys.executable, *self._command(container)]
        with self.log(name, number).open("ab") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def refresh(self, name: str, template: Object) -> None:
        """Bring what ConfigMaps hold now into the volumes of a pod that runs; one that is gone changes nothing."""
        for volume in template.get("volumes", ()):
            with suppress(CannotMount):
                self._write_config_maps(self._folder_of(name, volume["name"]), volume)

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
        """Write the files of mounted Secrets and ConfigMaps, and return where each mount path lies.

        A pod's containers share its empty folders, but not the one for scratch.
        """
        sources = {volume["name"]: volume for volume in volumes}
        mounts = {}
        for mount in container.get("volumeMounts", ()):
            volume = sources[mount["name"]]
            folder = self._folder_of(name, mount["name"])
            if "secret" in volume:
                for key, value in self._secret(volume["secret"]["secretName"]).items():
                    _write(folder / key, value)
            elif "emptyDir" in volume and mount["mountPath"] != _SCRATCH:
                folder.mkdir(parents=True, exist_ok=True)
            elif not self._write_config_maps(folder, volume):
                continue
            mounts[mount["mountPath"]] = folder
        return mounts

    def _folder_of(self, name: str, volume: str) -> Path:
        return self.folder / "mounts" / name / volume

    def _write_config_maps(self, folder: Path, volume: Object) -> bool:
        """Write the keys that a volume takes from ConfigMaps, and tell whether it takes any."""
        projected = volume.get("projected", {}).get("sources", ())
        sources = [each["configMap"] for each in (volume, *projected) if "configMap" in each]
        texts = {
            item["path"]: self._config_map_text(source["name"], item["key"])
            for source in sources
            for item in source["items"]
        }
        for path, text in texts.items():
            _write(folder / path, text.encode())
        return bool(texts)

    def _config_map_text(self, name: str, key: str) -> str:
        try:
            return str(self.server.get(f"/api/v1/namespaces/{self.namespace}/configmaps/{name}").get("data", {})[key])
        except ApiError as error:
            if error.code == 404:
                raise CannotMount(f'configmap "{name}" not found') from error
            raise
        except KeyError as error:
            raise CannotMount(f"references non-existent config key: {key}") from error

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
        if f"{value}/".startswith(f"{path}/"):
            return str(folder / value[len(path) + 1 :])
    return value


def _write(path: Path, content: bytes) -> None:
    """Write a file so that no one reads half of it, unless it holds this already."""
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}")
    new.write_bytes(content)
    new.replace(path)
