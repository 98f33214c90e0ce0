"""Finding a task kind by its name."""

from labelplane_core.errors import UnknownTaskKind
from labelplane_core.tasks.images import ImageClassification
from labelplane_core.tasks.kind import TaskKind
from labelplane_core.tasks.texts import TextClassification

__all__ = ["TASK_KINDS", "task_kind"]

TASK_KINDS: tuple[TaskKind, ...] = (ImageClassification(), TextClassification())
"""Every kind of task that is built; a new one is a module of its own and an entry here."""


def task_kind(type_name: str) -> TaskKind:
    """Return the kind with this `task.type`; `UnknownTaskKind` lists those there are."""
    for kind in TASK_KINDS:
        if kind.type_name == type_name:
            return kind
    names = ", ".join(kind.type_name for kind in TASK_KINDS)
    raise UnknownTaskKind(f"task type {type_name!r} is not supported; there are {names}")
