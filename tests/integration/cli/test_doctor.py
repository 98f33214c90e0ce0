import pytest
from cli_app import CommandLine

from labelplane_cli.commands.doctor import doctor


def test_this_machine_runs_labelplane(capsys: pytest.CaptureFixture[str]) -> None:
    run = CommandLine({"doctor": doctor}, capsys)
    ended = run("doctor")
    assert ended.code == 0, ended.out
    assert "gRPC through a unix socket" in ended.out
