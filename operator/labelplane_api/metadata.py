"""The part of Kubernetes' object metadata that labelplane reads."""

from typing import Annotated, Any, Final

from pydantic import StringConstraints, model_validator

from labelplane_api.schema import ApiModel, Change, Int, Label, ObjectName, Timestamp, mapping, option

_Qualified = Annotated[str, StringConstraints(min_length=1, max_length=317)]
_LabelValue = Annotated[str, StringConstraints(max_length=63)]
_Finalizer = Annotated[str, StringConstraints(min_length=1, max_length=317)]
# Kubernetes bounds all annotations together by 256 KiB.
_AnnotationValue = Annotated[str, StringConstraints(max_length=262_144)]

SERVER_FIELDS: Final = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "generateName",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
    }
)
"""Fields of Kubernetes' ObjectMeta that are accepted and not kept, so that an object read from a cluster parses."""


class ObjectMeta(ApiModel):
    """Name and labels of an object; server fields that labelplane does not read are dropped."""

    name: ObjectName = option(
        "name names the job in its namespace; Services and labels carry it, so it is one DNS label of at most 63 "
        "characters.",
        change=Change.NEVER,
    )
    namespace: Label = option("namespace is where the job lives.", "default", change=Change.NEVER)
    uid: Annotated[str, StringConstraints(max_length=64)] | None = option(
        "uid tells two objects of one name apart; the API server sets it.",
        None,
        otherwise="the object is not on a cluster",
        change=Change.NEVER,
    )
    generation: Int = option("generation counts the changes of the spec.", 1, ge=0, change=Change.NONE)
    labels: dict[_Qualified, _LabelValue] = mapping(
        "labels are Kubernetes labels.", max_length=256, change=Change.AT_ONCE
    )
    annotations: dict[_Qualified, _AnnotationValue] = mapping(
        "annotations are Kubernetes annotations.", max_length=256, change=Change.AT_ONCE
    )
    deletion_timestamp: Timestamp | None = option(
        "deletionTimestamp is when the object was deleted; the API server sets it while a finalizer holds the object.",
        None,
        otherwise="the object is not being deleted",
        change=Change.NONE,
    )
    finalizers: tuple[_Finalizer, ...] = option(
        "finalizers hold a deleted object until each is taken away by whoever set it.",
        (),
        max_length=64,
        change=Change.NONE,
    )

    @model_validator(mode="before")
    @classmethod
    def _drop_server_fields(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if key not in SERVER_FIELDS}
