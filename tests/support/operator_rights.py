"""What the operator's code calls on the Kubernetes API, and what it must not be able to."""

import time
from dataclasses import dataclass
from typing import Final

from api_server import ApiServer

_RIGHT_SECONDS: Final = 60.0

CHILD_VERBS: Final = ("get", "list", "watch", "create", "patch", "delete")


@dataclass(frozen=True)
class Right:
    """One verb on one resource; a name where only that object is meant."""

    verb: str
    group: str
    resource: str
    subresource: str = ""
    name: str = ""

    def __str__(self) -> str:
        parts = [self.resource, self.subresource] if self.subresource else [self.resource]
        return f"{self.verb} {self.group or 'core'} {'/'.join(parts)} {self.name}".strip()


def rights(group: str, resource: str, *verbs: str, subresource: str = "") -> tuple[Right, ...]:
    return tuple(Right(verb, group, resource, subresource) for verb in verbs)


NEEDED: Final[tuple[Right, ...]] = (
    *rights("labelplane.io", "labelingjobs", "list", "watch", "patch", "delete"),
    *rights("labelplane.io", "labelingjobs", "update", subresource="status"),
    *rights("labelplane.io", "labelingjobs", "update", subresource="finalizers"),
    *rights("apps", "deployments", *CHILD_VERBS),
    *rights("apps", "deployments", "patch", subresource="scale"),
    *rights("batch", "jobs", *CHILD_VERBS),
    *rights("", "services", *CHILD_VERBS),
    *rights("", "serviceaccounts", *CHILD_VERBS),
    *rights("policy", "poddisruptionbudgets", *CHILD_VERBS),
    *rights("networking.k8s.io", "networkpolicies", *CHILD_VERBS),
    *rights("", "secrets", "create"),
    *rights("", "configmaps", "get"),
    *rights("", "pods", "list", "watch"),
    *rights("events.k8s.io", "events", "create"),
)
"""In every namespace that it watches."""

FORBIDDEN: Final[tuple[Right, ...]] = (
    *rights("", "secrets", "get", "list", "watch", "update", "patch", "delete", "deletecollection"),
    *rights("", "configmaps", "list", "watch", "create", "update", "patch", "delete"),
    *rights("", "pods", "create", "update", "delete"),
    *rights("", "pods", "create", subresource="exec"),
    *rights("", "pods", "get", subresource="log"),
    *rights("", "serviceaccounts", "create", subresource="token"),
    *rights("", "serviceaccounts", "impersonate"),
    *rights("", "nodes", "get", "list"),
    *rights("", "namespaces", "list", "create", "delete"),
    *rights("", "persistentvolumeclaims", "get", "create"),
    *rights("", "users", "impersonate"),
    *rights("apps", "statefulsets", "get", "create"),
    *rights("apps", "deployments", "deletecollection"),
    *rights("apps", "deployments", "update", subresource="scale"),
    *rights("apiextensions.k8s.io", "customresourcedefinitions", "get", "create", "patch", "delete"),
    *rights("rbac.authorization.k8s.io", "roles", "get", "create", "bind", "escalate"),
    *rights("rbac.authorization.k8s.io", "clusterrolebindings", "get", "create"),
    *rights("admissionregistration.k8s.io", "mutatingwebhookconfigurations", "create"),
    *rights("labelplane.io", "labelingjobs", "create", "update", "deletecollection"),
    *rights("labelplane.io", "labelingjobs", "patch", subresource="status"),
    *rights("*", "*", "*"),
    *rights("*", "*", "get"),
    *rights("", "*", "get"),
    *rights("labelplane.io", "labelingjobs", "*"),
)
"""Nowhere."""


def may(server: ApiServer, right: Right, namespace: str, *, user: str = "") -> bool:
    """Ask the server for the right of a user, or of the client itself."""
    attributes = {
        "verb": right.verb,
        "group": right.group,
        "resource": right.resource,
        "subresource": right.subresource,
        "name": right.name,
        "namespace": namespace,
    }
    kind = "SubjectAccessReview" if user else "SelfSubjectAccessReview"
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": kind,
        "spec": {"resourceAttributes": attributes, **({"user": user} if user else {})},
    }
    answer = server.create(f"/apis/authorization.k8s.io/v1/{kind.lower()}s", review)
    return bool(answer["status"]["allowed"])


def await_right(server: ApiServer, right: Right, namespace: str, *, user: str = "") -> None:
    """Return once a user has a right: controllers, and the server itself, learn of roles and bindings by watches."""
    deadline = time.monotonic() + _RIGHT_SECONDS
    while not may(server, right, namespace, user=user):
        if time.monotonic() > deadline:
            raise AssertionError(f"{user or 'the client'} may not {right} in {namespace}")
        time.sleep(0.1)
