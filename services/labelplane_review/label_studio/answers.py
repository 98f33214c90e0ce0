"""From Label Studio's tasks to answers of people. Pure."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

__all__ = ["ITEM_FIELD", "Answer", "BadAnswer", "TaskAnswers", "read_task"]

ITEM_FIELD: Final = "item"
"""The field of a task's data that names the item."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an annotation says now.

    Attributes:
        annotation: its number on the server.
        annotator: who wrote it last.
        label: the class.
        version: when it was written last, as the server says it.
        time: the same moment.
        lead_time_seconds: how long it took; 0 when not known.
        suggestion_shown: whether the task shows a suggestion.
    """

    annotation: int
    annotator: str
    label: str
    version: str
    time: datetime
    lead_time_seconds: float
    suggestion_shown: bool


@dataclass(frozen=True, slots=True)
class BadAnswer:
    """An annotation that cannot count, and why; it may be an edit of one that could."""

    annotation: int
    annotator: str
    label: str
    version: str
    problem: str


@dataclass(frozen=True, slots=True)
class TaskAnswers:
    """One task: its item, None when it names none, when it was changed last, and all that people said of it."""

    task: int
    item: str | None
    changed: datetime
    good: tuple[Answer, ...]
    bad: tuple[BadAnswer, ...]


def read_task(
    task: Mapping[str, Any],
    *,
    people: Mapping[int, str],
    classes: Collection[str],
    find_item: Callable[[Mapping[str, Any]], str | None],
) -> TaskAnswers:
    """Return the answers of a task as the server lists it.

    An annotation is its last author's (`updated_by`): `completed_by` is what its first sender said, whoever that was.
    Skipped tasks (`was_cancelled`) are no answers.

    Raises:
        KeyError, TypeError, ValueError: the task is of another form than the server is known to send.
    """
    item = find_item(task.get("data") or {})
    is_suggested = any(each.get("result") for each in task.get("predictions") or ())
    good: list[Answer] = []
    bad: list[BadAnswer] = []
    for each in task.get("annotations") or ():
        if each.get("was_cancelled"):
            continue
        answer = _read(each, people=people, classes=classes, is_suggested=is_suggested)
        if isinstance(answer, Answer) and item is not None:
            good.append(answer)
        elif isinstance(answer, Answer):
            problem = f"its task names no item of the data set (field {ITEM_FIELD!r} of its data)"
            bad.append(BadAnswer(answer.annotation, answer.annotator, answer.label, answer.version, problem))
        else:
            bad.append(answer)
    return TaskAnswers(int(task["id"]), item, datetime.fromisoformat(task["updated_at"]), tuple(good), tuple(bad))


def _read(
    annotation: Mapping[str, Any], *, people: Mapping[int, str], classes: Collection[str], is_suggested: bool
) -> Answer | BadAnswer:
    number, version = int(annotation["id"]), str(annotation["updated_at"])
    annotator = _author(annotation, people)
    chosen = _chosen(annotation.get("result") or [])
    problem = ""
    if len(chosen) != 1:
        problem = f"it holds {len(chosen)} choices where one is wanted"
    elif chosen[0] not in classes:
        problem = f"{chosen[0]!r} is none of the job's classes"
    if problem:
        return BadAnswer(number, annotator, ", ".join(chosen), version, problem)
    lead_time = annotation.get("lead_time")
    seconds = float(lead_time) if isinstance(lead_time, int | float) and lead_time > 0 else 0.0
    time = datetime.fromisoformat(version)
    return Answer(number, annotator, chosen[0], version, time, seconds, is_suggested)


def _author(annotation: Mapping[str, Any], people: Mapping[int, str]) -> str:
    author = annotation.get("updated_by")
    if author is None:  # annotations that were imported with a project have no author of this server
        return "imported"
    number = int(author["id"] if isinstance(author, dict) else author)
    return people.get(number, f"user-{number}")


def _chosen(result: list[Any]) -> list[str]:
    """Return every choice of a result, whichever control it is of."""
    values = [each.get("value") or {} for each in result if each.get("type") == "choices"]
    return [str(choice) for value in values for choice in value.get("choices") or ()]
