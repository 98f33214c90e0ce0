"""From data to a job, or to the problems that a person can repair.

pydantic's errors are turned into sentences with the field's path as it stands in the job file, a suggestion for a
misspelt name, and what to do.
"""

import difflib
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from labelplane_api.errors import NodePath, Problem, SpecInvalidError, path_text
from labelplane_api.job import LabelingJob
from labelplane_api.schema import PATTERN_HINTS, RULE_ERROR, ApiModel

_LONGEST_VALUE: Final = 60
_LISTED_NAMES: Final = 12
_FIRST_INEXACT: Final = 2**53


def validate_job(data: Mapping[str, Any]) -> LabelingJob:
    """Make a job of what a job file or the API server holds; JSON names only, as on the API server.

    Raises:
        SpecInvalidError: with every problem found. Rules between fields of an object are checked once the fields
            themselves are valid.
    """
    try:
        return LabelingJob.model_validate(_one_kind_of_number(data), by_alias=True, by_name=False)
    except ValidationError as error:
        raise SpecInvalidError(problems_of(error)) from error


def _one_kind_of_number(value: Any) -> Any:
    """Return JSON values with whole numbers as `int`: 3.0 is a whole number for the API server."""
    if isinstance(value, float) and value.is_integer() and abs(value) < _FIRST_INEXACT:
        return int(value)
    if isinstance(value, dict):
        return {key: _one_kind_of_number(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_one_kind_of_number(inner) for inner in value]
    return value


def validate_change(old: LabelingJob, new: LabelingJob) -> None:
    """Check that a running job may be replaced by this one.

    Raises:
        SpecInvalidError: an immutable field differs, or a list that may only grow lost an entry.
    """
    problems = tuple(_transition_problems(old.spec, new.spec, ("spec",)))
    if problems:
        raise SpecInvalidError(problems)


def problems_of(error: ValidationError, *, below: NodePath = ()) -> tuple[Problem, ...]:
    """Tell pydantic's errors as problems, in the order of the fields.

    Of an object that is a part of a job, `below` is its path in the job; the problems' own paths begin at the object.
    """
    problems: list[Problem] = []
    for details in error.errors(include_url=False):
        whole: ErrorDetails = {**details, "loc": (*below, *details["loc"])}
        problems.extend(_without(below, problem) for problem in _problems(whole))
    return tuple(problems)


def _without(below: NodePath, problem: Problem) -> Problem:
    if not below:
        return problem
    message = problem.message.removeprefix(path_text(below)).removeprefix(".").removeprefix(": ")
    return Problem(path=problem.path[len(below) :], message=message)


def _transition_problems(old: ApiModel, new: ApiModel, path: NodePath) -> Iterator[Problem]:
    for rule in new.transitions:
        text = rule.check(old, new)
        if text is not None:
            where = (*path, rule.field)
            yield Problem(path=where, message=f"{path_text(where)}{text}")
    for name, info in type(new).model_fields.items():
        before, after = getattr(old, name), getattr(new, name)
        if isinstance(before, ApiModel) and isinstance(after, ApiModel):
            yield from _transition_problems(before, after, (*path, info.alias or name))


def _problems(details: ErrorDetails) -> Iterator[Problem]:
    path = _json_path(details["loc"])
    if details["type"] == RULE_ERROR:
        for violation in details["ctx"]["violations"]:
            field = violation.rule.field
            where = (*path, *field.split(".")) if field else path
            yield Problem(path=where, message=f"{path_text(where)}{violation.text}")
        return
    if details["type"] == "too_short" and len(details["input"]) >= details["ctx"]["min_length"]:
        # pydantic counts entries that are valid themselves; the others are told one by one.
        return
    tell = _TEXTS.get(details["type"], _anything_else)
    yield Problem(path=path, message=f"{path_text(path) or 'the document'}: {tell(details)}")


def _json_path(location: Sequence[str | int]) -> NodePath:
    # pydantic marks an error in a map's key by a part of its own.
    return tuple(part for part in location if part != "[key]")


def _missing(_details: ErrorDetails) -> str:
    return "is missing: add it"


def _unknown_field(details: ErrorDetails) -> str:
    *parents, name = details["loc"]
    known = _field_names(_model_at(LabelingJob, parents))
    close = _closest(str(name), known)
    if close is not None:
        return f"unknown field: did you mean {close}?"
    if len(known) <= _LISTED_NAMES:
        return f"unknown field: known are {', '.join(known)}"
    return "unknown field: remove it"


def _not_in_enum(details: ErrorDetails) -> str:
    value = details["input"]
    choices = _choices(details)
    close = _closest(str(value), choices)
    hint = f"did you mean {close}?" if close is not None else f"take one of {', '.join(choices)}"
    return f"{_shown(value)} is not known: {hint}"


def _choices(details: ErrorDetails) -> list[str]:
    kind = _type_at(LabelingJob, details["loc"])
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [str(member.value) for member in kind]
    return [str(details["ctx"]["expected"]).replace("'", "")]


def _no_string(details: ErrorDetails) -> str:
    value = details["input"]
    if isinstance(value, bool):
        return f"{_shown(value)} is read as true or false: put the word in quotes"
    if isinstance(value, int | float):
        return f'{value} is a number: put it in quotes ("{value}")'
    return f"{_shown(value)} is no text: write one"


def _no_number(details: ErrorDetails) -> str:
    value = details["input"]
    return f"{_shown(value)} is no number: write one{' without quotes' if isinstance(value, str) else ''}"


def _no_whole_number(details: ErrorDetails) -> str:
    value = details["input"]
    if isinstance(value, float):
        return f"{value} is no whole number: round it"
    return _no_number(details)


def _no_bool(details: ErrorDetails) -> str:
    return f"{_shown(details['input'])} is neither true nor false: write one of them"


def _no_object(details: ErrorDetails) -> str:
    names = _field_names(_model_at(LabelingJob, details["loc"]))
    fields = f" with {', '.join(names[:_LISTED_NAMES])}" if names else ""
    return f"{_shown(details['input'])} stands where fields belong: write an object{fields}"


def _no_list(details: ErrorDetails) -> str:
    return f"{_shown(details['input'])} is no list: write one, even of a single entry"


def _too_low(details: ErrorDetails) -> str:
    bound: float = details["ctx"].get("ge", details["ctx"].get("gt", 0))
    least = "more than " if "gt" in details["ctx"] else ""
    return f"{_shown(details['input'])} is too low: give {least}{_number(bound)}{'' if least else ' or more'}"


def _too_high(details: ErrorDetails) -> str:
    bound: float = details["ctx"].get("le", details["ctx"].get("lt", 0))
    most = "less than " if "lt" in details["ctx"] else ""
    return f"{_shown(details['input'])} is too high: give {most}{_number(bound)}{'' if most else ' or less'}"


def _number(bound: float) -> str:
    return str(int(bound)) if float(bound).is_integer() else str(bound)


def _too_few(details: ErrorDetails) -> str:
    return f"has {details['ctx']['actual_length']} entries: give at least {details['ctx']['min_length']}"


def _too_many(details: ErrorDetails) -> str:
    return f"has more than {details['ctx']['max_length']} entries: give fewer"


def _text_too_short(_details: ErrorDetails) -> str:
    return "is empty: write something or remove it"


def _text_too_long(details: ErrorDetails) -> str:
    return f"has {len(details['input'])} characters: {details['ctx']['max_length']} is the most"


def _no_match(details: ErrorDetails) -> str:
    hint = PATTERN_HINTS.get(details["ctx"]["pattern"], f"it must match {details['ctx']['pattern']}")
    return f"{_shown(details['input'])} is not allowed: {hint}"


def _not_finite(details: ErrorDetails) -> str:
    return f"{details['input']} is no finite number: give one"


def _no_time(details: ErrorDetails) -> str:
    return f"{_shown(details['input'])} is no time: write it as 2026-01-31T09:30:00Z"


def _anything_else(details: ErrorDetails) -> str:
    return details["msg"]


_TEXTS: Final[Mapping[str, Callable[[ErrorDetails], str]]] = {
    "missing": _missing,
    "extra_forbidden": _unknown_field,
    "enum": _not_in_enum,
    "literal_error": _not_in_enum,
    "string_type": _no_string,
    "int_type": _no_whole_number,
    "int_from_float": _no_whole_number,
    "float_type": _no_number,
    "bool_type": _no_bool,
    "model_type": _no_object,
    "model_attributes_type": _no_object,
    "dict_type": _no_object,
    "tuple_type": _no_list,
    "greater_than_equal": _too_low,
    "greater_than": _too_low,
    "less_than_equal": _too_high,
    "less_than": _too_high,
    "too_short": _too_few,
    "too_long": _too_many,
    "string_too_short": _text_too_short,
    "string_too_long": _text_too_long,
    "string_pattern_mismatch": _no_match,
    "finite_number": _not_finite,
    "datetime_type": _no_time,
    "datetime_from_date_parsing": _no_time,
    "datetime_parsing": _no_time,
    "timezone_aware": _no_time,
}


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value)
    text = text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
    return f'"{text}"' if isinstance(value, str) else text


def _closest(name: str, known: Sequence[str]) -> str | None:
    folded = {choice.casefold(): choice for choice in known}
    matches = difflib.get_close_matches(to_camel(name).casefold(), folded, n=1, cutoff=0.7)
    matches = matches or difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.7)
    return folded[matches[0]] if matches else None


def _field_names(model_class: type[BaseModel] | None) -> list[str]:
    if model_class is None:
        return []
    return [info.alias or name for name, info in model_class.model_fields.items()]


def _model_at(root: type[BaseModel], path: Sequence[str | int]) -> type[BaseModel] | None:
    kind = _type_at(root, path)
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _type_at(root: type[BaseModel], path: Sequence[str | int]) -> Any:
    """Return the type that stands at a JSON path, stripped of `Annotated` and `| None`; None where the path ends."""
    kind: Any = root
    for part in _json_path(path):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            fields = {info.alias or name: info.annotation for name, info in kind.model_fields.items()}
            kind = _bare(fields.get(str(part)))
        else:
            arguments = typing.get_args(kind)
            kind = _bare(arguments[-1 if typing.get_origin(kind) is dict else 0]) if arguments else None
    return kind


def _bare(kind: Any) -> Any:
    while typing.get_origin(kind) is typing.Annotated or isinstance(kind, types.UnionType):
        kind = next(part for part in typing.get_args(kind) if part is not types.NoneType)
    return kind
