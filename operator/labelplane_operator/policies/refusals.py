"""Which valid jobs cannot run here, and what each would have to change."""

from collections.abc import Iterator

from labelplane_api.job import LabelingJob

__all__ = ["cluster_refusals"]


def cluster_refusals(job: LabelingJob) -> tuple[str, ...]:
    """Return what a pod could not reach, one sentence a field: a folder lies on one machine only."""
    return tuple(
        f"{path}: {address} is a folder of one machine: on a cluster give an address such as s3://bucket/prefix"
        for path, address in _addresses(job)
        if "://" not in address
    )


def _addresses(job: LabelingJob) -> Iterator[tuple[str, str]]:
    spec = job.spec
    yield "spec.dataset.uri", spec.dataset.uri
    yield "spec.storage.uri", spec.storage.uri
    if spec.sources.humans is not None and spec.sources.humans.files is not None:
        yield "spec.sources.humans.files.uri", spec.sources.humans.files.uri
