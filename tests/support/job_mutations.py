"""Jobs that are just inside or just outside of what the types allow, drawn along the structural schema."""

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from job_strategies import manifests

from labelplane_api import LabelingJob
from labelplane_api.crd import structural_schema

Path = tuple[str | int, ...]

_SPEC = structural_schema(LabelingJob)["properties"]["spec"]
# An open group (podOverrides) is checked by the types alone.
_CLOSED_GROUPS = sorted(
    name for name, schema in _SPEC["properties"].items() if "properties" in schema or "enum" in schema
)
_STRANGE_TEXTS = (
    *("", " ", "x", "x ", "\xa0x", "x\n", "é", "日本", "A.b-c", "1"),
    *("a:b", "s3://b/p", "s3://B", "a/../b", "https://h", "https://h/a b", "h:1"),
)
_STRANGE_VALUES: tuple[Any, ...] = (
    *(None, "", "text", True, False, [], {}, [1], {"a": 1}),
    *(0, 1, -1, 0.5, 1.0, 1e300, 2**40),
)
_REMOVED = object()


@st.composite
def nearly_valid_manifests(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a valid job with none to three changes, each of one field of the spec."""
    manifest = draw(manifests())
    for _ in range(draw(st.integers(0, 3))):
        spec = manifest["spec"]
        # The first choice is of the group, so that large groups do not take all.
        group = draw(st.sampled_from(_CLOSED_GROUPS))
        places = [(path, schema) for path, schema in _places(_SPEC, spec, ()) if path[0] == group]
        path, schema = draw(st.sampled_from(places))
        manifest = {**manifest, "spec": _changed(spec, path, draw(_values(schema, _at(spec, path))))}
    return manifest


def _places(schema: dict[str, Any], value: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield every field that stands or could stand in an object, with its schema."""
    if isinstance(value, dict):
        for name, inner in schema.get("properties", {}).items():
            yield (*path, name), inner
            yield from _places(inner, value.get(name), (*path, name))
        for name in value.keys() if "additionalProperties" in schema else ():
            yield (*path, name), schema["additionalProperties"]
    if isinstance(value, list) and "items" in schema:
        for number, entry in enumerate(value):
            yield (*path, number), schema["items"]
            yield from _places(schema["items"], entry, (*path, number))


def _values(schema: dict[str, Any], present: Any) -> st.SearchStrategy[Any]:
    choices: list[Any] = [_REMOVED, *_STRANGE_VALUES, *_near(schema)]
    if isinstance(present, dict):
        choices += [{**present, "unknown": 1}]
    if isinstance(present, list) and present:
        choices += [[*present, present[0]], present[1:], list(reversed(present))]
    return st.sampled_from(choices)


def _near(schema: dict[str, Any]) -> list[Any]:
    """Return values about the bounds of a schema."""
    near: list[Any] = [*schema.get("enum", ())]
    for key in ("minimum", "maximum"):
        if key in schema:
            near += [schema[key], schema[key] - 1, schema[key] + 1, schema[key] + 0.25]
    if schema["type"] == "string":
        near += _STRANGE_TEXTS
        for length in (schema.get("maxLength"), schema.get("minLength")):
            near += ["a" * length, "a" * (length + 1), "é" * length] if length is not None else []
    if schema["type"] == "array" and schema["items"]["type"] == "string":
        near += [[f"v{number}" for number in range(count)] for count in (1, schema["maxItems"], schema["maxItems"] + 1)]
    if "additionalProperties" in schema:
        near += [{"": "x"}, {"a" * 128: "x"}, {"a" * 129: "x"}, {"a": 0.5}, {"a": 2}, {"a": None}]
    return near


def _at(spec: Any, path: Path) -> Any:
    for part in path:
        if isinstance(spec, dict):
            spec = spec.get(part)
        elif isinstance(spec, list) and isinstance(part, int):
            spec = spec[part]
    return spec


def _changed(spec: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    changed: Any = copy.deepcopy(spec)
    holder = changed
    for part in path[:-1]:
        holder = holder[part]
    if value is not _REMOVED:
        holder[path[-1]] = value
    elif isinstance(holder, list) or path[-1] in holder:
        del holder[path[-1]]
    return dict(changed)
