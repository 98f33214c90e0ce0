"""Everything between the operator and the API server goes wrong, and every job ends as if nothing had."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from api_proxy import Faults, api_proxy
from api_server import ApiServer
from operator_process import operator_process
from played_services import played_services
from points_on_cluster import is_true, jobs_path, point_job, wait_for
from s3_server import S3Server

FAULTS = int(os.environ.get("LABELPLANE_FAULTS", "2000"))
"""How many events and requests go wrong; `make soak` has 10,000."""

pytestmark = [pytest.mark.longest, pytest.mark.timeout(1200 if FAULTS <= 2000 else 0)]

JOBS_AT_ONCE = 40
_TIMES = frozenset({"startedAt", "finishedAt", "lastTransitionTime", "activeSeconds", "activeSince"})

Object = dict[str, Any]


def _outcome(job: Object) -> Object:
    """Return the status without what differs between two runs: times, and the object's own uid and name."""
    text = json.dumps(job["status"]).replace(job["metadata"]["uid"], "UID").replace(job["metadata"]["name"], "NAME")
    without_times: Object = json.loads(
        text, object_hook=lambda fields: {key: value for key, value in fields.items() if key not in _TIMES}
    )
    return without_times


def _children(server: ApiServer, namespace: str) -> list[str]:
    kinds = (
        "/apis/apps/v1/namespaces/{}/deployments",
        "/api/v1/namespaces/{}/services",
        "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
        "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
    )
    return [each["metadata"]["name"] for path in kinds for each in server.get(path.format(namespace))["items"]]


def _apply(server: ApiServer, namespace: str, s3: S3Server, name: str) -> None:
    job = point_job(name, namespace, s3, "nowhere")
    server.apply(jobs_path(namespace, name), job, manager="kubectl")


def _undisturbed(server: ApiServer, namespace: str, s3: S3Server, folder: Path) -> Object:
    with played_services(server, namespace, folder / "undisturbed") as (_, address):
        settings = {"service_address": address, "watch_namespaces": namespace, "lease_name": namespace}
        with operator_process(server, folder, name="calm", **settings):
            _apply(server, namespace, s3, "calm")
            return _outcome(wait_for(server, namespace, "calm", is_true("Complete"), seconds=120))


def test_lost_doubled_and_swapped_events_conflicts_and_outages_change_no_outcome(
    crd_server: ApiServer, s3: S3Server, namespace: str, tmp_path: Path
) -> None:
    want = _undisturbed(crd_server, namespace, s3, tmp_path)
    with (
        api_proxy(crd_server, seed=7, faults=Faults(most=FAULTS)) as proxy,
        played_services(crd_server, namespace, tmp_path / "played") as (played, address),
    ):
        settings = {
            "service_address": address,
            "watch_namespaces": namespace,
            "lease_name": f"{namespace}-stormy"[-63:],
            "resync_seconds": "2",
            # Outages are no change of leaders here.
            "lease_duration_seconds": "60",
            "renew_deadline_seconds": "40",
        }
        with operator_process(
            crd_server, tmp_path, name="stormy", kubeconfig=proxy.kubeconfig(tmp_path), **settings
        ) as operator:
            names: list[str] = []
            while sum(proxy.counts.values()) < FAULTS:
                batch = [f"job-{len(names) + number}" for number in range(JOBS_AT_ONCE)]
                names += batch
                for name in batch:
                    _apply(crd_server, namespace, s3, name)
                for name in batch:
                    done = wait_for(crd_server, namespace, name, is_true("Complete"), seconds=300)
                    assert _outcome(done) == want, name
            assert operator.process.poll() is None
    assert played.mismatches == []
    assert played.stages() == len(names) * (2 + sum(len(each["stages"]) for each in want["rounds"]))
    assert _children(crd_server, namespace) == []
    assert {"lost", "doubled", "swapped", "cut", "refused", "unavailable", "unanswered", "outage"} <= set(proxy.counts)
