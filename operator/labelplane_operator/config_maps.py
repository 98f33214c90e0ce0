"""ConfigMaps that jobs name, looked up by name: none is watched or listed, and of none is more kept than its keys."""

from collections.abc import Iterable

from labelplane_operator.errors import ApiError, ApiNotFound, ApiUnavailable
from labelplane_operator.kinds import CONFIG_MAP
from labelplane_operator.kube import Kube

__all__ = ["read_keys"]


async def read_keys(kube: Kube, namespace: str, names: Iterable[str]) -> dict[str, frozenset[str] | None]:
    """Return the keys of ConfigMaps by their names, None where there is none; what cannot be read is left out."""
    found: dict[str, frozenset[str] | None] = {}
    for name in dict.fromkeys(names):
        try:
            config_map = await kube.get(CONFIG_MAP, namespace, name)
        except ApiNotFound:
            found[name] = None
        except (ApiError, ApiUnavailable):
            continue  # the kubelet reads it all the same
        else:
            found[name] = frozenset((*(config_map.get("data") or ()), *(config_map.get("binaryData") or ())))
    return found
