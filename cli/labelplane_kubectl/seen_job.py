"""A job as the API server has it, read so that a spec or a status of another version still shows what it can."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from labelplane_api.errors import SpecInvalidError
from labelplane_api.job import LabelingJob
from labelplane_api.status import LabelingJobStatus
from labelplane_api.validation import validate_job
from labelplane_kubectl.errors import UnreadableJob

__all__ = ["SeenJob", "read_job"]

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SeenJob:
    """A job.

    Attributes:
        name: of the job.
        namespace: where it lives.
        generation: of its spec.
        created: when it was made; None where the object does not say.
        is_being_deleted: whether somebody has deleted it.
        is_to_rest: whether its spec says that it is to be suspended.
        status: what the operator wrote.
        job: all of it, typed; None when its spec is not valid for this version.
    """

    name: str
    namespace: str
    generation: int
    created: datetime | None
    is_being_deleted: bool
    is_to_rest: bool
    status: LabelingJobStatus
    job: LabelingJob | None

    @property
    def stage(self) -> str:
        """The one word for where it stands; the operator's, and Pending before it wrote the first."""
        return "Deleting" if self.is_being_deleted else self.status.stage or "Pending"

    @property
    def is_seen(self) -> bool:
        """Whether the status is about the present spec."""
        return self.status.observed_generation >= self.generation


def read_job(manifest: Object) -> SeenJob:
    """Read a job.

    Raises:
        UnreadableJob: its status has another shape than this version knows.
    """
    metadata = manifest["metadata"]
    try:
        status = LabelingJobStatus.model_validate(manifest.get("status") or {})
    except ValidationError as error:
        field = ".".join(str(each) for each in error.errors()[0]["loc"])
        raise UnreadableJob(
            f"the status of {metadata['name']} cannot be read ({field}): take the plugin of the operator's version"
        ) from error
    try:
        job = validate_job(manifest)
    except SpecInvalidError:
        job = None
    return SeenJob(
        name=metadata["name"],
        namespace=metadata.get("namespace", "default"),
        generation=int(metadata.get("generation", 1)),
        created=_time(metadata.get("creationTimestamp")),
        is_being_deleted="deletionTimestamp" in metadata,
        is_to_rest=bool(((manifest.get("spec") or {}).get("run") or {}).get("suspend")),
        status=status,
        job=job,
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
