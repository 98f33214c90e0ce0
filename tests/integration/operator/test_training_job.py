"""The Job of a training image under Kubernetes' own Job controller: what counts as a try, and what a failure leaves."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from api_server import ApiServer
from cluster_jobs import PLATFORM, TRAINING, in_own_store
from controller_manager import running_controllers

from labelplane_operator.builders import build_holding
from labelplane_operator.builders.training import build_training_job
from labelplane_operator.child_views import training_view
from labelplane_operator.observed import TrainingState

pytestmark = pytest.mark.slow

NAME = "digits-train-2-1"
MERGE = "application/merge-patch+json"

Object = dict[str, Any]


@pytest.fixture
def namespace(api_server: ApiServer, tmp_path: Path) -> Iterator[str]:
    """A namespace in which the Job was just made, while the controller runs."""
    name = api_server.make_namespace("training-job")
    job = in_own_store().having("metadata.namespace", name).having("spec.model.image", TRAINING.image).build()
    (account,) = build_holding(job, PLATFORM)
    api_server.create(f"/api/v1/namespaces/{name}/serviceaccounts", dict(account.manifest))
    with running_controllers(api_server, tmp_path, "job-controller"):
        api_server.create(f"/apis/batch/v1/namespaces/{name}/jobs", build_training_job(job, TRAINING, PLATFORM))
        yield name


def _until(found: Callable[[], Any], *, seconds: float = 120.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.1)
    return value


def _pods(server: ApiServer, namespace: str) -> list[Object]:
    return list(server.get(f"/api/v1/namespaces/{namespace}/pods")["items"])


def _one_more_pod(server: ApiServer, namespace: str, *known: str) -> Object:
    """Return a pod of the Job that is not known, once there is one."""
    new: Object = _until(
        lambda: next((each for each in _pods(server, namespace) if each["metadata"]["name"] not in known), None)
    )
    return new


def _fail(server: ApiServer, namespace: str, pod: Object, *, is_taken_away: bool) -> None:
    """Have a pod fail as a node tells it."""
    ended = {"exitCode": 143 if is_taken_away else 3, "reason": "Error", "message": "CUDA error\n"}
    containers = [
        {"name": "stage", "state": {"terminated": {"exitCode": 0, "reason": "Completed"}}},
        {"name": "train", "state": {"terminated": ended}},
    ]
    about = {"image": "i", "imageID": "", "restartCount": 0, "ready": False}
    status: Object = {"phase": "Failed", "initContainerStatuses": [{**about, **each} for each in containers]}
    if is_taken_away:
        status["conditions"] = [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}]
    path = f"/api/v1/namespaces/{namespace}/pods/{pod['metadata']['name']}/status"
    server.request("PATCH", path, body={"status": status}, content_type=MERGE)


def test_pod_that_the_cluster_takes_away_is_replaced_and_one_that_fails_ends_the_try(
    api_server: ApiServer, namespace: str
) -> None:
    first = _one_more_pod(api_server, namespace)
    assert [each["name"] for each in first["spec"]["initContainers"]] == ["stage", "train"]
    _fail(api_server, namespace, first, is_taken_away=True)

    second = _one_more_pod(api_server, namespace, first["metadata"]["name"])
    assert _seen(api_server, namespace).state is TrainingState.RUNNING
    _fail(api_server, namespace, second, is_taken_away=False)

    _until(lambda: _seen(api_server, namespace).state is TrainingState.FAILED)
    ended = _seen(api_server, namespace).ended
    assert ended is not None
    assert (ended.name, ended.exit_code, ended.last_words) == ("train", 3, "CUDA error\n")
    assert len(_pods(api_server, namespace)) == 2


def _seen(server: ApiServer, namespace: str) -> Any:
    job = server.get(f"/apis/batch/v1/namespaces/{namespace}/jobs/{NAME}")
    return training_view(job, _pods(server, namespace), request_id="digits/2/train/1")
