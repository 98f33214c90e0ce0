"""The plugin of kubectl on a job that the operator runs."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from plugin_shell import Shell, plugin_shell
from points_on_cluster import Cluster, is_true, jobs_path, point_job, wait_for
from recorded_kubectl import words

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def _done(ran: subprocess.CompletedProcess[str]) -> str:
    """Return what a command printed that has succeeded."""
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def _apply(cluster: Cluster) -> None:
    job: dict[str, Any] = point_job("points", cluster.namespace, cluster.s3, cluster.bucket)
    cluster.server.apply(jobs_path(cluster.namespace, "points"), job, manager="kubectl")


def test_a_running_job_is_held_goes_on_is_watched_to_its_end_and_explained(cluster: Cluster, tmp_path: Path) -> None:
    shell: Shell = plugin_shell(cluster.server, cluster.namespace, tmp_path / "bin")
    _apply(cluster)
    wait_for(cluster.server, cluster.namespace, "points", is_true("DatasetReady"))

    assert "points rests: no pod of it is left" in _done(shell.run("suspend", "points", "--wait"))
    resting = _done(shell.run("explain", "points"))
    assert "points goes on" in _done(shell.run("resume", "points", "--wait")).splitlines()[-1]
    watched = _done(shell.run("status", "points", "--watch", "--interval", "0.5"))
    explained = _done(shell.run("explain", "points"))
    compared = _done(shell.run("diff", "points", "0", "1"))
    found = json.loads(_done(shell.run("status", "points", "-o", "json")))

    assert "It is suspended (run.suspend is true)" in resting
    assert "- Complete is True: BudgetSpent" in watched
    assert "It is complete (BudgetSpent): the budget of 72 votes is used up." in explained
    assert "votes 0 36 +36" in words(compared)
    assert (found["stage"], found["cost"]["votes"]) == ("Complete", 72)
