"""A job in a queue of Kueue, whose pods the API server holds back by their scheduling gate."""

import pytest
from points_on_cluster import Cluster, Object, condition, is_true, jobs_path, point_job, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def test_a_job_waits_for_its_queue_and_runs_once_it_is_admitted(cluster: Cluster) -> None:
    def in_queue(fields: Object) -> None:
        fields["spec"]["scheduling"] = {"queueName": "team-a"}

    cluster.node.admits = False
    job = point_job("points", cluster.namespace, cluster.s3, cluster.bucket, in_queue)
    cluster.server.apply(jobs_path(cluster.namespace, "points"), job, manager="kubectl")

    def is_queued(job: Object) -> bool:
        return condition(job, "Progressing").get("reason") == "NotAdmitted"

    waiting = wait_for(cluster.server, cluster.namespace, "points", is_queued)
    (pod,) = cluster.server.get(f"/api/v1/namespaces/{cluster.namespace}/pods")["items"]
    (scheduled,) = (each for each in pod["status"]["conditions"] if each["type"] == "PodScheduled")
    assert scheduled["reason"] == "SchedulingGated"
    message = condition(waiting, "Progressing")["message"]
    assert message.startswith(f"pod {pod['metadata']['name']} waits for LocalQueue team-a to admit it")
    assert waiting["status"]["stage"] == "Prepare"
    assert "activeSince" not in waiting["status"]

    cluster.node.admits = True
    ready = wait_for(cluster.server, cluster.namespace, "points", is_true("DatasetReady"), seconds=200)
    assert condition(ready, "Progressing")["status"] == "True"
