"""A release that is removed leaves the jobs and what they made, and nothing that holds them."""

import pytest
from jobs_by_kubectl import Jobs, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def test_jobs_can_be_deleted_after_the_release_is_gone(jobs: Jobs) -> None:
    jobs.apply("points")
    jobs.wait("points", "DatasetReady")

    jobs.user.helm("uninstall", "labelplane", "--namespace", "labelplane-system", "--wait")

    assert jobs.get("points")["status"]["conditions"], "the definition and the jobs stay"
    jobs.user.kubectl("delete", "labelingjob", "points", "-n", jobs.namespace, "--timeout=60s")
    until(lambda: not jobs.pods())
    assert (jobs.s3.buckets / jobs.namespace / "out" / jobs.namespace / "points").is_dir(), "what it made stays"
