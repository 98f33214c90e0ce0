"""Two operators: one acts, the other is ready, and a leader that is killed is followed without a stage run twice."""

from datetime import datetime
from pathlib import Path

import pytest
from api_server import ApiServer
from hollow_node import HollowNode
from operator_process import SYSTEM_NAMESPACE, operator_process
from points_on_cluster import is_true, jobs_path, point_job, wait_for
from s3_server import S3Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

LEASE_SECONDS = 3.0


def _lease(server: ApiServer, name: str) -> dict[str, str]:
    found = server.get(f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases/{name}")
    spec: dict[str, str] = found["spec"]
    return spec


def _seconds_between(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def test_a_killed_leader_is_followed_and_nothing_runs_twice(
    crd_server: ApiServer, s3: S3Server, namespace: str, bucket: str, node: HollowNode, tmp_path: Path
) -> None:
    settings = {"service_address": node.service_address, "watch_namespaces": namespace, "lease_name": namespace}
    with (
        operator_process(crd_server, tmp_path, name="first", **settings) as first,
        operator_process(crd_server, tmp_path, name="second", **settings) as second,
    ):
        job = point_job("points", namespace, s3, bucket)
        crd_server.apply(jobs_path(namespace, "points"), job, manager="kubectl")
        wait_for(crd_server, namespace, "points", is_true("DatasetReady"), seconds=120)
        leader, follower = (first, second) if first.metric("labelplane_operator_is_leader") else (second, first)
        assert follower.metric("labelplane_operator_is_leader") == 0
        assert follower.get("/readyz")[0] == 200
        before = _lease(crd_server, namespace)

        leader.kill()

        done = wait_for(crd_server, namespace, "points", is_true("Complete"), seconds=300)
        after = _lease(crd_server, namespace)
        assert follower.metric("labelplane_operator_is_leader") == 1
        assert after["holderIdentity"].startswith("first" if leader is second else "second")
        assert _seconds_between(before["renewTime"], after["acquireTime"]) >= LEASE_SECONDS
        assert node.started == ["points"]
        attempts = [each["attempt"] for round_ in done["status"]["rounds"] for each in round_["stages"].values()]
        assert set(attempts) == {1}
        assert done["status"]["cost"]["votes"] == 72


def test_a_leader_that_is_stopped_hands_over_at_once(crd_server: ApiServer, namespace: str, tmp_path: Path) -> None:
    settings = {"watch_namespaces": namespace, "lease_name": namespace, "lease_duration_seconds": "600"}
    with operator_process(crd_server, tmp_path, name="first", **settings) as first:
        assert first.await_metric("labelplane_operator_is_leader", 1)
        assert first.stop() == 0
        assert _lease(crd_server, namespace)["holderIdentity"] == ""
        with operator_process(crd_server, tmp_path, name="second", **settings) as second:
            assert second.await_metric("labelplane_operator_is_leader", 1)


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        pytest.param({"installation": ""}, "LABELPLANE_INSTALLATION: ", id="no installation"),
        pytest.param({"installation_key_file": "/nowhere/key"}, "mount the installation's key there", id="no key"),
        pytest.param({"lease_duration_seconds": "1"}, "must be above renew_deadline_seconds", id="times do not fit"),
        pytest.param({"service_address": "localhost:1"}, "LABELPLANE_SERVICE_ADDRESS: ", id="one address for all"),
    ],
)
def test_wrong_settings_end_the_process_with_one_line(
    crd_server: ApiServer, tmp_path: Path, changes: dict[str, str], want: str
) -> None:
    with (
        pytest.raises(RuntimeError, match="did not start") as caught,
        operator_process(crd_server, tmp_path, **changes),
    ):
        pass

    text = str(caught.value).partition("did not start: ")[2]
    assert want in text
    assert len(text.strip().splitlines()) == 1
