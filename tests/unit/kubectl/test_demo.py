from pathlib import Path

import pytest
import yaml
from plugin_world import plugin

from labelplane_api import check_supported, parse_job
from labelplane_kubectl.first_job import job_text

CHART = Path(__file__).parents[3] / "charts/labelplane/files/first-job.yaml"


def _printed_job(printed: str) -> str:
    return printed[printed.index("apiVersion:") : printed.index("\nJOB\n")]


def test_the_job_is_the_one_that_the_chart_tells() -> None:
    assert yaml.safe_load(job_text()) == yaml.safe_load(CHART.read_text(encoding="utf-8"))


def test_three_commands_are_printed_and_nothing_is_applied(capsys: pytest.CaptureFixture[str]) -> None:
    world = plugin([])
    assert world.run("demo", "--namespace", "team-a") == 0
    commands = [line for line in capsys.readouterr().out.splitlines() if line.startswith("kubectl")]
    assert [line.split()[1] for line in commands] == ["create", "apply", "labelplane"]
    assert all("--namespace=team-a" in line for line in commands)
    assert world.kubectl.calls == []


def test_the_job_is_made_for_a_bucket_and_server_of_ones_own(capsys: pytest.CaptureFixture[str]) -> None:
    plugin([]).run("demo", "--bucket", "s3://mine/some/where/", "--endpoint", "https://minio:9000")
    job = parse_job(_printed_job(capsys.readouterr().out), source="demo")
    check_supported(job)
    assert job.spec.dataset.uri == "s3://mine/some/where/digits"
    assert job.spec.storage.uri == "s3://mine/some/where/labelplane"
    assert (job.spec.storage.endpoint, job.spec.storage.path_style) == ("https://minio:9000", True)


@pytest.mark.parametrize(
    ("option", "value"), [("--bucket", "my-bucket"), ("--bucket", "s3://"), ("--endpoint", "minio:9000")]
)
def test_an_address_that_is_none_is_one_line(option: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert plugin([]).run("demo", option, value) == 2
    assert capsys.readouterr().err.startswith(f"{option} {value}: is no ")
