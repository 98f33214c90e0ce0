"""A pod as processes of this machine: what a kubelet makes of a template, as far as our containers can tell."""

import math
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from service_process import ServiceProcess, service_process

from labelplane_operator.builders.resources import amount

Keys = Mapping[str, Mapping[str, str]]
"""Texts by the name of a Secret or ConfigMap, and by key."""


@asynccontextmanager
async def running_pod(
    template: Mapping[str, Any], folder: Path, *, secrets: Keys, config_maps: Keys | None = None
) -> AsyncIterator[dict[str, ServiceProcess]]:
    """Run a template's containers as processes, by their names; volumes are folders below `folder`."""
    spec = template["spec"]
    for volume in spec["volumes"]:
        _fill(volume, folder, secrets, config_maps or {})
    async with AsyncExitStack() as stack:
        running = {}
        for container in spec["containers"]:
            python, option, module = container["command"]
            assert (python, option) == ("python", "-m")
            environment = _environment(container, folder, secrets)
            running[container["name"]] = await stack.enter_async_context(service_process(module, environment))
        yield running


def decoded(secret: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of a Secret."""
    return {key: b64decode(value).decode() for key, value in secret["data"].items()}


def _fill(volume: Mapping[str, Any], folder: Path, secrets: Keys, config_maps: Keys) -> None:
    place = folder / volume["name"]
    place.mkdir(parents=True)
    texts: Mapping[str, str] = {}
    if "secret" in volume:
        texts = secrets[volume["secret"]["secretName"]]
    elif "configMap" in volume:
        texts = config_maps[volume["configMap"]["name"]]
    for key, text in texts.items():
        (place / key).write_text(text, encoding="utf-8")


def _environment(container: Mapping[str, Any], folder: Path, secrets: Keys) -> dict[str, str]:
    told = {}
    for variable in container["env"]:
        value = _value(variable, container, secrets)
        if value is not None:
            told[variable["name"]] = _moved(value, container, folder)
    return told


def _value(variable: Mapping[str, Any], container: Mapping[str, Any], secrets: Keys) -> str | None:
    if "value" in variable:
        return str(variable["value"]).replace("$$", "$")
    source = variable["valueFrom"]
    if "resourceFieldRef" in source:
        side, resource = source["resourceFieldRef"]["resource"].split(".")
        return str(math.ceil(amount(container["resources"][side][resource])))
    reference = source["secretKeyRef"]
    value = secrets[reference["name"]].get(reference["key"])
    assert value is not None or reference.get("optional"), reference
    return value


def _moved(value: str, container: Mapping[str, Any], folder: Path) -> str:
    """Return a path in a mounted volume as it is on this machine."""
    for mount in container["volumeMounts"]:
        if value == mount["mountPath"] or value.startswith(f"{mount['mountPath']}/"):
            return f"{folder / mount['name']}{value.removeprefix(mount['mountPath'])}"
    return value
