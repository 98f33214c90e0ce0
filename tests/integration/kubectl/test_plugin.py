"""`kubectl labelplane` as a user starts it: a real kubectl finds the plugin on PATH and asks a real API server."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_server import ApiServer
from job_builder import make_cluster_job
from planned_world import PlannedWorld
from played_children import deployment, pod, ready
from played_kubelet import PlayedKubelet, played_kubelet
from plugin_shell import Shell, plugin_shell
from plugin_world import cluster_world
from points_on_cluster import jobs_path
from real_parts import heeding_ctrl_c
from recorded_kubectl import words

from labelplane_api.status import Stage

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[3]
Object = dict[str, Any]


@pytest.fixture
def shell(crd_server: ApiServer, tmp_path: Path, request: pytest.FixtureRequest) -> Shell:
    """A user's shell in a namespace of the test's own."""
    namespace = crd_server.make_namespace(request.node.name.replace("_", "-").lower()[-60:].strip("-"))
    return plugin_shell(crd_server, namespace, tmp_path / "bin")


@pytest.fixture
def kubelet(shell: Shell) -> Iterator[PlayedKubelet]:
    """A node for the pods of the test."""
    with played_kubelet(shell.server, f"node-{shell.namespace[-40:]}".replace("--", "-")) as started:
        yield started


def _make(shell: Shell, manifest: Object) -> None:
    """Make a Deployment of the job, with its status."""
    path = f"/apis/apps/v1/namespaces/{shell.namespace}/deployments"
    labels = manifest["metadata"]["labels"]
    spec = {
        **manifest["spec"],
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "small", "image": "small"}]}},
    }
    metadata = {**manifest["metadata"], "namespace": shell.namespace}
    shell.server.create(path, {**manifest, "metadata": metadata, "spec": spec})


def _in_namespace(shell: Shell, manifest: Object) -> Object:
    return {**manifest, "metadata": {**manifest["metadata"], "namespace": shell.namespace}}


def _training() -> PlannedWorld:
    world = cluster_world(make_cluster_job())
    world.reach(Stage.TRAIN, 1)
    return world


def test_kubectl_finds_the_plugin_and_shows_a_job_as_it_is_stored(shell: Shell, kubelet: PlayedKubelet) -> None:
    shell.apply(_training())
    _make(shell, deployment("digits"))
    kubelet.run_pod(_in_namespace(shell, pod("digits", containers=(ready("small"), ready("connector")))))

    listed = subprocess.run(
        ["kubectl", "plugin", "list"], env=shell.environment, capture_output=True, text=True, check=True
    )
    table = shell.run("status")
    one = shell.run("status", "digits")
    told = shell.run("explain", "digits")

    assert "kubectl-labelplane" in listed.stdout
    assert (table.returncode, one.returncode, told.returncode) == (0, 0, 0), table.stderr + one.stderr + told.stderr
    assert words(table.stdout.splitlines()[1]).startswith("digits Train 1/20 100/1,000 - 60/120 -")
    assert "Deployment digits 0 of 1 ready └─ pod digits-x2x7k Running small ready, connector ready" in words(
        one.stdout
    )
    assert "It does Train of round 1 (of 20 at most)" in told.stdout


def test_a_cluster_without_the_job_or_the_context_says_so_in_one_line(shell: Shell) -> None:
    shell.apply(_training())
    misspelt = shell.run("status", "digit")
    elsewhere = shell.run("status", "--context", "prod")
    assert (misspelt.returncode, elsewhere.returncode) == (2, 2)
    assert misspelt.stderr == f"no LabelingJob digit in namespace {shell.namespace}: did you mean digits?\n"
    assert elsewhere.stderr.startswith("kubectl get: ")
    assert elsewhere.stderr.count("\n") == 1


def test_a_job_is_suspended_and_resumed_in_its_spec(shell: Shell) -> None:
    world = _training()
    shell.apply(world)
    path = jobs_path(shell.namespace, "digits")

    suspended = shell.run("suspend", "digits")
    assert suspended.returncode == 0, suspended.stderr
    assert shell.server.get(path)["spec"]["run"]["suspend"] is True
    unseen = shell.run("suspend", "digits", "--wait", "--timeout", "0")
    world.change(make_cluster_job().suspended())
    world.step()
    shell.write_status(world.job)
    seen = shell.run("suspend", "digits", "--wait")
    resumed = shell.run("resume", "digits")

    assert (unseen.returncode, seen.returncode, resumed.returncode) == (1, 0, 0), seen.stderr + resumed.stderr
    assert words(resumed.stdout) == "digits goes on: Train of round 1"
    assert shell.server.get(path)["spec"]["run"]["suspend"] is False


def test_two_rounds_of_the_stored_status_are_compared(shell: Shell) -> None:
    world = cluster_world()
    world.reach(Stage.SCORE, 2)
    shell.apply(world)
    compared = shell.run("diff", "digits", "1", "2")
    assert compared.returncode == 0, compared.stderr
    assert "model right 81.0 % 82.0 % +1.0 points" in words(compared.stdout)


def test_logs_are_read_through_the_api_server_with_their_pod(shell: Shell, kubelet: PlayedKubelet) -> None:
    shell.apply(_training())
    running = _in_namespace(shell, pod("digits", containers=(ready("small"), ready("connector"))))
    kubelet.run_pod(running, small="epoch 1\nepoch 2\n", connector="asked 20\n")
    read = shell.run("logs", "digits")
    part = shell.run("logs", "digits", "--part", "connector")
    assert read.returncode == 0, read.stderr
    assert read.stdout.splitlines() == [
        "[pod/digits-x2x7k/small] epoch 1",
        "[pod/digits-x2x7k/small] epoch 2",
        "[pod/digits-x2x7k/connector] asked 20",
    ]
    assert part.stdout == "[pod/digits-x2x7k/connector] asked 20\n"


def test_following_takes_up_a_pod_that_comes_later_and_ends_with_the_job(shell: Shell, kubelet: PlayedKubelet) -> None:
    world = _training()
    shell.apply(world)
    kubelet.run_pod(_in_namespace(shell, pod("digits")), small="the first\n")
    command = ["kubectl", "labelplane", "logs", "digits", "--follow", "--namespace", shell.namespace]
    with _started(command, shell) as following:
        assert following.stdout is not None
        first = following.stdout.readline()
        kubelet.run_pod(_in_namespace(shell, pod("digits", end="later")), small="the second\n")
        second = following.stdout.readline()
        world.play()
        shell.write_status(world.job)
        kubelet.end_all()
        rest = following.stdout.read()
        code = following.wait()
    assert (first, second, rest) == (
        "[pod/digits-x2x7k/small] the first\n",
        "[pod/digits-later/small] the second\n",
        "",
    )
    assert code == 0


def test_ctrl_c_ends_a_watch_without_a_traceback(shell: Shell) -> None:
    shell.apply(_training())
    command = ["kubectl", "labelplane", "status", "digits", "--watch", "--namespace", shell.namespace]
    with _started(command, shell) as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        assert "digits" in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)  # kubectl has become the plugin: it is one process
        code = watching.wait()
        complaint = watching.stderr.read()
    assert (code, complaint) == (130, "")


def test_kubectls_own_completion_offers_commands_and_jobs(shell: Shell) -> None:
    shell.apply(_training())
    ask = ["kubectl", "__complete", "labelplane"]
    commands = subprocess.run([*ask, "su"], env=shell.environment, capture_output=True, text=True, check=True)
    words = [*ask, "status", "--namespace", shell.namespace, "di"]
    jobs = subprocess.run(words, env=shell.environment, capture_output=True, text=True, check=True)
    assert commands.stdout.splitlines()[0].startswith("suspend\t")
    assert jobs.stdout.splitlines() == ["digits", ":4"]


def test_json_is_for_scripts(shell: Shell) -> None:
    shell.apply(_training())
    found = json.loads(shell.run("status", "digits", "--output", "json").stdout)
    assert (found["name"], found["namespace"], found["stage"], found["round"]) == (
        "digits",
        shell.namespace,
        "Train",
        1,
    )
    assert found["workloads"] == []


def _started(command: list[str], shell: Shell) -> "subprocess.Popen[str]":
    """Start a command that heeds SIGINT even where the tests themselves run in the background."""
    return subprocess.Popen(
        heeding_ctrl_c(command),
        env=shell.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        bufsize=1,
    )
