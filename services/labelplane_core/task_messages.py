"""Parts of messages that every service is sent: the task, and values with bounds."""

from labelplane.task.v1 import task_pb2 as pb
from labelplane_core.errors import InvalidInput
from labelplane_core.tasks import TaskKind, task_kind

__all__ = ["classes_from_proto", "kind_from_proto", "share_from_proto"]

_MAX_CLASSES = 1000


def kind_from_proto(message: pb.Task) -> TaskKind:
    """Return the task kind; `UnknownTaskKind` lists those there are."""
    return task_kind(message.type)


def classes_from_proto(message: pb.Task) -> tuple[str, ...]:
    """Return the task's classes, or raise `InvalidInput` when they are too few, too many or not distinct."""
    classes = tuple(message.classes)
    if not 2 <= len(classes) <= _MAX_CLASSES or len(set(classes)) != len(classes):
        raise InvalidInput(f"task.classes must be 2 to {_MAX_CLASSES} different names, got {len(classes)}")
    return classes


def share_from_proto(name: str, value: float) -> float:
    """Return a share, or raise `InvalidInput` when it is not within 0 to 1."""
    if not 0 <= value <= 1:
        raise InvalidInput(f"{name} must be from 0 to 1, got {value}")
    return value
