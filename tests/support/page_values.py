"""Whether a JSON value is what an OpenAPI schema says, as far as our schemas say it."""

from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def conforms(value: Any, schema: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a value, each with its path; a field that is not in the schema is wrong, too."""
    return list(_wrong(value, schema, document["components"]["schemas"], "$"))


def _wrong(value: Any, schema: Mapping[str, Any], models: Mapping[str, Any], path: str) -> Iterator[str]:
    if "$ref" in schema:
        yield from _wrong(value, models[schema["$ref"].rsplit("/", 1)[-1]], models, path)
        return
    if "anyOf" in schema:
        tries = [list(_wrong(value, each, models, path)) for each in schema["anyOf"]]
        if all(tries):
            yield f"{path}: none of {len(tries)} schemas: {tries[0][0]}"
        return
    kind = schema.get("type", "")
    if kind and (not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        yield f"{path}: {value!r} is no {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: {value!r} is none of {schema['enum']}"
    if kind == "array":
        for place, entry in enumerate(value):
            yield from _wrong(entry, schema["items"], models, f"{path}[{place}]")
    if kind == "object":
        yield from _wrong_fields(value, schema, models, path)


def _wrong_fields(
    value: Mapping[str, Any], schema: Mapping[str, Any], models: Mapping[str, Any], path: str
) -> Iterator[str]:
    fields = schema.get("properties", {})
    yield from (f"{path}.{name}: is missing" for name in schema.get("required", ()) if name not in value)
    for name, inner in value.items():
        if name in fields:
            yield from _wrong(inner, fields[name], models, f"{path}.{name}")
        else:
            yield f"{path}.{name}: is not documented"
