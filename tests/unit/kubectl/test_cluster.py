import pytest
from job_builder import make_cluster_job
from plugin_world import Plugin, plugin

from labelplane_kubectl.errors import KubectlMissing
from labelplane_kubectl.kubectl import KubectlProgram

JOB = make_cluster_job().build()


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("status", "digits", "-n", "team-a", "--context=prod", "--kubeconfig", "other"), id="behind"),
        pytest.param(("-n", "team-a", "--context=prod", "--kubeconfig", "other", "status", "digits"), id="before"),
        pytest.param(("--namespace=team-a", "status", "--context", "prod", "digits", "--kubeconfig=other"), id="both"),
    ],
)
def test_options_of_kubectl_are_handed_on_wherever_they_stand(arguments: tuple[str, ...]) -> None:
    world = plugin([JOB])
    assert world.run(*arguments) == 0
    flags = ["--namespace=team-a", "--context=prod", "--kubeconfig=other"]
    assert all(call[:3] == flags for call in world.kubectl.calls)
    assert world.kubectl.calls[0][3:] == ["get", "labelingjobs.labelplane.io/digits", "--output=json"]


def test_without_options_all_is_left_to_the_kubeconfig() -> None:
    world = plugin([JOB])
    world.run("status")
    assert world.kubectl.calls == [["get", "labelingjobs.labelplane.io", "--output=json"]]


def _refused(complaint: str) -> Plugin:
    return plugin([JOB], refusals={"get": complaint})


@pytest.mark.parametrize(
    ("complaint", "want"),
    [
        pytest.param(
            'error: the server doesn\'t have a resource type "labelingjobs"\n',
            "this cluster knows no LabelingJobs: install the operator (docs/install.md), or give another --context",
            id="no operator",
        ),
        pytest.param(
            'E1125 15:00:00.1 7 memcache.go:265] "Unhandled Error" err="dial tcp"\n'
            "The connection to the server localhost:8080 was refused - did you specify the right host or port?\n",
            "kubectl get: The connection to the server localhost:8080 was refused - did you specify the right host or "
            "port?",
            id="no cluster",
        ),
        pytest.param(
            'error: context "prod" does not exist\n', 'kubectl get: context "prod" does not exist', id="no such context"
        ),
        pytest.param("", "kubectl get: it failed without a word", id="not a word"),
    ],
)
def test_what_kubectl_complains_about_is_one_line(
    complaint: str, want: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _refused(complaint).run("status", "digits") == 2
    assert capsys.readouterr().err == f"{want}\n"


@pytest.mark.parametrize(
    ("name", "want"),
    [
        pytest.param("digit", "did you mean digits?", id="misspelt"),
        pytest.param("tickets", "kubectl labelplane status --all-namespaces lists all", id="elsewhere"),
    ],
)
def test_a_job_that_there_is_not_is_named_with_those_alike(
    name: str, want: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plugin([JOB]).run("explain", name, "-n", "team-a") == 2
    assert capsys.readouterr().err == f"no LabelingJob {name} in namespace team-a: {want}\n"


def test_a_machine_without_kubectl_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        KubectlMissing, match=r"kubectl cannot be started \(No such file or directory\): put it on PATH"
    ):
        KubectlProgram().ask(["version"])


def test_a_command_that_there_is_not_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert plugin([]).run("stats") == 2
    assert "see kubectl labelplane --help" in capsys.readouterr().err
