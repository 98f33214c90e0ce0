"""The reference page of `LabelingJob`: one section a type, one row a field, from the same descriptions as the CRD."""

import types
import typing
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final

from pydantic.fields import FieldInfo

from labelplane_api.job import API_VERSION, KIND, LabelingJobSpec
from labelplane_api.metadata import ObjectMeta
from labelplane_api.schema import ApiModel
from labelplane_api.status import LabelingJobStatus

_WORDS: Final = {str: "text", int: "whole number", float: "number", bool: "true or false"}

_HEAD: Final = f"""<!-- Written by `make generate` from operator/labelplane_api; do not edit. -->

# {KIND}

`{API_VERSION}`, short name `lpj`; in full `labelingjobs.labelplane.io`, since another project has a kind of this name
too. The same fields stand in a job file and on a cluster. `kubectl explain lpj.spec --recursive` shows them there.

A field without a default is required. "Immutable" means: make a new job for another value.
"""


def reference_page() -> str:
    """Return the page as Markdown."""
    parts = [_HEAD]
    for title, root in (("Spec", LabelingJobSpec), ("Status", LabelingJobStatus)):
        parts.append(f"## {title}\n")
        parts += [_section(model) for model in dict.fromkeys(_types_below(root))]
    return "\n".join(parts)


def _types_below(model: type[ApiModel]) -> Iterator[type[ApiModel]]:
    yield model
    for info in model.model_fields.values():
        for inner in _models_in(info.annotation):
            if not issubclass(inner, ObjectMeta):
                yield from _types_below(inner)


def _models_in(kind: Any) -> Iterator[type[ApiModel]]:
    if isinstance(kind, type) and issubclass(kind, ApiModel):
        yield kind
    for part in typing.get_args(kind):
        yield from _models_in(part)


def _section(model: type[ApiModel]) -> str:
    lines = [
        f"### {model.__name__}",
        "",
        (model.__doc__ or "").strip(),
        "",
        "| field | type | what |",
        "| --- | --- | --- |",
    ]
    lines += [_row(info.alias or name, info) for name, info in model.model_fields.items()]
    rules = [rule.message for rule in model.checks] + [rule.message for rule in model.transitions]
    if rules:
        lines += ["", "Rules:", "", *(f"- {_escaped(message)}" for message in dict.fromkeys(rules))]
    return "\n".join(lines) + "\n"


def _row(name: str, info: FieldInfo) -> str:
    what = (info.description or "").removeprefix(f"{name} ")
    return f"| `{name}` | {_kind(info.annotation)} | {_escaped(what)} |"


def _kind(annotation: Any) -> str:
    if typing.get_origin(annotation) is typing.Annotated:
        return _kind(typing.get_args(annotation)[0])
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return _kind(next(part for part in typing.get_args(annotation) if part is not types.NoneType))
    if typing.get_origin(annotation) is typing.Literal:
        return " or ".join(
            f"`{str(value).lower() if value is True else value}`" for value in typing.get_args(annotation)
        )
    if typing.get_origin(annotation) is tuple:
        return f"list of {_kind(typing.get_args(annotation)[0])}"
    if typing.get_origin(annotation) is dict:
        return f"map of {_kind(typing.get_args(annotation)[1])}"
    return _plain_kind(annotation)


def _plain_kind(annotation: Any) -> str:
    if annotation is Any:
        return "anything"
    if issubclass(annotation, ApiModel):
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    if issubclass(annotation, Enum):
        return ", ".join(f"`{member.value}`" for member in annotation)
    return _WORDS.get(annotation, "time")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
