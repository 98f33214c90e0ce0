"""The contract as people read it: the OpenAPI document in tables, a pure function of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from labelplane_review.web.contract import OPERATIONS, Operation, problems_of

__all__ = ["contract_tables"]

_RIGHTS: Final = {
    "anybody": "everybody who came in",
    "annotator": "everybody who may label",
    "adjudicator": "the owner, and people with review.people[].adjudicator",
    "owner": "the owner alone",
}


def contract_tables(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page of the contract shows, from the OpenAPI document."""
    schemas = document["components"]["schemas"]
    sent = _named_in([schemas[each.sent.__name__] for each in OPERATIONS if each.method == "POST"])
    shown = {each.sent.__name__ for each in OPERATIONS} | {each.answer.__name__ for each in OPERATIONS}
    return {
        "about": document["info"]["description"],
        "rights": _RIGHTS,
        "operations": [_operation(each, document) for each in OPERATIONS],
        "models": [
            {"title": name, "fields": list(_fields(schema)), "is_sent": name in sent}
            for name, schema in sorted(schemas.items())
            if name not in shown
        ],
    }


def _named_in(schemas: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the types that fields of these hold lists of."""
    items = (field.get("items", {}) for schema in schemas for field in schema.get("properties", {}).values())
    return {_type(each) for each in items if "$ref" in each}


def _operation(operation: Operation, document: Mapping[str, Any]) -> dict[str, Any]:
    described = document["paths"][operation.path][operation.method.lower()]
    schemas = document["components"]["schemas"]
    sent = (
        _fields(schemas[operation.sent.__name__])
        if "requestBody" in described
        else (_parameter(each) for each in described["parameters"] if each["in"] == "query")
    )
    return {
        "name": operation.name,
        "method": operation.method,
        "path": operation.path,
        "summary": operation.summary,
        "right": operation.right.value,
        "problems": problems_of(operation),
        "parts": [
            {"title": "Body" if "requestBody" in described else "Query", "fields": list(sent)},
            {"title": "Answer", "fields": list(_fields(schemas[operation.answer.__name__]))},
        ],
    }


def _fields(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    needed = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        yield _field(name, inner, is_needed=name in needed)


def _parameter(parameter: Mapping[str, Any]) -> dict[str, Any]:
    return _field(parameter["name"], parameter["schema"], is_needed=parameter["required"])


def _field(name: str, schema: Mapping[str, Any], *, is_needed: bool) -> dict[str, Any]:
    return {"name": name, "type": _type(schema), "needed": is_needed, "words": schema.get("description", "")}


def _type(schema: Mapping[str, Any]) -> str:
    """Return a schema's type in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[-1])
    if "anyOf" in schema:
        return " or ".join(_type(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema['items'])}"
    return str(schema.get("format") or schema.get("type", "anything"))
