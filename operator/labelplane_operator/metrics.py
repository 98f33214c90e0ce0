"""What the operator measures: one prefix, `labelplane_`; docs/monitoring.md lists every name.

Figures of jobs are read from their statuses when they are asked for, so a job that is gone leaves none behind.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from labelplane_operator.policies.scaling import QueueDepth

__all__ = ["JobCollector", "OperatorMetrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_JOB = ("namespace", "job")

Object = dict[str, Any]


class OperatorMetrics:
    """Counters of the operator itself."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._reconcile_seconds = Histogram(
            "labelplane_operator_reconcile_seconds",
            "Time of one reconcile, in seconds, by how it ended.",
            ("outcome",),
            buckets=_SECONDS,
            registry=registry,
        )
        self._reconcile_errors = Counter(
            "labelplane_operator_reconcile_errors",
            "Reconciles that failed and are tried again, by the error's class.",
            ("reason",),
            registry=registry,
        )
        self._api_requests = Counter(
            "labelplane_operator_api_requests",
            "Requests to the API server besides the watches, by verb, kind and HTTP code (0: no answer).",
            ("verb", "kind", "code"),
            registry=registry,
        )
        self._operations = Counter(
            "labelplane_operator_operations",
            "Operations that ended, by stage and outcome.",
            ("stage", "outcome"),
            registry=registry,
        )
        self._queue_depth = Gauge(
            "labelplane_job_queue_depth",
            "Shards on the queue of a job's scoring workers, by state: ready or leased.",
            ("namespace", "job", "state"),
            registry=registry,
        )
        self.queue_length = Gauge("labelplane_operator_queue_length", "Jobs that wait for a worker.", registry=registry)
        self.is_leader = Gauge("labelplane_operator_is_leader", "1 while this pod acts, else 0.", registry=registry)

    def reconciled(self, seconds: float, *, outcome: str) -> None:
        """Count a reconcile."""
        self._reconcile_seconds.labels(outcome).observe(seconds)

    def failed(self, error: Exception) -> None:
        """Count a reconcile that is tried again."""
        self._reconcile_errors.labels(type(error).__name__).inc()

    def requested(self, verb: str, kind: str, code: int) -> None:
        """Count a request to the API server."""
        self._api_requests.labels(verb, kind, str(code)).inc()

    def queue_seen(self, namespace: str, job: str, depth: QueueDepth | None) -> None:
        """Note what is on the queue of a job; None where nobody scores, or it is not known."""
        if depth is None:
            for state in _QUEUE_STATES:
                with suppress(KeyError):
                    self._queue_depth.remove(namespace, job, state)
            return
        for state, shards in zip(_QUEUE_STATES, (depth.ready, depth.leased), strict=True):
            self._queue_depth.labels(namespace, job, state).set(shards)

    def operation_ended(self, stage: str, *, outcome: str) -> None:
        """Count an operation that ended."""
        self._operations.labels(stage, outcome).inc()


_QUEUE_STATES = ("ready", "leased")

_FIGURES: tuple[tuple[str, str, str, str], ...] = (
    ("labelplane_job_items", "Items of the data set.", "progress", "items"),
    ("labelplane_job_labelled_items", "Items that people decided.", "progress", "labelled"),
    ("labelplane_job_accepted_items", "Items that the machine decided inside the risk bound.", "progress", "accepted"),
    ("labelplane_job_votes", "Votes of people that have come.", "progress", "votes"),
    ("labelplane_job_votes_wanted", "Votes that the present round still lacks.", "progress", "votesWanted"),
    ("labelplane_job_money", "Cost by the stated prices.", "cost", "money"),
    ("labelplane_job_cpu_seconds", "CPU time used up, in seconds.", "cost", "cpuSeconds"),
    ("labelplane_job_gpu_seconds", "GPU time used up, in seconds.", "cost", "gpuSeconds"),
)


class JobCollector:
    """Figures of jobs, from their statuses.

    Args:
        jobs: returns every LabelingJob as the API server holds it.
        replicas: returns how many pods are wanted for a job, by its namespace and name.
    """

    def __init__(self, jobs: Callable[[], Iterable[Object]], replicas: Callable[[str, str], int]) -> None:
        self._jobs = jobs
        self._replicas = replicas

    def collect(self) -> Iterator[Metric]:
        """Return the figures of every job."""
        jobs = list(self._jobs())
        for name, help_text, group, field in _FIGURES:
            yield self._family(name, help_text, jobs, partial(_figure, group=group, field=field))
        yield self._family("labelplane_job_round", "The round under way, from 0.", jobs, _round)
        yield self._family("labelplane_job_replicas_wanted", "Pods that the job should have.", jobs, self._wanted)
        yield _conditions(jobs)

    def _wanted(self, job: Object) -> float:
        return float(self._replicas(*_names(job)))

    @staticmethod
    def _family(name: str, help_text: str, jobs: Iterable[Object], figure: Callable[[Object], float]) -> Metric:
        family = GaugeMetricFamily(name, help_text, labels=_JOB)
        for job in jobs:
            family.add_metric(_names(job), float(figure(job)))
        return family


def _conditions(jobs: Iterable[Object]) -> Metric:
    family = GaugeMetricFamily(
        "labelplane_job_condition", "1 for the present status of each condition.", labels=(*_JOB, "type", "status")
    )
    for job in jobs:
        for condition in job.get("status", {}).get("conditions", ()):
            family.add_metric((*_names(job), condition["type"], condition["status"]), 1.0)
    return family


def _names(job: Object) -> tuple[str, str]:
    return job["metadata"]["namespace"], job["metadata"]["name"]


def _figure(job: Object, *, group: str, field: str) -> float:
    return float(job.get("status", {}).get(group, {}).get(field, 0))


def _round(job: Object) -> float:
    rounds = job.get("status", {}).get("rounds", ())
    return float(rounds[-1]["round"]) if rounds else 0.0
