"""How the kubelet tells whether a container has started, may be called, and still lives."""

from collections.abc import Mapping
from typing import Any

__all__ = ["grpc_probes", "metrics_probes"]


def grpc_probes(port: int) -> dict[str, Any]:
    """Return the probes of a service, by its gRPC health."""
    return _probes({"grpc": {"port": port}})


def metrics_probes() -> dict[str, Any]:
    """Return the probes of a process that takes no calls, by its metrics."""
    return _probes({"httpGet": {"path": "/metrics", "port": "metrics"}})


def _probes(question: Mapping[str, Any]) -> dict[str, Any]:
    # Five minutes to start: a cold node reads gigabytes of libraries. Two until a process that says nothing is ended:
    # one that computes on all its cores answers late, and ending it would throw its work away.
    return {
        "startupProbe": _probe(question, every_seconds=2, failures=150),
        "readinessProbe": _probe(question, every_seconds=5, failures=3),
        "livenessProbe": _probe(question, every_seconds=20, failures=6),
    }


def _probe(question: Mapping[str, Any], *, every_seconds: int, failures: int) -> dict[str, Any]:
    return {**question, "periodSeconds": every_seconds, "timeoutSeconds": 5, "failureThreshold": failures}
