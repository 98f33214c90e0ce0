"""Who may come in on a cluster: people whom a proxy or a token names, as far as RBAC lets them."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from aiohttp import web

from labelplane_review.cluster.proxy import SigningProxy
from labelplane_review.cluster.recent import Recent
from labelplane_review.errors import ApiServerAway
from labelplane_review.web.refusals import Refused
from labelplane_review.web.rights import Deed, Visitor

__all__ = ["HOLDS_SECONDS", "ClusterAccess", "Reviewer"]

HOLDS_SECONDS: Final = 10.0
"""How long an answer of the API server is believed: a right that is taken away ends so much later."""
_MOST_KEPT: Final = 20_000
_BEARER: Final = "Bearer "
_LONGEST_TOKEN: Final = 32_768
_GROUP: Final = "labelplane.io"
_RESOURCE: Final = "labelingjobs"
_RIGHTS: Final[Mapping[Deed, tuple[str, str]]] = {
    Deed.SEE: ("get", ""),
    Deed.LABEL: ("create", "votes"),
    Deed.DECIDE: ("create", "decisions"),
    Deed.BRING_VOTES: ("create", "imports"),
}
"""The verb and the subresource of LabelingJobs that RBAC is asked for. The subresources are names for rights alone."""

Attributes = tuple[tuple[str, str], ...]


class Reviewer(Protocol):
    """Answers reviews, as the API server does."""

    async def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return the review with its status; `ApiServerAway` when there is no answer."""
        ...


class ClusterAccess:
    """Asks the API server who somebody is (TokenReview) and what they may do (SubjectAccessReview)."""

    def __init__(self, server: Reviewer, proxy: SigningProxy, *, audience: str, monotonic: Callable[[], float]) -> None:
        self._server = server
        self._proxy = proxy
        self._audience = audience
        self._people: Recent[bytes, Visitor | Refused] = _recent(monotonic)
        self._rights: Recent[tuple[Visitor, Attributes], bool] = _recent(monotonic)

    @property
    def may_rename(self) -> bool:
        """People answer under their user names."""
        return False

    def routes(self) -> Sequence[web.RouteDef]:
        """Return nothing: people are signed in elsewhere, and no cookie is given."""
        return ()

    async def admit(self, request: web.Request) -> Visitor:
        """Return whom the proxy or the token names; `Refused` when there is neither or it is not believed."""
        visitor = self._proxy.visitor(request)
        if visitor is not None:
            return visitor
        header = request.headers.get("Authorization", "")
        token = header.removeprefix(_BEARER).strip() if header.startswith(_BEARER) else ""
        if not token:
            raise Refused(401, "NotSignedIn", "sign in, or bring a token as Authorization: Bearer TOKEN")
        found = await self._of_token(token)
        if isinstance(found, Refused):
            raise Refused(found.status, found.reason, found.message)
        return found

    async def may(self, visitor: Visitor, deed: Deed, job: str) -> bool:
        """Whether RBAC lets a user do something to a job; `Refused` when the API server does not say."""
        namespace, _, name = job.partition("/")
        verb, subresource = _RIGHTS[deed]
        return await self._is_allowed(visitor, namespace=namespace, verb=verb, subresource=subresource, name=name)

    async def seen_by(self, visitor: Visitor, jobs: Sequence[str]) -> Sequence[str]:
        """Return those of the jobs that a user may see: where they may list them, all of the namespace."""
        by_namespace: defaultdict[str, list[str]] = defaultdict(list)
        for job in jobs:
            by_namespace[job.partition("/")[0]].append(job)
        seen: list[str] = []
        for namespace, inside in by_namespace.items():
            if await self._is_allowed(visitor, namespace=namespace, verb="list"):
                seen += inside
            else:
                seen += [job for job in inside if await self.may(visitor, Deed.SEE, job)]
        return seen

    def refusal(self, deed: Deed) -> Refused:
        """Return what a user is told who may not do something."""
        verb, subresource = _RIGHTS[deed]
        resource = f"{_RESOURCE}/{subresource}" if subresource else _RESOURCE
        return Refused(403, "NotAllowed", f"you may not {deed} here: ask for the right to {verb} {resource}")

    # -- the API server's word ------------------------------------------------------------------------------------

    async def _of_token(self, token: str) -> Visitor | Refused:
        if len(token) > _LONGEST_TOKEN:
            return _wrong_token()
        digest = hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
        found = self._people.get(digest)
        if found is None:
            found = await self._reviewed(token)
            self._people.put(digest, found)
        return found

    async def _reviewed(self, token: str) -> Visitor | Refused:
        spec: dict[str, Any] = {"token": token}
        if self._audience:
            spec["audiences"] = [self._audience]
        status = (await self._ask("authentication.k8s.io", "TokenReview", spec)).get("status", {})
        is_for_us = not self._audience or self._audience in status.get("audiences", ())
        user = status.get("user", {})
        if not status.get("authenticated") or not is_for_us or not user.get("username"):
            return _wrong_token()
        extra = {str(key): tuple(map(str, values)) for key, values in (user.get("extra") or {}).items()}
        return Visitor(
            str(user["username"]), groups=tuple(user.get("groups") or ()), extra=tuple(sorted(extra.items()))
        )

    async def _is_allowed(self, visitor: Visitor, **attributes: str) -> bool:
        key = (visitor, tuple(sorted(attributes.items())))
        known = self._rights.get(key)
        if known is not None:
            return known
        spec: dict[str, Any] = {
            "user": visitor.name,
            "groups": list(visitor.groups),
            "extra": {name: list(values) for name, values in visitor.extra},
            "resourceAttributes": {"group": _GROUP, "resource": _RESOURCE, **attributes},
        }
        answer = await self._ask("authorization.k8s.io", "SubjectAccessReview", spec)
        allowed = bool(answer.get("status", {}).get("allowed"))
        self._rights.put(key, allowed)
        return allowed

    async def _ask(self, group: str, kind: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return await self._server.create(
                f"/apis/{group}/v1/{kind.lower()}s", {"apiVersion": f"{group}/v1", "kind": kind, "spec": spec}
            )
        except ApiServerAway as error:
            raise Refused(503, "ApiServerAway", "the API server does not say who you are: try again") from error


def _recent(monotonic: Callable[[], float]) -> Recent[Any, Any]:
    return Recent(seconds=HOLDS_SECONDS, most=_MOST_KEPT, monotonic=monotonic)


def _wrong_token() -> Refused:
    return Refused(401, "WrongToken", "the token is not valid here: it has run out, or it is for somebody else")
