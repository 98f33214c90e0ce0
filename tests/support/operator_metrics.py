"""The metrics that the operator exports, with their labels: what alerts and the dashboard may use."""

from typing import Final

_JOB: Final = ("namespace", "job")

METRICS: Final[dict[str, tuple[str, ...]]] = {
    "labelplane_operator_reconcile_seconds_bucket": ("outcome", "le"),
    "labelplane_operator_reconcile_seconds_count": ("outcome",),
    "labelplane_operator_reconcile_seconds_sum": ("outcome",),
    "labelplane_operator_reconcile_errors_total": ("reason",),
    "labelplane_operator_queue_length": (),
    "labelplane_operator_is_leader": (),
    "labelplane_operator_api_requests_total": ("verb", "kind", "code"),
    "labelplane_operator_operations_total": ("stage", "outcome"),
    "labelplane_job_items": _JOB,
    "labelplane_job_labelled_items": _JOB,
    "labelplane_job_accepted_items": _JOB,
    "labelplane_job_votes": _JOB,
    "labelplane_job_votes_wanted": _JOB,
    "labelplane_job_round": _JOB,
    "labelplane_job_replicas_wanted": _JOB,
    "labelplane_job_queue_depth": _JOB,
    "labelplane_job_money": _JOB,
    "labelplane_job_cpu_seconds": _JOB,
    "labelplane_job_gpu_seconds": _JOB,
    "labelplane_job_condition": (*_JOB, "type", "status"),
}
"""By name, as Prometheus stores it."""
