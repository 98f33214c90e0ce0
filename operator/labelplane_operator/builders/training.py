"""The Job that trains by an image of the user's."""

from typing import Any

from labelplane_api.job import LabelingJob
from labelplane_api.names import training_name
from labelplane_operator.builders.metadata import TRAINING_COMPONENT, object_metadata, queue_labels
from labelplane_operator.builders.platform_settings import Platform
from labelplane_operator.builders.pods import training_template
from labelplane_operator.training_run import TrainingRun

__all__ = ["build_training_job"]


def build_training_job(job: LabelingJob, run: TrainingRun, platform: Platform) -> dict[str, Any]:
    """Return the Job of one try: stage, the image, collect, one after the other in one pod.

    Its pod is tried again only when the cluster took it away; else Train fails, and the plan decides when the next try
    is. Two pods never work at once.
    """
    taken_away = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": object_metadata(
            job,
            platform,
            name=training_name(job, round_number=run.round, attempt=run.attempt),
            component=TRAINING_COMPONENT,
            more_labels=queue_labels(job),
        ),
        "spec": {
            "backoffLimit": 0,
            "podFailurePolicy": {"rules": [taken_away]},
            "podReplacementPolicy": "Failed",
            "template": training_template(job, run, platform),
        },
    }
