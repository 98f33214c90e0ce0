"""What the front's code calls on the Kubernetes API, and what it must not be able to."""

from typing import Final

from operator_rights import Right, rights

NEEDED: Final[tuple[Right, ...]] = (
    *rights("labelplane.io", "labelingjobs", "list", "watch"),
    *rights("authentication.k8s.io", "tokenreviews", "create"),
    *rights("authorization.k8s.io", "subjectaccessreviews", "create"),
)
"""Jobs where they are watched, reviews everywhere."""

FORBIDDEN: Final[tuple[Right, ...]] = (
    *rights("labelplane.io", "labelingjobs", "create", "update", "patch", "delete"),
    *rights("labelplane.io", "labelingjobs", "update", "patch", subresource="status"),
    *rights("labelplane.io", "labelingjobs", "create", subresource="votes"),
    *rights("", "secrets", "get", "list", "create"),
    *rights("", "configmaps", "get", "list"),
    *rights("", "pods", "get", "list"),
    *rights("", "serviceaccounts", "impersonate"),
    *rights("", "serviceaccounts", "create", subresource="token"),
    *rights("", "users", "impersonate"),
    *rights("apps", "deployments", "get", "list"),
    *rights("coordination.k8s.io", "leases", "get", "create"),
    *rights("rbac.authorization.k8s.io", "roles", "get", "create"),
    *rights("*", "*", "*"),
)
"""Nowhere."""
