"""A job's task and data set, as the services' readers take them."""

from labelplane_aggregation.requests import Dataset, DatasetFormat, Task
from labelplane_api.job import LabelingJob
from labelplane_core.tasks import task_kind

__all__ = ["dataset_of", "task_of"]


def task_of(job: LabelingJob) -> Task:
    """Return what is asked of an item."""
    return Task(kind=task_kind(job.spec.task.type.value), classes=job.spec.task.classes)


def dataset_of(job: LabelingJob) -> Dataset:
    """Return how the items are listed."""
    dataset = job.spec.dataset
    return Dataset(
        format=DatasetFormat(dataset.format.value),
        index=dataset.index or "",
        id_field=dataset.id_field or "",
        item_field=dataset.item_field or "",
        gold_field=dataset.gold_field or "",
    )
