"""The Kubernetes API, as far as the operator needs it: the only module that knows a client library.

Writes are refused once this process may not lead any more, so a leader that was asleep writes nothing late.
"""

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.request import getproxies

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.dynamic import DynamicClient
from kubernetes.aio.dynamic.exceptions import DynamicApiError

from labelplane_operator.errors import (
    ApiConflict,
    ApiError,
    ApiForbidden,
    ApiInvalid,
    ApiNotFound,
    ApiUnavailable,
    InvalidSettings,
    NamespaceEnding,
    NotLeader,
)
from labelplane_operator.kinds import LEASE, Kind

__all__ = ["CallCounter", "Kube", "Listing", "open_client"]

MANAGER = "labelplane"
"""The field manager of everything but replicas."""
SCALER = "labelplane-scaler"
"""The field manager of replicas, so that applying a Deployment never changes how many pods it has."""

_REQUEST_SECONDS = 30.0
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_NOT_NOW = frozenset({408, 429})
_MAX_MESSAGE_LENGTH = 500
_ENDING = "NamespaceTerminating"
"""The cause by which the API server says that a namespace is being deleted."""

Object = dict[str, Any]
CallCounter = Callable[[str, str, int], None]
"""Told of every request: its verb, the plural name of its kind, and the HTTP status, 0 without an answer."""


@asynccontextmanager
async def open_client() -> AsyncIterator[DynamicClient]:
    """Yield a client for the cluster that this pod runs in, or that KUBECONFIG names.

    Raises:
        InvalidSettings: there is neither.
    """
    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except config.ConfigException:
        try:
            await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except config.ConfigException as error:
            raise InvalidSettings(f"no cluster: neither a pod's ServiceAccount nor KUBECONFIG: {error}") from error
    if not getproxies():
        # Without a proxy there is nothing to ask the environment for, and each request would ask it in a thread.
        configuration.client_session_kwargs = {"trust_env": False}
    async with ApiClient(configuration=configuration) as client:
        yield DynamicClient(client)  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Listing:
    """All objects of a kind, as they were at one resourceVersion."""

    objects: tuple[Object, ...]
    version: int


class Kube:
    """Reads and writes objects.

    Args:
        client: sends the requests.
        may_write: tells whether this process still leads.
        count: told of every request.
    """

    def __init__(self, client: DynamicClient, *, may_write: Callable[[], bool], count: CallCounter) -> None:
        self._client = client
        self._may_write = may_write
        self._count = count

    async def list_all(self, kind: Kind, *, namespace: str = "", labels: str = "") -> Listing:
        """Return the objects of a kind, from the API server's own cache."""
        query = {"label_selector": labels or None, "resource_version": "0"}
        answer = await self._request("list", kind, kind.path(namespace), **query)
        objects = tuple({"apiVersion": kind.api_version, "kind": kind.kind, **each} for each in answer["items"])
        return Listing(objects, version=int(answer["metadata"]["resourceVersion"]))

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Return an object."""
        return await self._request("get", kind, kind.path(namespace, name))

    async def create(self, kind: Kind, manifest: Mapping[str, Any]) -> Object:
        """Create an object; ApiConflict when one of that name exists."""
        path = kind.path(manifest["metadata"]["namespace"])
        return await self._write("create", kind, path, body=manifest, field_manager=MANAGER)

    async def create_lease(self, manifest: Mapping[str, Any]) -> Object:
        """Create the Lease by which a process comes to lead; ApiConflict when there is one."""
        path = LEASE.path(manifest["metadata"]["namespace"])
        return await self._request("create", LEASE, path, body=manifest, field_manager=MANAGER)

    async def replace_lease(self, manifest: Mapping[str, Any]) -> Object:
        """Replace the Lease as it was read; ApiConflict when it has changed since."""
        metadata = manifest["metadata"]
        path = LEASE.path(metadata["namespace"], metadata["name"])
        return await self._request("update", LEASE, path, body=manifest, field_manager=MANAGER)

    async def apply(
        self, kind: Kind, manifest: Mapping[str, Any], *, manager: str = MANAGER, is_forced: bool = True
    ) -> Object:
        """Have an object as it is said here; other fields stay.

        A field that another manager holds at another value is taken over, or, not forced, an ApiConflict.
        """
        metadata = manifest["metadata"]
        path = kind.path(metadata["namespace"], metadata["name"])
        return await self._write(
            "apply", kind, path, body=manifest, content_type=_APPLY, field_manager=manager, force_conflicts=is_forced
        )

    async def replace_status(self, kind: Kind, manifest: Mapping[str, Any]) -> Object:
        """Replace an object's status; ApiConflict when its resourceVersion is not the newest.

        Applying it would not do: a map that has lost its last key comes out as null, which the schema refuses.
        """
        metadata = manifest["metadata"]
        path = kind.path(metadata["namespace"], metadata["name"], "status")
        return await self._write("update", kind, path, body=manifest, field_manager=MANAGER)

    async def scale(self, kind: Kind, namespace: str, name: str, replicas: int) -> None:
        """Set how many pods a workload has."""
        await self._write(
            "scale",
            kind,
            kind.path(namespace, name, "scale"),
            body={"spec": {"replicas": replicas}},
            content_type=_MERGE,
            field_manager=SCALER,
        )

    async def merge(self, kind: Kind, namespace: str, name: str, change: Mapping[str, Any]) -> Object:
        """Change some fields of an object."""
        path = kind.path(namespace, name)
        return await self._write("patch", kind, path, body=change, content_type=_MERGE, field_manager=MANAGER)

    async def delete(self, kind: Kind, namespace: str, name: str, *, uid: str) -> None:
        """Delete this very object in the background: ApiNotFound when it is gone, ApiConflict when it is another."""
        body = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        await self._write("delete", kind, kind.path(namespace, name), body=body)

    async def is_alive(self) -> bool:
        """Tell whether the API server answers."""
        try:
            await self._client.request("get", "/livez", serialize=False, _request_timeout=_REQUEST_SECONDS)
        except (DynamicApiError, ApiException, aiohttp.ClientError, TimeoutError, OSError):
            return False
        return True

    async def _write(self, verb: str, kind: Kind, path: str, **words: Any) -> Object:
        if not self._may_write():
            raise NotLeader(f"{verb} {path}: this process does not lead any more")
        return await self._request(verb, kind, path, **words)

    async def _request(self, verb: str, kind: Kind, path: str, **words: Any) -> Object:
        """Send one request and return the object of its answer.

        Raises:
            ApiError: the answer is a refusal.
            ApiUnavailable: there is no answer, or it says to come back.
        """
        method = _METHODS[verb]
        code = 0
        try:
            response = await self._client.request(
                method, path, serialize=False, _request_timeout=_REQUEST_SECONDS, **words
            )
            answer: Object = json.loads(await response.read())
            code = response.status
        except (DynamicApiError, ApiException) as error:
            code = int(error.status or 0)
            raise _refusal(f"{verb} {path}", code, error.body) from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ApiUnavailable(f"{verb} {path}: {str(error) or type(error).__name__}") from error
        finally:
            self._count(verb, kind.plural, code)
        return answer


_METHODS = {
    "list": "get",
    "get": "get",
    "create": "post",
    "update": "put",
    "apply": "patch",
    "patch": "patch",
    "scale": "patch",
    "delete": "delete",
}
_BY_CODE: dict[int, type[ApiError]] = {
    400: ApiInvalid,
    403: ApiForbidden,
    404: ApiNotFound,
    409: ApiConflict,
    422: ApiInvalid,
}


def _refusal(request: str, code: int, body: Any) -> ApiError | ApiUnavailable:
    message, causes = _message(body), _causes(body)
    if _ENDING in causes:
        return NamespaceEnding(request, code, message)
    if code == 0 or code in _NOT_NOW or code >= 500:
        return ApiUnavailable(f"{request}: {code}: {message}")
    return _BY_CODE.get(code, ApiError)(request, code, message)


def _message(body: Any) -> str:
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
    with suppress(ValueError, KeyError, TypeError):  # no Status of Kubernetes
        text = str(json.loads(text)["message"] or text)
    return text[:_MAX_MESSAGE_LENGTH]


def _causes(body: Any) -> list[str]:
    """Return why a request is refused, in the API server's constants."""
    with suppress(ValueError, KeyError, TypeError):  # no Status of Kubernetes, or one without details
        return [each["reason"] for each in json.loads(body)["details"]["causes"]]
    return []
