"""How a job's containers reach its object storage."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from labelplane_api.dataset import Storage
from labelplane_operator.builders.variables import plain, secret

__all__ = [
    "CA_VOLUME",
    "ca_mounts",
    "ca_volumes",
    "endpoint_address",
    "key_mounts",
    "key_variables",
    "key_volumes",
    "storage_variables",
    "url_address",
]

CA_VOLUME: Final = "storage-ca"
_CA_FOLDER: Final = "/etc/labelplane/storage-ca"
_CA_KEY: Final = "ca.crt"
_KEYS_VOLUME: Final = "storage-keys"
_KEYS_FOLDER: Final = "/etc/labelplane/storage-keys"
_PORTS: Final = {"http": 80, "https": 443}


def storage_variables(storage: Storage) -> Iterator[dict[str, Any]]:
    """Yield the variables of address and keys; keys come from the user's Secret, which the operator never reads."""
    if storage.endpoint:
        yield plain("S3_ENDPOINT", storage.endpoint)
        yield plain("S3_ALLOW_HTTP", str(storage.endpoint.startswith("http://")).lower())
    if storage.region:
        yield plain("S3_REGION", storage.region)
    yield plain("S3_PATH_STYLE", str(storage.path_style).lower())
    if name := storage.credentials_secret:
        yield secret("S3_ACCESS_KEY", name, "AWS_ACCESS_KEY_ID")
        yield secret("S3_SECRET_KEY", name, "AWS_SECRET_ACCESS_KEY")
        yield secret("S3_SESSION_TOKEN", name, "AWS_SESSION_TOKEN", is_optional=True)
    if storage.ca_bundle_config_map:
        yield plain("S3_CA_BUNDLE", f"{_CA_FOLDER}/{_CA_KEY}")


def ca_volumes(storage: Storage) -> list[dict[str, Any]]:
    """Return the volume of the storage's certificates; none without them."""
    if not storage.ca_bundle_config_map:
        return []
    source = {"name": storage.ca_bundle_config_map, "items": [{"key": _CA_KEY, "path": _CA_KEY}]}
    return [{"name": CA_VOLUME, "configMap": source}]


def ca_mounts(storage: Storage) -> list[dict[str, Any]]:
    """Return where a container finds that volume."""
    if not storage.ca_bundle_config_map:
        return []
    return [{"name": CA_VOLUME, "mountPath": _CA_FOLDER, "readOnly": True}]


def key_variables(storage: Storage) -> Iterator[dict[str, Any]]:
    """Yield where a container that lives long finds keys that follow the Secret.

    They go before the variables of `storage_variables`, which let no container start without them: the kubelet then
    says by name which Secret or key is missing, which it does not of a volume.
    """
    if storage.credentials_secret:
        yield plain("S3_CREDENTIALS", _KEYS_FOLDER)


def key_volumes(storage: Storage) -> list[dict[str, Any]]:
    """Return the volume of those keys; none without a Secret."""
    if not storage.credentials_secret:
        return []
    # A Secret that is missing must not keep the pod from its container, which says so.
    return [{"name": _KEYS_VOLUME, "secret": {"secretName": storage.credentials_secret, "optional": True}}]


def key_mounts(storage: Storage) -> list[dict[str, Any]]:
    """Return where a container finds that volume."""
    return [{"name": each["name"], "mountPath": _KEYS_FOLDER, "readOnly": True} for each in key_volumes(storage)]


def endpoint_address(storage: Storage) -> tuple[str, int]:
    """Return host and port of the storage; no host for a cloud's own, which has many."""
    if not storage.endpoint:
        return "", _PORTS["https"]
    return url_address(storage.endpoint)


def url_address(url: str) -> tuple[str, int]:
    """Return host and port of a server at an address of http or https."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS[parts.scheme]
