"""The contract as an OpenAPI document: a pure function of the operations and their types."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from labelplane_review.web.contract import OPERATIONS, ErrorCase, Operation, Right, problems_of
from labelplane_review.web.messages import Failure

__all__ = ["openapi_document"]

_REF: Final = "#/components/schemas/{model}"
_JSON: Final = "application/json"
_VERSION: Final = "1.0.0"
"""Of the contract: a field more raises the second number, anything else that clients see the first and the path."""
_ABOUT: Final = (
    "Any tool that people label with can take a job's tasks and bring its votes. Every error has a reason, a constant "
    "for programs, and a message for people. 503 passes by itself: send the call again, it counts once. Other answers "
    "from 500 on are failures, and may be sent again, too. On a cluster the token is one of the API server, 401 is "
    "also NotSignedIn or ForgedHeader, and 403 is NotAllowed: RBAC says who may call what."
)
_JOB: Final = "The job's name; on a cluster NAMESPACE/NAME, with the slash as it is."
_RIGHTS: Final = {
    Right.ANYBODY: "For everybody who came in.",
    Right.ANNOTATOR: "For everybody who may label.",
    Right.ADJUDICATOR: "For the owner, and for people with review.people[].adjudicator.",
    Right.OWNER: "For the owner alone.",
}


def openapi_document() -> dict[str, Any]:
    """Return the contract as OpenAPI 3.1."""
    sent = [(each.sent, "validation") for each in OPERATIONS if each.method == "POST"]
    answered = [(each.answer, "serialization") for each in OPERATIONS]
    _, schemas = models_json_schema([*sent, *answered, (Failure, "serialization")], ref_template=_REF)  # type: ignore[list-item]
    return {
        "openapi": "3.1.0",
        "info": {"title": "labelplane review", "version": _VERSION, "description": _ABOUT},
        "security": [{"token": []}, {"cookie": []}],
        "paths": {each.path: {each.method.lower(): _operation(each)} for each in OPERATIONS},
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The last part of the owner's link, http://host/enter/TOKEN.",
                },
                "cookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "labelplane_*",
                    "description": "What a browser gets that has opened a link.",
                },
            },
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    document: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": _RIGHTS[operation.right],
        "parameters": list(_parameters(operation)),
        "responses": {
            "200": {"description": "Done.", "content": _content(operation.answer.__name__)},
            **_failures(problems_of(operation)),
        },
    }
    if operation.method == "POST":
        document["requestBody"] = {"required": True, "content": _content(operation.sent.__name__)}
    return document


def _parameters(operation: Operation) -> Iterable[dict[str, Any]]:
    if operation.is_of_a_job:
        yield {"name": "job", "in": "path", "required": True, "description": _JOB, "schema": {"type": "string"}}
    if operation.method == "GET":
        query = operation.sent.model_json_schema()
        for name, schema in query.get("properties", {}).items():
            is_required = name in query.get("required", ())
            yield {"name": name, "in": "query", "required": is_required, "schema": schema}


def _failures(problems: Iterable[ErrorCase]) -> dict[str, Any]:
    """Return the failures by their status, each reason with its words."""
    ordered = sorted(problems, key=lambda each: each.status)
    return {
        str(status): {
            "description": " ".join(f"{each.reason}: {each.words}" for each in cases),
            "content": _content(Failure.__name__),
            "x-reasons": [each.reason for each in cases],
        }
        for status, cases in ((status, list(group)) for status, group in groupby(ordered, lambda each: each.status))
    }


def _content(model: str) -> dict[str, Any]:
    return {_JSON: {"schema": {"$ref": _REF.format(model=model)}}}
