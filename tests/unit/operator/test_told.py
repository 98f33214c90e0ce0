"""What the operator tells: tokens, events and figures, each a pure function of what is known."""

from datetime import UTC, datetime
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from labelplane_api.metadata import ObjectMeta
from labelplane_api.tokens import job_token
from labelplane_operator.job_events import event_manifest
from labelplane_operator.kinds import DEPLOYMENT, LABELING_JOB, kind_of
from labelplane_operator.metrics import JobCollector, OperatorMetrics
from labelplane_operator.plan import Event

NOW = datetime(2026, 1, 1, 8, 30, tzinfo=UTC)


def _metadata(uid: str = "u1", generation: int = 1) -> ObjectMeta:
    return ObjectMeta(name="digits", namespace="team", uid=uid, generation=generation)


def _job(**status: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "team", "name": "digits"}, "status": status}


def test_a_token_is_of_the_installation_and_of_the_object() -> None:
    token = job_token(b"key", "u1")

    assert len(token) == 64
    assert token == job_token(b"key", "u1")
    assert token != job_token(b"key", "u2")
    assert token != job_token(b"other", "u1")


def test_the_same_event_has_the_same_name_and_another_has_another() -> None:
    said = Event("SpecValid", "Accepted: the spec is valid")
    name = event_manifest(_metadata(), said, now=NOW)["metadata"]["name"]

    assert event_manifest(_metadata(), said, now=NOW.replace(hour=9))["metadata"]["name"] == name
    for other in (_metadata(uid="u2"), _metadata(generation=2)):
        assert event_manifest(other, said, now=NOW)["metadata"]["name"] != name
    assert event_manifest(_metadata(), Event("SpecValid", "x"), now=NOW)["metadata"]["name"] != name


def test_an_event_says_what_kubernetes_wants_and_no_more_than_it_takes() -> None:
    manifest = event_manifest(_metadata(), Event("Unschedulable", "m" * 5000, is_warning=True), now=NOW)

    assert manifest["type"] == "Warning"
    assert len(manifest["note"]) <= 1024
    assert manifest["eventTime"] == "2026-01-01T08:30:00.000000Z"
    assert manifest["regarding"]["uid"] == "u1"


def test_paths_are_those_of_the_api() -> None:
    assert LABELING_JOB.path("team", "digits", "status") == (
        "/apis/labelplane.io/v1alpha1/namespaces/team/labelingjobs/digits/status"
    )
    assert DEPLOYMENT.path() == "/apis/apps/v1/deployments"
    assert kind_of({"apiVersion": "apps/v1", "kind": "Deployment"}) is DEPLOYMENT


def test_figures_of_jobs_come_from_their_statuses_and_go_with_them() -> None:
    jobs = [
        _job(
            progress={"items": 1000, "votesWanted": 12},
            cost={"money": 1.5},
            rounds=[{"round": 0}, {"round": 1}],
            conditions=[{"type": "Accepted", "status": "True"}],
        )
    ]
    registry = CollectorRegistry()
    registry.register(JobCollector(lambda: jobs, lambda *_: 2))

    shown = generate_latest(registry).decode()
    assert 'labelplane_job_items{job="digits",namespace="team"} 1000.0' in shown
    assert 'labelplane_job_votes_wanted{job="digits",namespace="team"} 12.0' in shown
    assert 'labelplane_job_money{job="digits",namespace="team"} 1.5' in shown
    assert 'labelplane_job_round{job="digits",namespace="team"} 1.0' in shown
    assert 'labelplane_job_replicas_wanted{job="digits",namespace="team"} 2.0' in shown
    assert 'labelplane_job_condition{job="digits",namespace="team",status="True",type="Accepted"} 1.0' in shown
    jobs.clear()
    assert "digits" not in generate_latest(registry).decode()


def test_a_job_without_a_status_counts_nothing() -> None:
    registry = CollectorRegistry()
    registry.register(JobCollector(lambda: [_job()], lambda *_: 0))

    assert 'labelplane_job_round{job="digits",namespace="team"} 0.0' in generate_latest(registry).decode()


def test_reconciles_requests_and_operations_are_counted_by_what_became_of_them() -> None:
    registry = CollectorRegistry()
    metrics = OperatorMetrics(registry)
    metrics.reconciled(0.02, outcome="success")
    metrics.failed(ValueError("x"))
    metrics.requested("apply", "deployments", 201)
    metrics.operation_ended("Train", outcome="Succeeded")

    shown = generate_latest(registry).decode()
    assert 'labelplane_operator_reconcile_seconds_count{outcome="success"} 1.0' in shown
    assert 'labelplane_operator_reconcile_errors_total{reason="ValueError"} 1.0' in shown
    assert 'labelplane_operator_api_requests_total{code="201",kind="deployments",verb="apply"} 1.0' in shown
    assert 'labelplane_operator_operations_total{outcome="Succeeded",stage="Train"} 1.0' in shown
