"""Figures of jobs are those of their statuses, and go when the job goes."""

from typing import Any

from prometheus_client import CollectorRegistry

from labelplane_operator.metrics import JobCollector, OperatorMetrics

JOB: dict[str, Any] = {
    "metadata": {"namespace": "team", "name": "digits"},
    "status": {
        "conditions": [{"type": "Progressing", "status": "True"}],
        "progress": {"items": 1000, "labelled": 40, "votesWanted": 12},
        "cost": {"money": 1.5},
        "rounds": [{"round": 0}, {"round": 1}],
    },
}
LABELS = {"namespace": "team", "job": "digits"}


def _registry(jobs: list[dict[str, Any]]) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(JobCollector(lambda: jobs, lambda _namespace, _name: 2))
    return registry


def test_the_figures_of_a_job_are_those_of_its_status() -> None:
    registry = _registry([JOB])

    def figure(name: str) -> float | None:
        return registry.get_sample_value(f"labelplane_job_{name}", LABELS)

    assert (figure("items"), figure("labelled_items"), figure("votes_wanted")) == (1000, 40, 12)
    assert (figure("money"), figure("round"), figure("replicas_wanted")) == (1.5, 1, 2)
    condition = LABELS | {"type": "Progressing", "status": "True"}
    assert registry.get_sample_value("labelplane_job_condition", condition) == 1


def test_a_job_without_a_status_counts_nothing() -> None:
    registry = _registry([{"metadata": JOB["metadata"]}])

    assert registry.get_sample_value("labelplane_job_items", LABELS) == 0
    assert registry.get_sample_value("labelplane_job_round", LABELS) == 0


def test_a_job_that_is_gone_leaves_no_figure() -> None:
    jobs = [JOB]
    registry = _registry(jobs)
    jobs.clear()

    assert registry.get_sample_value("labelplane_job_items", LABELS) is None


def test_errors_are_counted_by_their_class_alone() -> None:
    registry = CollectorRegistry()
    metrics = OperatorMetrics(registry)
    metrics.failed(ValueError("one"))
    metrics.failed(ValueError("another"))

    assert registry.get_sample_value("labelplane_operator_reconcile_errors_total", {"reason": "ValueError"}) == 2
