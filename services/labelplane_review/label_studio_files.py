"""Files that Label Studio exports (format JSON): tasks with annotations, read as rows of votes."""

import json
from collections.abc import Iterator
from typing import Any

__all__ = ["label_studio_records"]


def label_studio_records(name: str, text: str) -> Iterator[tuple[str, dict[str, Any] | str]]:
    """Yield (place, record) for every annotation, or (place, what is wrong with it).

    A record holds the fields of the task's data, the choice as `label` and its author as `annotator`: an e-mail
    address where the file has one, else the author's number, else nothing, and the file's name stands for them. Skipped
    tasks are passed over.
    """
    try:
        tasks = json.loads(text)
    except ValueError as error:
        yield name, f"is no JSON: {error}"
        return
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        yield name, "is no list of tasks: export the project as JSON (not JSON_MIN)"
        return
    for place, task in enumerate(tasks, start=1):
        where = f"{name}: task {task.get('id', place)}"
        for annotation in task.get("annotations") or task.get("completions") or ():
            if not annotation.get("was_cancelled"):
                yield where, _record(task, annotation)


def _record(task: dict[str, Any], annotation: dict[str, Any]) -> dict[str, Any] | str:
    choices = [
        choice
        for part in annotation.get("result") or ()
        if part.get("type") == "choices"
        for choice in (part.get("value") or {}).get("choices") or ()
    ]
    if len(choices) != 1:
        return f"annotation {annotation.get('id', '')} holds {len(choices)} choices where one is wanted"
    data = task.get("data")
    fields = data if isinstance(data, dict) else {}
    return {**fields, "label": choices[0], "annotator": _author(annotation)}


def _author(annotation: dict[str, Any]) -> str:
    """Return who wrote an annotation last; empty when nobody is named."""
    author = annotation.get("updated_by") or annotation.get("completed_by")
    if isinstance(author, dict):
        return str(author.get("email") or author.get("id") or "")
    return "" if author is None else f"user-{author}"
