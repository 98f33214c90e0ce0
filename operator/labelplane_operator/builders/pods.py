"""The pod templates of a job: restricted, without rights on the API server, open to a few overrides."""

from typing import Any, Final

from labelplane_api.job import LabelingJob
from labelplane_api.names import job_name, token_secret_name
from labelplane_api.running import PodOverride
from labelplane_operator.builders.connector import connector_volumes
from labelplane_operator.builders.containers import (
    SCRATCH_VOLUME,
    TOKEN_VOLUME,
    cleanup_container,
    connector_container,
    service_container,
)
from labelplane_operator.builders.metadata import CLEANUP_COMPONENT, TRAINING_COMPONENT, labels, queue_labels
from labelplane_operator.builders.platform_settings import Platform
from labelplane_operator.builders.queue_access import queue_volumes
from labelplane_operator.builders.rule_files import rule_volumes
from labelplane_operator.builders.storage import ca_volumes, key_volumes
from labelplane_operator.builders.training_containers import (
    IMAGE_SCRATCH_VOLUME,
    INPUT_VOLUME,
    MODEL_VOLUME,
    collect_container,
    image_container,
    stage_container,
)
from labelplane_operator.builders.workloads import NO_OVERRIDE, Workload
from labelplane_operator.training_run import TrainingRun

__all__ = ["cleanup_template", "pod_template", "training_template"]

_SCRATCH: Final = {"name": SCRATCH_VOLUME, "emptyDir": {}}
_LEAVE_SECONDS: Final = 15
"""What a pod has, after its drain, to close its server and its connections."""


def pod_template(job: LabelingJob, workload: Workload, platform: Platform) -> dict[str, Any]:
    """Return the template of a workload's pods."""
    own_labels = {**labels(job, workload.component), **queue_labels(job)}
    containers = [service_container(job, workload, platform)]
    volumes = [
        _SCRATCH,
        {"name": TOKEN_VOLUME, "secret": {"secretName": token_secret_name(job)}},
        *ca_volumes(job.spec.storage),
        *key_volumes(job.spec.storage),
        *queue_volumes(workload, platform),
        *(rule_volumes(job) if workload.has_rules else ()),
    ]
    if workload.has_connector:
        containers.append(connector_container(job, platform))
        volumes += connector_volumes(job)
    return {
        # The job's labels come first: a selector and a NetworkPolicy rest on ours.
        "metadata": {"labels": {**workload.override.labels, **own_labels}},
        "spec": _spec(
            job,
            workload.override,
            platform,
            terminationGracePeriodSeconds=workload.drain_seconds + _LEAVE_SECONDS,
            containers=containers,
            volumes=volumes,
        ),
    }


def cleanup_template(job: LabelingJob, workload: Workload, platform: Platform) -> dict[str, Any]:
    """Return the template of the pod that removes the results, where the pods of a workload may run."""
    return {
        "metadata": {"labels": {**workload.override.labels, **labels(job, CLEANUP_COMPONENT)}},
        "spec": _spec(
            job,
            workload.override,
            platform,
            # A pod that failed stays to be looked at, and what it said last is told in the job's status.
            restartPolicy="Never",
            containers=[cleanup_container(job, workload, platform)],
            volumes=[_SCRATCH, *ca_volumes(job.spec.storage)],
        ),
    }


def training_template(job: LabelingJob, run: TrainingRun, platform: Platform) -> dict[str, Any]:
    """Return the template of the pod in which a training image works, where the pods of distillation may run."""
    override = job.spec.pod_overrides.distillation or NO_OVERRIDE
    folders = (INPUT_VOLUME, MODEL_VOLUME, IMAGE_SCRATCH_VOLUME)
    return {
        "metadata": {"labels": {**override.labels, **labels(job, TRAINING_COMPONENT)}},
        "spec": _spec(
            job,
            override,
            platform,
            restartPolicy="Never",
            initContainers=[stage_container(job, run, override, platform), image_container(run, override)],
            containers=[collect_container(job, run, override, platform)],
            volumes=[_SCRATCH, *({"name": name, "emptyDir": {}} for name in folders), *ca_volumes(job.spec.storage)],
        ),
    }


def _spec(job: LabelingJob, override: PodOverride, platform: Platform, **fields: Any) -> dict[str, Any]:
    """Return the spec of a pod with these fields: without rights, and where the job wants it."""
    return {
        "serviceAccountName": job_name(job),
        "automountServiceAccountToken": False,
        # A Service called labelplane would write variables named like our settings.
        "enableServiceLinks": False,
        # No user is named: the image has one, and some clusters give each namespace its own.
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        **fields,
        **_image_pull_secrets(platform),
        **_placement(job, override),
    }


def _image_pull_secrets(platform: Platform) -> dict[str, Any]:
    names = platform.images.pull_secrets
    return {"imagePullSecrets": [{"name": name} for name in names]} if names else {}


def _placement(job: LabelingJob, override: PodOverride) -> dict[str, Any]:
    """Return where the pod may run and before whom; what is not said is left to the cluster."""
    fields = {
        "nodeSelector": dict(override.node_selector),
        "tolerations": [each.to_manifest() for each in override.tolerations],
        "affinity": dict(override.affinity),
        "priorityClassName": override.priority_class_name or job.spec.scheduling.priority_class_name,
        "runtimeClassName": override.runtime_class_name,
    }
    return {name: value for name, value in fields.items() if value}
