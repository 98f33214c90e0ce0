"""A user installs the chart, applies a job and has labels, on a real node with the project's images."""

from typing import Any

import grpc
import pytest
from jobs_by_kubectl import Jobs, until
from kubectl_and_helm import User
from one_node import OneNode

from labelplane.aggregation.v1 import review_inbox_pb2 as pb
from labelplane.aggregation.v1 import review_inbox_pb2_grpc as pb_grpc

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


def test_the_release_passes_its_own_test(installed: User) -> None:
    said = installed.helm("test", "labelplane", "--namespace", "labelplane-system", "--timeout", "2m")

    assert "Phase:          Succeeded" in said


def test_a_job_that_is_applied_ends_with_its_labels_in_the_bucket_and_no_pod(jobs: Jobs) -> None:
    jobs.apply("points")

    jobs.wait("points", "Complete")

    assert len(jobs.labels("points")) == 150
    until(lambda: not jobs.pods())


def test_one_pod_and_a_pod_for_each_service_give_the_same_labels(jobs: Jobs) -> None:
    def distributed(fields: dict[str, Any]) -> None:
        fields["spec"]["profile"] = "Distributed"
        # Training asks for two cores, which a node of two has not beside all else.
        requests = {"cpu": "100m", "memory": "512Mi"}
        fields["spec"]["podOverrides"] = {"distillation": {"resources": {"requests": requests}}}

    jobs.apply("one-pod")
    jobs.apply("many-pods", distributed)

    jobs.wait("one-pod", "Complete")
    jobs.wait("many-pods", "Complete")

    assert jobs.labels("many-pods") == jobs.labels("one-pod")
    assert len(jobs.labels("one-pod")) == 150


def test_a_call_without_the_jobs_token_is_refused(jobs: Jobs) -> None:
    jobs.apply("points")
    jobs.wait("points", "DatasetReady")
    (pod,) = jobs.user.get("pods", "-n", jobs.namespace, "-l", "labelplane.io/job=points")["items"]
    address = f"{pod['status']['podIP']}:50051"

    with grpc.insecure_channel(address) as channel, pytest.raises(grpc.RpcError) as refused:
        pb_grpc.ReviewInboxServiceStub(channel).GetProgress(pb.GetProgressRequest(), timeout=30)

    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_no_process_of_the_node_has_ended(node: OneNode, installed: User) -> None:
    assert {name for name, process in node.processes.items() if process.poll() is not None} == set()
