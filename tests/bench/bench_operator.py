"""1,000 LabelingJobs at once on a real API server: the last first status, memory, requests, and what rest costs.

Nothing plays the pods: every job comes as far as its objects and its first status, and rests there. `make bench`
runs it with the others.
"""

import argparse
import json
import os
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import yaml
from api_server import ApiServer, running_api_server
from operator_process import SYSTEM_NAMESPACE, OperatorProcess, operator_process
from points_on_cluster import jobs_path, point_job
from s3_server import S3Server

from labelplane_api.crd import build_crd, crd_yaml

_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_REQUESTS = "labelplane_operator_api_requests_total"
_CREATORS = 4
NAMESPACE = "many"

Object = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--idle-seconds", type=float, default=120.0)
    parser.add_argument("--json", type=Path)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), jobs=words.jobs, idle_seconds=words.idle_seconds)
    print(json.dumps(figures, indent=1))
    if words.json:
        words.json.write_text(json.dumps(figures, indent=1))
    return 0


def measure(folder: Path, *, jobs: int, idle_seconds: float) -> Object:
    """Apply the jobs, wait for their statuses, rest, and return the figures."""
    # No kubelet takes a Lease here, so the operator's own times are those of an installation.
    times = {"lease_duration_seconds": "15", "renew_deadline_seconds": "10", "retry_period_seconds": "2"}
    with running_api_server(folder / "api") as server:
        _install_crd(server)
        server.make_namespace(NAMESPACE)
        with operator_process(server, folder / "operator", **times) as operator:
            assert operator.await_metric("labelplane_operator_is_leader", 1)
            statuses = _FirstStatuses(server, jobs)
            statuses.start()
            begun = time.monotonic()
            _create(server, jobs)
            created = time.monotonic()
            statuses.join()
            _await_rest(operator)
            busy = _requests(operator)
            rest = _rest(operator, idle_seconds)
            memory = _memory_mib(operator)
            failover = _failover(server, folder, operator, times)
    return {
        "jobs": jobs,
        "create_seconds": round(created - begun, 2),
        "last_first_status_seconds_after_last_create": round(max(0.0, statuses.last - created), 2),
        "requests_a_job": round(busy / jobs, 2),
        "memory_mib": round(memory, 1),
        **rest,
        "failover_seconds_after_the_last_renewal": failover,
    }


def _install_crd(server: ApiServer) -> None:
    path = f"{_CRDS}/{build_crd()['metadata']['name']}"
    server.apply(path, yaml.safe_load(crd_yaml()))
    while not any(
        each["type"] == "Established" and each["status"] == "True"
        for each in server.get(path).get("status", {}).get("conditions") or ()
    ):
        time.sleep(0.1)


def _create(server: ApiServer, jobs: int) -> None:
    """Create the jobs over a few connections at once."""
    nowhere = S3Server(port=1, buckets=Path("/nowhere"))

    def create(share: int) -> None:
        own = ApiServer(port=server.port, token=server.token, certificate=server.certificate, folder=server.folder)
        for number in range(share, jobs, _CREATORS):
            own.create(jobs_path(NAMESPACE), point_job(f"job-{number}", NAMESPACE, nowhere, "nowhere"))
        own.close()

    with ThreadPoolExecutor(_CREATORS) as pool:
        list(pool.map(create, range(_CREATORS)))


class _FirstStatuses(threading.Thread):
    """Watches for the first status of each job; a list of them all, over and over, would be work for the API server."""

    def __init__(self, server: ApiServer, jobs: int) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._jobs = jobs
        self.last = 0.0

    def run(self) -> None:
        told: set[str] = set()
        while len(told) < self._jobs:
            # A watch that ends is begun again, and then shows every job as it is.
            for job in self._watched():
                if job.get("status", {}).get("conditions"):
                    told.add(job["metadata"]["name"])
                if len(told) == self._jobs:
                    break
        self.last = time.monotonic()

    def _watched(self) -> Iterator[Object]:
        context = ssl.create_default_context(cafile=str(self._server.certificate))
        with closing(HTTPSConnection("127.0.0.1", self._server.port, context=context)) as connection:
            headers = {"Authorization": f"Bearer {self._server.token}"}
            connection.request("GET", f"{jobs_path(NAMESPACE)}?watch=1&resourceVersion=0", headers=headers)
            answer = connection.getresponse()
            if answer.status != 200:
                time.sleep(0.5)  # right after the CRD is established, its store is not open yet
                return
            while line := answer.readline():
                yield json.loads(line)["object"]


def _await_rest(operator: OperatorProcess) -> None:
    """Return when nothing was asked of the API server for a while."""
    last = -1.0
    while (now := _requests(operator)) != last:
        last = now
        time.sleep(5)


def _rest(operator: OperatorProcess, seconds: float) -> Object:
    """Return what the operator does while nothing happens."""
    requests, cpu, begun = _requests(operator), _cpu_seconds(operator), time.monotonic()
    time.sleep(seconds)
    spent, passed = _cpu_seconds(operator) - cpu, time.monotonic() - begun
    return {
        "idle_seconds": round(passed, 1),
        "idle_share_of_a_core": round(spent / passed, 4),
        "idle_requests_besides_the_lease": _requests(operator) - requests,
    }


def _failover(server: ApiServer, folder: Path, leader: OperatorProcess, times: dict[str, str]) -> float:
    """Kill the leader and return the seconds from its last renewal to its successor's Lease."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{SYSTEM_NAMESPACE}/leases/labelplane-operator"
    with operator_process(server, folder / "stand-by", name="stand-by", **times) as stand_by:
        leader.kill()
        last = server.get(path)["spec"]["renewTime"]
        assert stand_by.await_metric("labelplane_operator_is_leader", 1)
        taken = server.get(path)["spec"]["acquireTime"]
    return round((datetime.fromisoformat(taken) - datetime.fromisoformat(last)).total_seconds(), 2)


def _requests(operator: OperatorProcess) -> float:
    return operator.metric(_REQUESTS) - operator.metric(_REQUESTS, kind="leases")


def _cpu_seconds(operator: OperatorProcess) -> float:
    fields = Path(f"/proc/{operator.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_mib(operator: OperatorProcess) -> float:
    """Return the most memory that the process has held."""
    status = Path(f"/proc/{operator.process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    sys.exit(main())
