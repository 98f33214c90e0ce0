"""The metrics of the operator with their labels, as it exports them: what alerts and the dashboard may use."""

from typing import Any

from prometheus_client import CollectorRegistry

from labelplane_operator.metrics import JobCollector, OperatorMetrics
from labelplane_operator.policies.scaling import QueueDepth

_JOB: dict[str, Any] = {
    "metadata": {"namespace": "a", "name": "b"},
    "status": {"conditions": [{"type": "Failed", "status": "True"}], "rounds": [{"round": 0}]},
}


def exported_metrics() -> dict[str, frozenset[str]]:
    """Return the labels of every series that the operator exports, by its name, once each of them has been counted."""
    registry = CollectorRegistry()
    metrics = OperatorMetrics(registry)
    metrics.reconciled(0.1, outcome="success")
    metrics.failed(RuntimeError())
    metrics.requested("get", "leases", 200)
    metrics.operation_ended("Vote", outcome="Succeeded")
    metrics.queue_seen("a", "b", QueueDepth(1, 1))
    registry.register(JobCollector(lambda: [_JOB], lambda _namespace, _name: 1))
    samples = [sample for family in registry.collect() for sample in family.samples]
    return {sample.name: frozenset(sample.labels) for sample in samples if not sample.name.endswith("_created")}
