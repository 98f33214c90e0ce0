"""What is right on one machine and cannot be on a cluster, or is wrong where the API server does not look."""

import json
from collections.abc import Iterator

from labelplane_api.job import LabelingJob
from labelplane_api.scaling import ScalingEngine
from labelplane_operator.builders.connector import crowd_json
from labelplane_operator.builders.variables import can_be_told
from labelplane_operator.policies.overrides import override_refusals

__all__ = ["refusals"]

LARGEST_CROWD_BYTES = 100_000
LARGEST_CLASSES_BYTES = 100_000
"""Linux takes 128 KiB in one environment variable."""


def refusals(job: LabelingJob, *, has_keda: bool = False) -> tuple[str, ...]:
    """Return why a job cannot run on a cluster until its spec changes, each with field, reason and remedy.

    Empty for a job that can. The reason of the condition is SpecInvalid.

    Args:
        job: the job.
        has_keda: whether the installation lets KEDA scale.
    """
    found = (
        *_folders(job),
        *_texts(job),
        *_crowd(job),
        *_training_image(job),
        *override_refusals(job.spec.pod_overrides),
    )
    return found if has_keda else (*found, *_keda(job))


def _keda(job: LabelingJob) -> Iterator[str]:
    if job.spec.scaling.engine is ScalingEngine.KEDA:
        yield (
            "spec.scaling.engine: Keda is not switched on in this installation: set keda.enabled of its chart, or "
            "take Operator"
        )


def _folders(job: LabelingJob) -> Iterator[str]:
    spec = job.spec
    files = spec.sources.humans.files if spec.sources.humans else None
    addresses = {
        "spec.dataset.uri": spec.dataset.uri,
        "spec.storage.uri": spec.storage.uri,
        "spec.sources.humans.files.uri": files.uri if files else None,
    }
    for field, address in addresses.items():
        if address is not None and "://" not in address:
            yield f'{field}: "{address}" is a folder of one machine, which no pod can reach: give s3://bucket/prefix'


def _texts(job: LabelingJob) -> Iterator[str]:
    dataset, storage = job.spec.dataset, job.spec.storage
    humans = job.spec.sources.humans
    files, label_studio = (humans.files, humans.label_studio) if humans else (None, None)
    texts = {
        "spec.dataset.uri": dataset.uri,
        "spec.dataset.idField": dataset.id_field,
        "spec.dataset.truthField": dataset.truth_field,
        "spec.storage.uri": storage.uri,
        "spec.storage.region": storage.region,
        "spec.sources.humans.files.uri": files.uri if files else None,
        "spec.sources.humans.labelStudio.url": label_studio.url if label_studio else None,
        "spec.model.image": job.spec.model.image,
    }
    for field, text in texts.items():
        if text is not None and not can_be_told(text):
            yield f"{field}: holds a character that no pod can be told: rename it"


def _crowd(job: LabelingJob) -> Iterator[str]:
    crowd = job.spec.sources.humans.simulated if job.spec.sources.humans else None
    if crowd is None:
        return
    dataset = job.spec.dataset
    needed = {"index": dataset.index, "idField": dataset.id_field, "truthField": dataset.truth_field}
    if missing := [f"spec.dataset.{name}" for name, value in needed.items() if value is None]:
        yield (
            "spec.sources.humans.simulated: on a cluster the crowd reads the truth from a table with ids: "
            f"set {', '.join(missing)}"
        )
    if len(crowd_json(crowd).encode()) > LARGEST_CROWD_BYTES:
        yield (
            f"spec.sources.humans.simulated.annotators: has more than {LARGEST_CROWD_BYTES:,} bytes, the most that a "
            "pod is told: give accuracy in place of confusion, or fewer groups"
        )


def _training_image(job: LabelingJob) -> Iterator[str]:
    if job.spec.model.image is None:
        return
    if job.spec.storage.credentials_secret is None:
        yield (
            "spec.model.image: needs spec.storage.credentialsSecret: what a pod's own identity may reach, the image in "
            "that pod may reach too"
        )
    if len(json.dumps(job.spec.task.classes)) > LARGEST_CLASSES_BYTES:
        yield (
            f"spec.task.classes: have more than {LARGEST_CLASSES_BYTES:,} bytes, the most that a pod of "
            "spec.model.image is told: give shorter names"
        )
