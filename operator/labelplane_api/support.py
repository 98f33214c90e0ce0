"""What is valid but not built yet: refused by name, never ignored.

The table lists (path, what of it is not built). A path is JSON names with dots; an absent optional
object ends it, and a list stands for each of its entries. Whoever builds a field deletes its row.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from labelplane_api.errors import NotSupportedError
from labelplane_api.job import LabelingJob
from labelplane_api.output import ExportFormat
from labelplane_api.rules import attribute_name
from labelplane_api.schema import ApiModel
from labelplane_api.serving import ServingMode
from labelplane_api.task import TaskType

Refusal = Callable[[Any], bool]


@dataclass(frozen=True, slots=True)
class Unbuilt:
    """A field of which some values are not built.

    Attributes:
        path: the field, JSON names below the job.
        is_refused: tells whether a value is not built, and the refusal names the value; None refuses every value but
            the default.
    """

    path: str
    is_refused: Refusal | None = None


def _other_than(*built: Any) -> Refusal:
    return lambda value: value not in built


def _in_another_cloud(address: str | None) -> bool:
    return address is not None and address.startswith(("gs://", "az://"))


UNBUILT: Final[tuple[Unbuilt, ...]] = (
    Unbuilt("spec.task.type", _other_than(TaskType.IMAGE_CLASSIFICATION, TaskType.TEXT_CLASSIFICATION)),
    Unbuilt("spec.dataset.uri", _in_another_cloud),
    Unbuilt("spec.storage.uri", _in_another_cloud),
    Unbuilt("spec.sources.humans.files.uri", _in_another_cloud),
    Unbuilt("spec.sources.knowledgeBases.gazetteer.uri", _in_another_cloud),
    Unbuilt("spec.sources.knowledgeBases.wordNet.uri", _in_another_cloud),
    Unbuilt("spec.sources.knowledgeBases.wikipedia.uri", _in_another_cloud),
    Unbuilt("spec.sources.models"),
    Unbuilt("spec.aggregation.workers"),
    Unbuilt("spec.model.teacher.weights", _in_another_cloud),
    Unbuilt("spec.model.student.weights", _in_another_cloud),
    Unbuilt("spec.serving.mode", _other_than(ServingMode.IN_PROCESS)),
    Unbuilt("spec.scaling.scaleDownDelaySeconds"),
    Unbuilt("spec.output.formats", _other_than(ExportFormat.CSV, ExportFormat.JSONL, ExportFormat.PARQUET)),
    Unbuilt("spec.podOverrides.triton"),
)
"""Everything that is not built yet."""

_ABOUT_A_CLUSTER: Final[tuple[Unbuilt, ...]] = (
    Unbuilt("spec.scheduling"),
    Unbuilt("spec.scaling"),
    Unbuilt("spec.podOverrides"),
    Unbuilt("spec.output.deletionPolicy"),
)


_WITHOUT_FRONT: Final[tuple[Unbuilt, ...]] = (Unbuilt("spec.sources.humans.inbox"),)
"""What a cluster has not whose installation serves no review page."""

ON_ONE_MACHINE: Final[tuple[Unbuilt, ...]] = (
    *UNBUILT,
    # A job file's own ConfigMaps are read with it, so what is left names one that is not there.
    Unbuilt("spec.sources.rules.configMap"),
    # Nothing there runs containers.
    Unbuilt("spec.model.image"),
)
"""Everything that a run on one machine has not."""


def unsupported(job: LabelingJob, *, table: Sequence[Unbuilt] = ON_ONE_MACHINE) -> tuple[str, ...]:
    """List the fields that the job sets and that are not built yet, with the value where the value is the reason.

    A field that has its default, set or not, is never listed: the API server writes defaults into every object.
    """
    return tuple(_shown(found, row) for row in table for found in _refused(job, row))


def unread_on_one_machine(job: LabelingJob) -> tuple[str, ...]:
    """List the fields that the job sets and that only a cluster reads; a run on one machine names them and goes on."""
    return unsupported(job, table=_ABOUT_A_CLUSTER)


def unsupported_on_clusters(job: LabelingJob, *, has_front: bool) -> tuple[str, ...]:
    """List the fields that the job sets and that are not built yet where an operator runs it.

    Args:
        job: the job.
        has_front: whether the installation serves the review page.
    """
    return unsupported(job, table=UNBUILT if has_front else (*UNBUILT, *_WITHOUT_FRONT))


def check_supported(job: LabelingJob, *, table: Sequence[Unbuilt] = ON_ONE_MACHINE) -> None:
    """Refuse a job that uses what is not built yet.

    Raises:
        NotSupportedError: names every such field, as "not supported yet: spec.scaling.maxReplicas".
    """
    fields = unsupported(job, table=table)
    if fields:
        raise NotSupportedError(fields)


@dataclass(frozen=True, slots=True)
class _Found:
    """A value at a path, with the value that it has by default."""

    path: str
    value: Any
    default: Any


def _refused(job: LabelingJob, row: Unbuilt) -> Iterator[_Found]:
    for found in _values(job, row.path):
        if row.is_refused is None:
            yield from _differing(found)
        elif found.value != found.default:
            values = found.value if isinstance(found.value, tuple) else (found.value,)
            yield from (replace(found, value=value) for value in values if row.is_refused(value))


def _differing(found: _Found) -> Iterator[_Found]:
    if found.value == found.default:
        return
    if not isinstance(found.value, ApiModel) or not isinstance(found.default, ApiModel):
        yield found
        return
    for name, info in type(found.value).model_fields.items():
        path = f"{found.path}.{info.alias or name}"
        yield from _differing(_Found(path, getattr(found.value, name), getattr(found.default, name)))


def _values(job: ApiModel, path: str) -> Iterator[_Found]:
    *parents, last = path.split(".")
    for holder, where in _holders(job, parents):
        attribute = attribute_name(type(holder), last)
        info = type(holder).model_fields[attribute]
        default = None if info.is_required() else info.get_default(call_default_factory=True)
        yield _Found(f"{where}.{last}", getattr(holder, attribute), default)


def _holders(job: ApiModel, names: Sequence[str]) -> Iterator[tuple[ApiModel, str]]:
    """Yield the objects at a path, of a list each entry, with the path as a person writes it."""
    found: list[tuple[Any, str]] = [(job, "")]
    for name in names:
        inner = [(getattr(each, attribute_name(type(each), name)), f"{where}.{name}") for each, where in found]
        found = [entry for value, where in inner for entry in _entries(value, where)]
    yield from ((each, where.removeprefix(".")) for each, where in found)


def _entries(value: Any, where: str) -> list[tuple[Any, str]]:
    if isinstance(value, tuple):
        return [(entry, f"{where}[{place}]") for place, entry in enumerate(value)]
    return [] if value is None else [(value, where)]


def _shown(found: _Found, row: Unbuilt) -> str:
    return f"{found.path}: {found.value}" if row.is_refused is not None else found.path
