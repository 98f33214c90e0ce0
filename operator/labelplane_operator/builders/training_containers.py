"""The containers of a training Job: ours before and after, and the user's between them, which holds no key."""

from typing import Any, Final

from labelplane_api.job import LabelingJob
from labelplane_api.running import PodOverride
from labelplane_operator.builders.containers import (
    SCRATCH_FOLDER,
    UNPRIVILEGED,
    labelplane_container,
    storage_and_libraries,
    with_overrides,
)
from labelplane_operator.builders.distributed import DISTILLATION_RESOURCES
from labelplane_operator.builders.platform_settings import Platform
from labelplane_operator.builders.resources import Resources
from labelplane_operator.builders.variables import cpu_limit, plain
from labelplane_operator.training_run import TrainingRun

__all__ = [
    "IMAGE_SCRATCH_VOLUME",
    "INPUT_VOLUME",
    "MODEL_VOLUME",
    "collect_container",
    "image_container",
    "stage_container",
]

INPUT_VOLUME: Final = "input"
MODEL_VOLUME: Final = "model"
IMAGE_SCRATCH_VOLUME: Final = "image-scratch"

_INPUT_FOLDER: Final = "/labelplane/input"
_MODEL_FOLDER: Final = "/labelplane/model"
_STEP_RESOURCES: Final = Resources(requests={"cpu": "100m", "memory": "512Mi"}, limits={"cpu": "2", "memory": "8Gi"})


def stage_container(job: LabelingJob, run: TrainingRun, override: PodOverride, platform: Platform) -> dict[str, Any]:
    """Return the container that writes what the image is given."""
    mount = {"name": INPUT_VOLUME, "mountPath": _INPUT_FOLDER}
    return _step("stage", job, run, override, platform, mounts=[mount])


def collect_container(job: LabelingJob, run: TrainingRun, override: PodOverride, platform: Platform) -> dict[str, Any]:
    """Return the container that puts into the store what the image wrote."""
    mounts = [
        {"name": INPUT_VOLUME, "mountPath": _INPUT_FOLDER, "readOnly": True},
        {"name": MODEL_VOLUME, "mountPath": _MODEL_FOLDER, "readOnly": True},
    ]
    return _step("collect", job, run, override, platform, mounts=mounts)


def image_container(run: TrainingRun, override: PodOverride) -> dict[str, Any]:
    """Return the user's container: its entry point, two folders, and neither token nor key.

    Its `/tmp` is its own: what it leaves there must not be found by `collect`, whose home that would be.
    """
    variables = [
        plain("INPUT", _INPUT_FOLDER),
        plain("OUTPUT", _MODEL_FOLDER),
        plain("SEED", str(run.seed)),
        plain("ROUND", str(run.round)),
        plain("ATTEMPT", str(run.attempt)),
        {"name": "HOME", "value": SCRATCH_FOLDER},
        cpu_limit("OMP_NUM_THREADS"),
    ]
    return {
        "name": "train",
        "image": run.image,
        "resources": DISTILLATION_RESOURCES.changed_by(override.resources).manifest(),
        "securityContext": dict(UNPRIVILEGED),
        "volumeMounts": [
            {"name": IMAGE_SCRATCH_VOLUME, "mountPath": SCRATCH_FOLDER},
            {"name": INPUT_VOLUME, "mountPath": _INPUT_FOLDER, "readOnly": True},
            {"name": MODEL_VOLUME, "mountPath": _MODEL_FOLDER},
        ],
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "env": with_overrides(variables, override.env),
    }


def _step(
    name: str,
    job: LabelingJob,
    run: TrainingRun,
    override: PodOverride,
    platform: Platform,
    *,
    mounts: list[dict[str, Any]],
) -> dict[str, Any]:
    """Return a container of ours, which works by the job's storage Secret and is called by nobody."""
    container = labelplane_container(
        job,
        platform,
        name=name,
        image=platform.images.distillation,
        module=f"labelplane_distillation.handover.{name}",
        resources=_STEP_RESOURCES,
        has_token=False,
    )
    variables = [
        *storage_and_libraries(job),
        plain("STORE_URI", job.address_below(job.spec.storage.uri)),
        plain("DATA_URI", job.spec.dataset.uri),
        plain("REQUEST", run.request),
        plain("INPUT", _INPUT_FOLDER),
        plain("OUTPUT", _MODEL_FOLDER),
    ]
    return {
        **container,
        "volumeMounts": [*container["volumeMounts"], *mounts],
        "env": with_overrides(variables, override.env),
    }
