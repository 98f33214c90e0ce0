from collections.abc import Callable

import pytest
from job_builder import make_cluster_job
from planned_world import PlannedWorld
from played_children import pod
from plugin_world import cluster_world, manifest, plugin
from recorded_kubectl import RecordedKubectl

from labelplane_api.status import Stage
from labelplane_operator.observed import Observed, OperationError


def _training() -> PlannedWorld:
    world = cluster_world()
    world.reach(Stage.TRAIN, 1)
    return world


def _waiting() -> PlannedWorld:
    world = cluster_world(people_answer=False)
    world.reach(Stage.REVIEW, 0)
    for _ in range(3):
        world.step()
    return world


def _suspended() -> PlannedWorld:
    world = _training()
    world.change(make_cluster_job().suspended())
    world.step(Observed())
    return world


def _complete() -> PlannedWorld:
    world = cluster_world()
    world.play()
    return world


def _failed() -> PlannedWorld:
    world = cluster_world()
    world.errors["digits/0/vote/1"] = OperationError("AccessDenied", "the bucket is locked", is_retryable=False)
    world.play()
    return world


@pytest.mark.parametrize(
    ("world", "command", "want_patched", "want"),
    [
        pytest.param(
            _training, "suspend", True, "digits rests: its pods go, and Train goes on later from what", id="at work"
        ),
        pytest.param(_waiting, "suspend", True, "digits rests: its pods go, votes that come are kept", id="waiting"),
        pytest.param(_suspended, "suspend", False, "digits is suspended already", id="suspended already"),
        pytest.param(_suspended, "resume", True, "digits goes on: Train of round 1", id="goes on"),
        pytest.param(_training, "resume", False, "digits is not suspended", id="was not suspended"),
    ],
)
def test_a_job_is_held_and_told_what_happens(
    world: Callable[[], PlannedWorld], command: str, want_patched: bool, want: str, capsys: pytest.CaptureFixture[str]
) -> None:
    held = plugin([world().job])
    assert held.run(command, "digits") == 0
    assert want in capsys.readouterr().out
    patches = [call for call in held.kubectl.calls if "patch" in call]
    text = f'--patch={{"spec": {{"run": {{"suspend": {str(command == "suspend").lower()}}}}}}}'
    wanted = ["patch", "labelingjobs.labelplane.io/digits", "--type=merge", text, "--output=json"]
    assert patches == ([wanted] if want_patched else [])


@pytest.mark.parametrize(
    ("world", "command", "want"),
    [
        pytest.param(_complete, "suspend", "digits is Complete: nothing of it runs", id="suspend a complete one"),
        pytest.param(_failed, "suspend", "digits is Failed: nothing of it runs", id="suspend a failed one"),
        pytest.param(_complete, "resume", "digits is Complete: it has nothing left to do", id="resume a complete one"),
        pytest.param(_failed, "resume", "digits has failed and is not suspended", id="resume a failed one"),
    ],
)
def test_what_makes_no_sense_is_one_line_and_changes_nothing(
    world: Callable[[], PlannedWorld], command: str, want: str, capsys: pytest.CaptureFixture[str]
) -> None:
    held = plugin([world().job])
    assert held.run(command, "digits") == 2
    assert want in capsys.readouterr().err
    assert not any("patch" in call for call in held.kubectl.calls)


def test_a_deleted_job_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    held = plugin([])
    held.kubectl.jobs = [manifest(_training().job, deletionTimestamp="2026-01-01T00:00:00Z")]
    assert held.run("suspend", "digits") == 2
    assert capsys.readouterr().err == "digits is being deleted\n"


def test_waiting_ends_when_the_operator_has_seen_it_and_the_last_pod_is_gone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    running = _training()

    def move_on(kubectl: RecordedKubectl) -> None:
        looks = sum("deployments.apps,pods" in call for call in kubectl.calls)
        if looks == 1:
            running.change(make_cluster_job().suspended())
            running.step(Observed())
            kubectl.jobs = [manifest(running.job)]
        if looks == 3:
            kubectl.children = []

    held = plugin([running.job], pod("digits"), after_call=move_on)
    assert held.run("suspend", "digits", "--wait") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "  digits rests: no pod of it is left"
    assert held.clock.seconds == 3


def test_waiting_for_a_job_to_go_on_ends_when_the_operator_has_seen_it(capsys: pytest.CaptureFixture[str]) -> None:
    resting = _suspended()

    def move_on(kubectl: RecordedKubectl) -> None:
        if len(kubectl.calls) == 4:
            resting.change(make_cluster_job())
            resting.step()
            kubectl.jobs = [manifest(resting.job)]

    held = plugin([resting.job], after_call=move_on)
    assert held.run("resume", "digits", "--wait") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "  digits goes on"
    assert held.clock.seconds == 2


def test_a_wait_that_takes_too_long_is_told_apart_by_its_code(capsys: pytest.CaptureFixture[str]) -> None:
    held = plugin([_training().job], pod("digits"))
    assert held.run("suspend", "digits", "--wait", "--timeout", "30") == 1
    want = "digits does not rest after 30 s: see kubectl labelplane explain digits\n"
    assert capsys.readouterr().err == want
    assert held.clock.seconds == 30


def test_waiting_without_the_right_to_see_pods_does_not_wait_for_ever(capsys: pytest.CaptureFixture[str]) -> None:
    refused = {"deployments.apps,pods": "Error from server (Forbidden): pods is forbidden"}
    assert plugin([_training().job], refusals=refused).run("suspend", "digits", "--wait") == 2
    assert "pods is forbidden" in capsys.readouterr().err
