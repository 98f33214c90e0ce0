"""The objects that remove the results of a deleted job."""

from typing import Any, Final

from labelplane_api.job import LabelingJob
from labelplane_api.names import cleanup_name
from labelplane_operator.builders.children import Child
from labelplane_operator.builders.metadata import CLEANUP_COMPONENT, object_metadata, queue_labels
from labelplane_operator.builders.network import build_network_policy
from labelplane_operator.builders.platform_settings import Platform
from labelplane_operator.builders.pods import cleanup_template
from labelplane_operator.builders.service_account import build_service_account
from labelplane_operator.builders.topology import build_workloads

__all__ = ["build_cleanup", "build_cleanup_job", "build_holding"]

_MISTAKE: Final = 2
"""Exit code of a cleanup that trying again does not help."""
_TRIES: Final = 3
"""How often a pod is tried again; the operator makes the whole Job again some minutes after the last."""


def build_cleanup(job: LabelingJob, platform: Platform) -> tuple[Child, ...]:
    """Return all that a deleted job keeps until its results are gone, in the order in which it is to be made."""
    return (
        *build_holding(job, platform),
        Child(build_network_policy(job, platform)),
        Child(build_cleanup_job(job, platform), is_last=True),
    )


def build_holding(job: LabelingJob, platform: Platform) -> tuple[Child, ...]:
    """Return what outlives the pods of a job whose results are to go: the identity by which a cloud lets them.

    People may have annotated the ServiceAccount with a role; one that is made anew would lack it.
    """
    return (Child(build_service_account(job, platform)),)


def build_cleanup_job(job: LabelingJob, platform: Platform) -> dict[str, Any]:
    """Return the Job that removes the results.

    Its pod is as the one that had the inbox: the small image for profile Small, else the aggregation image, with the
    placement, labels and variables of that entry of `podOverrides`. It works by the job's storage Secret and has no
    token.
    """
    workload, *_ = build_workloads(job, frozenset(), platform)
    mistake = {"containerName": CLEANUP_COMPONENT, "operator": "In", "values": [_MISTAKE]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": object_metadata(
            job, platform, name=cleanup_name(job), component=CLEANUP_COMPONENT, more_labels=queue_labels(job)
        ),
        "spec": {
            "backoffLimit": _TRIES,
            # What only people can mend is told at once.
            "podFailurePolicy": {"rules": [{"action": "FailJob", "onExitCodes": mistake}]},
            "template": cleanup_template(job, workload, platform),
        },
    }
