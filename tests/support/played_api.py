"""The requests of one client to an API server, answered from memory: what unit tests put in the client's place.

Applying merges fields and never removes one; who owns which field is not kept. A real API server has tests of its own.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kubernetes.aio.client.exceptions import ApiException

Object = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One request as it was sent."""

    method: str
    path: str
    body: Any
    words: Mapping[str, Any]


@dataclass(frozen=True)
class _Answer:
    status: int
    content: bytes

    async def read(self) -> bytes:
        return self.content


@dataclass
class PlayedApi:
    """Objects by their path.

    Attributes:
        objects: what stands.
        requests: what was asked, in order.
        faults: answers in place of the usual ones, by method and path; each is given once for each time it is listed.
        version: the newest resourceVersion.
    """

    objects: dict[str, Object] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    faults: dict[tuple[str, str], list[Exception | bytes]] = field(default_factory=dict)
    version: int = 100

    def fail(self, method: str, path: str, *answers: Exception | bytes) -> None:
        """Have the next requests answered otherwise: an error is raised, bytes are the body of a success."""
        self.faults.setdefault((method, path), []).extend(answers)

    def put(self, path: str, manifest: Mapping[str, Any]) -> Object:
        """Have an object stand, as if somebody else had made it."""
        return self._stored(path, manifest)

    def asked(self) -> list[str]:
        """Return every request as `method path`, and forget them."""
        lines = [f"{each.method} {each.path}" for each in self.requests]
        self.requests.clear()
        return lines

    async def request(
        self, method: str, path: str, *, body: Any = None, serialize: bool, _request_timeout: float, **words: Any
    ) -> _Answer:
        """Answer one request as the client of the library does."""
        assert not serialize
        assert _request_timeout > 0
        self.requests.append(Request(method, path, body, words))
        if planned := self.faults.get((method, path)):
            answer = planned.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return _Answer(200, answer)
        return _Answer(200, json.dumps(self._answer(method, path, body)).encode())

    def _answer(self, method: str, path: str, body: Any) -> Object:
        if method == "post":
            path = f"{path}/{body['metadata']['name']}"
            if path in self.objects:
                raise refusal(409, "exists already")
            return self._stored(path, body)
        if method == "patch":
            return self._patched(path, body)
        if method == "get" and _is_list(path):
            items = [each for where, each in self.objects.items() if where.rpartition("/")[0] == path]
            return {"items": items, "metadata": {"resourceVersion": str(self.version)}}
        where = path.removesuffix("/status")
        if where not in self.objects:
            raise refusal(404, "not found")
        if method == "delete":
            return self._deleted(where, body)
        if method == "put":
            return self._replaced(where, body)
        return self.objects[where]

    def _patched(self, path: str, body: Any) -> Object:
        owner = path.removesuffix("/scale")
        if owner != path and owner not in self.objects:
            raise refusal(404, "not found")
        version = body.get("metadata", {}).get("resourceVersion")
        if version and owner in self.objects and version != self.objects[owner]["metadata"]["resourceVersion"]:
            raise refusal(409, "the object has been modified")
        changed = self._stored(owner, _merged(self.objects.get(owner, {}), body))
        if changed["metadata"].get("deletionTimestamp") and not changed["metadata"].get("finalizers"):
            del self.objects[owner]
        return changed

    def _deleted(self, path: str, body: Any) -> Object:
        if body["preconditions"]["uid"] != self.objects[path]["metadata"]["uid"]:
            raise refusal(409, "the uid is another")
        return self.objects.pop(path)

    def _replaced(self, path: str, body: Any) -> Object:
        if body["metadata"]["resourceVersion"] != self.objects[path]["metadata"]["resourceVersion"]:
            raise refusal(409, "the object has been modified")
        return self._stored(path, body)

    def _stored(self, path: str, manifest: Mapping[str, Any]) -> Object:
        self.version += 1
        metadata = {"uid": f"uid-{self.version}", **manifest["metadata"], "resourceVersion": str(self.version)}
        self.objects[path] = json.loads(json.dumps({**manifest, "metadata": metadata}))
        return self.objects[path]


def refusal(code: int, message: str, *, causes: tuple[str, ...] = ()) -> ApiException:
    """Return the error by which the client library tells a refusal."""
    error = ApiException(status=code, reason="refused")  # type: ignore[no-untyped-call]
    details = {"causes": [{"reason": cause} for cause in causes]} if causes else None
    error.body = json.dumps({"kind": "Status", "message": message, "details": details})
    return error


def _is_list(path: str) -> bool:
    prefix = 2 if path.startswith("/api/") else 3
    return len(path.strip("/").split("/")) - prefix in {1, 3}


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return new
    return {**old, **{name: _merged(old.get(name), value) for name, value in new.items()}}
