"""From objects of the API server to the views that policies read."""

from typing import Any

import pytest

from labelplane_operator.builders import QUEUE_LABEL
from labelplane_operator.child_views import belongs_to, cleanup_view, pod_view
from labelplane_operator.observed import CleanupState

MOMENT = "2026-01-01T00:00:00Z"
FAILED = {
    "type": "Failed",
    "status": "True",
    "reason": "PodFailurePolicy",
    "message": "Container cleanup for pod default/digits-cleanup-x2x failed with exit code 2",
    "lastTransitionTime": MOMENT,
}


def batch_job(*conditions: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "digits-cleanup"}, "status": {"conditions": list(conditions)}}


def ended_pod(message: str, *, exit_code: int = 2) -> dict[str, Any]:
    state = {"terminated": {"exitCode": exit_code, "reason": "Error", "message": message}}
    return {
        "metadata": {"name": "digits-cleanup-x2x"},
        "spec": {"containers": [{"name": "cleanup", "image": "small:1"}]},
        "status": {"containerStatuses": [{"name": "cleanup", "state": state}]},
    }


@pytest.mark.parametrize(
    ("conditions", "want"),
    [
        pytest.param((), CleanupState.RUNNING, id="just made"),
        pytest.param(({"type": "Suspended", "status": "True"},), CleanupState.RUNNING, id="held by a queue"),
        pytest.param(({"type": "SuccessCriteriaMet", "status": "True"},), CleanupState.RUNNING, id="all but done"),
        pytest.param(({"type": "FailureTarget", "status": "True"},), CleanupState.RUNNING, id="about to fail"),
        pytest.param(({"type": "Complete", "status": "True"},), CleanupState.SUCCEEDED, id="done"),
        pytest.param((FAILED,), CleanupState.FAILED, id="failed"),
    ],
)
def test_a_cleanup_is_as_far_as_its_job_says(conditions: tuple[dict[str, Any], ...], want: CleanupState) -> None:
    assert cleanup_view(batch_job(*conditions)).state is want


@pytest.mark.parametrize(
    ("said", "want"),
    [
        pytest.param("labelplane cleanup: access denied\n", "labelplane cleanup: access denied", id="one line"),
        pytest.param("Traceback\n  File x\nMemoryError: \n\n", "MemoryError:", id="the last of many"),
        pytest.param("", FAILED["message"], id="nothing, so the Job is quoted"),
    ],
)
def test_a_failed_cleanup_says_what_its_pod_said_last(said: str, want: str) -> None:
    view = cleanup_view(batch_job(FAILED), [pod_view(ended_pod(said))])

    assert view.message == want
    assert view.finished is not None
    assert view.finished.isoformat() == "2026-01-01T00:00:00+00:00"


def test_a_pod_that_succeeded_explains_no_failure() -> None:
    view = cleanup_view(batch_job(FAILED), [pod_view(ended_pod("3 objects are removed", exit_code=0))])

    assert view.message == FAILED["message"]


@pytest.mark.parametrize(
    ("owners", "want"),
    [
        pytest.param([{"uid": "1", "controller": True}], True, id="its own"),
        pytest.param([{"uid": "2", "controller": True}], False, id="of a job of its name before"),
        pytest.param([{"uid": "1"}], False, id="not as its controller"),
        pytest.param([], False, id="nobody's"),
    ],
)
def test_an_object_belongs_to_the_job_that_controls_it(owners: list[dict[str, Any]], *, want: bool) -> None:
    assert belongs_to({"metadata": {"ownerReferences": owners}}, "1") is want


@pytest.mark.parametrize(
    ("gates", "labels", "want"),
    [
        pytest.param((), {QUEUE_LABEL: "team-a"}, "", id="admitted"),
        pytest.param(
            ("kueue.x-k8s.io/admission",), {QUEUE_LABEL: "team-a"}, "LocalQueue team-a to admit it", id="in a queue"
        ),
        pytest.param(
            ("kueue.x-k8s.io/admission",),
            {},
            "its scheduling gate kueue.x-k8s.io/admission to be taken away",
            id="in a queue that is not told",
        ),
        pytest.param(
            ("example.com/image-scan",),
            {QUEUE_LABEL: "team-a"},
            "its scheduling gate example.com/image-scan to be taken away",
            id="held by somebody else",
        ),
    ],
)
def test_a_pod_says_what_it_waits_for(gates: tuple[str, ...], labels: dict[str, str], want: str) -> None:
    condition = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated", "message": "gated"}
    pod = {
        "metadata": {"name": "digits-7", "labels": labels},
        "spec": {"containers": [], "schedulingGates": [{"name": gate} for gate in gates]},
        "status": {"phase": "Pending", "conditions": [condition] if gates else []},
    }

    assert (pod_view(pod).gated, pod_view(pod).unschedulable) == (want, "")
