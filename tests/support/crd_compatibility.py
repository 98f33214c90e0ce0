"""Whether objects that an old schema took are taken by a new one, and mean the same.

`python tests/support/crd_compatibility.py FILE` writes the present schema as the baseline to compare with.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labelplane_api import LabelingJob
from labelplane_api.crd import structural_schema

_LOWER_BOUNDS = ("minimum", "minLength", "minItems", "minProperties")
_UPPER_BOUNDS = ("maximum", "maxLength", "maxItems", "maxProperties")
_KEPT = ("type", "pattern", "format", "default", "x-kubernetes-list-type", "x-kubernetes-list-map-keys")


def complaints(old: dict[str, Any], new: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield what was removed or tightened between two structural schemas, with its path."""
    for key in _KEPT:
        if old.get(key) != new.get(key):
            yield f"{path}: {key} was {old.get(key)!r}, is {new.get(key)!r}"
    yield from _tightened(old, new, path)
    added = set(new.get("required", ())) - set(old.get("required", ()))
    yield from (f"{path}.{name}: is required now" for name in sorted(added))
    for name, inner in old.get("properties", {}).items():
        if name in new.get("properties", {}):
            yield from complaints(inner, new["properties"][name], f"{path}.{name}")
        else:
            yield f"{path}.{name}: was removed"
    for key in ("items", "additionalProperties"):
        if key in old:
            yield from complaints(old[key], new.get(key, {}), f"{path}[]")


def _tightened(old: dict[str, Any], new: dict[str, Any], path: str) -> Iterator[str]:
    for key in _LOWER_BOUNDS:
        if key in new and (key not in old or new[key] > old[key]):
            yield f"{path}: {key} rose from {old.get(key)} to {new[key]}"
    for key in _UPPER_BOUNDS:
        if key in new and (key not in old or new[key] < old[key]):
            yield f"{path}: {key} fell from {old.get(key)} to {new[key]}"
    for key in ("exclusiveMinimum", "exclusiveMaximum"):
        if new.get(key) and not old.get(key):
            yield f"{path}: {key} is new"
    if "enum" in new:
        lost = [value for value in old.get("enum", ["anything"]) if value not in new["enum"]]
        yield from (f"{path}: {value} is not taken any more" for value in lost)
    rules = {rule["rule"] for rule in old.get("x-kubernetes-validations", ())}
    for rule in new.get("x-kubernetes-validations", ()):
        if rule["rule"] not in rules:
            yield f"{path}: a rule is new or was changed: {rule['message']}"


def without_words(schema: Any) -> Any:
    """Return a schema without its descriptions, as a baseline keeps it."""
    if isinstance(schema, list):
        return [without_words(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    is_schema = isinstance(schema.get("type"), str)
    return {key: without_words(inner) for key, inner in schema.items() if not (is_schema and key == "description")}


def main() -> None:
    """Write the present schema as a baseline, one keyword a line so that a difference can be read."""
    schema = without_words(structural_schema(LabelingJob))
    Path(sys.argv[1]).write_text(json.dumps(schema, indent=1) + "\n")


if __name__ == "__main__":
    main()
