"""From the types to a structural schema: what the API server understands of OpenAPI, with the rules as CEL.

pydantic's JSON schema is rewritten: references are put in place, "or null" goes (the API server takes null for absent),
exclusive bounds become OpenAPI's, bounds of a map's keys become CEL. Anything else raises with the field's path, so
that no limit of a type is lost on the way to the cluster.

Two groups are special. The status has no defaults, since only labelplane writes it. A type that keeps unknown fields
(`podOverrides`) is one open object; the operator checks it.
"""

import typing
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from labelplane_api.errors import SchemaError
from labelplane_api.metadata import ObjectMeta
from labelplane_api.rules import Rule, TransitionRule
from labelplane_api.schema import ApiModel

Schema = dict[str, Any]

_KEPT: Final = (
    "type",
    "description",
    "default",
    "enum",
    "format",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "required",
)
_EXTENSION: Final = "x-kubernetes-"
_OPEN: Final = "x-kubernetes-preserve-unknown-fields"
_VALIDATIONS: Final = "x-kubernetes-validations"
_ENVELOPE: Final = frozenset({"apiVersion", "kind", "metadata"})
_NULL: Final[Schema] = {"type": "null"}


def structural_schema(model: type[ApiModel]) -> Schema:
    """Return the structural schema of a type of objects, references put in place.

    Raises:
        SchemaError: a field says what a structural schema cannot; names its path.
    """
    schema = model.model_json_schema(by_alias=True)
    models = {found.__name__: found for found in _reachable(model)}
    converter = _Converter(definitions=schema.get("$defs", {}), models=models)
    converted = converter.object_of(model, schema, "")
    for name in _ENVELOPE & converted["properties"].keys():
        # The API server checks these itself, and takes few words about them.
        said = converted["properties"][name]
        converted["properties"][name] = {key: said[key] for key in ("type", "properties") if key in said}
    return converted


def _reachable(model: type[ApiModel]) -> Iterator[type[ApiModel]]:
    yield model
    for info in model.model_fields.values():
        for inner in _models_in(info.annotation):
            yield from _reachable(inner)


def _models_in(kind: Any) -> Iterator[type[ApiModel]]:
    if isinstance(kind, type) and issubclass(kind, ApiModel):
        yield kind
    for part in typing.get_args(kind):
        yield from _models_in(part)


def _has_defaults(model: type[BaseModel]) -> bool:
    # Types that read newer versions' fields are those of the status.
    return model.model_config.get("extra") != "ignore"


class _Converter:
    """Rewrites the JSON schema of one root type."""

    def __init__(self, *, definitions: Mapping[str, Schema], models: Mapping[str, type[ApiModel]]) -> None:
        self._definitions = definitions
        self._models = models

    def object_of(self, model: type[ApiModel], schema: Schema, path: str) -> Schema:
        """Convert the schema of a type, with its rules."""
        if issubclass(model, ObjectMeta):
            # The API server keeps metadata itself; only its name may be spoken about.
            return {"type": "object", "properties": {"name": {"type": "string"}}}
        if schema.get(_OPEN):
            return {"description": schema["description"], "type": "object", _OPEN: True}
        for key in schema.keys() - {"$defs", "title", "additionalProperties", "properties", *_KEPT}:
            raise SchemaError(path, f"a structural schema does not know {key} of an object")
        fields = {info.alias or name: info for name, info in model.model_fields.items()}
        properties = {
            name: self._field(
                fields[name], inner, f"{path}.{name}".removeprefix("."), with_default=_has_defaults(model)
            )
            for name, inner in schema["properties"].items()
        }
        converted = {"description": schema["description"], "type": "object", "properties": properties}
        if "required" in schema:
            converted["required"] = sorted(schema["required"])
        _add_rules(converted, model, path)
        return converted

    def _field(self, info: FieldInfo, schema: Schema, path: str, *, with_default: bool) -> Schema:
        converted = self._value(schema, path)
        made = info.default_factory
        if not with_default:
            converted.pop("default", None)
        elif isinstance(made, type) and issubclass(made, ApiModel) and _has_defaults(made):
            # Written out, since the API server checks a default by the group's rules before it fills in more.
            fields = converted.get("properties", {})
            converted["default"] = {name: inner["default"] for name, inner in fields.items() if "default" in inner}
        return converted

    def _value(self, schema: Schema, path: str) -> Schema:
        if "$ref" in schema:
            return self._referred(schema, path)
        if "anyOf" in schema:
            return self._value(_without_null(schema, path), path)
        converted: Schema = {}
        for key, value in sorted(schema.items(), key=lambda entry: _order(entry[0])):
            self._take(converted, key, value, path)
        if "type" not in converted:
            raise SchemaError(path, "a structural schema wants one type: give the field one")
        if converted["type"] == "integer":
            converted["format"] = "int64"
        return converted

    def _referred(self, schema: Schema, path: str) -> Schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        target = self._definitions[name]
        if name in self._models:
            converted = self.object_of(self._models[name], target, path)
        else:
            converted = self._value(target, path)
        # What is said of the field says more than what is said of its type.
        return {**converted, **dict(self._siblings(rest, path))}

    def _siblings(self, rest: Schema, path: str) -> Iterator[tuple[str, Any]]:
        for key, value in rest.items():
            if key not in ("description", "default", "title"):
                raise SchemaError(path, f"{key} beside a reference has no place in a structural schema")
            if key == "description" or (key == "default" and value is not None):
                yield key, value

    def _take(self, converted: Schema, key: str, value: Any, path: str) -> None:
        """Put one keyword of JSON schema into the structural one."""
        if key == "title" or (key == "default" and value is None):
            return
        if key in _KEPT or key.startswith(_EXTENSION):
            converted[key] = value
        elif key == "const":
            converted["enum"] = [value]
        elif key in ("exclusiveMinimum", "exclusiveMaximum"):
            converted[key.replace("exclusiveM", "m")] = value
            converted[key] = True
        elif key == "items":
            converted["items"] = self._value(value, f"{path}[]")
        elif key == "additionalProperties" and isinstance(value, dict):
            converted[key] = self._value(value, f"{path}[]")
        elif key == "additionalProperties" and value is True:
            converted[_OPEN] = True
        elif key == "propertyNames":
            self._take_key_bounds(converted, value, path)
        else:
            raise SchemaError(path, f"a structural schema does not know {key}: say it by a rule, or not at all")

    def _take_key_bounds(self, converted: Schema, bounds: Schema, path: str) -> None:
        if "$ref" in bounds:
            bounds = self._definitions[bounds["$ref"].rsplit("/", 1)[1]]
        terms = [term for key, value in bounds.items() for term in _key_terms(key, value, path)]
        if terms:
            message = f"a key is not allowed: {_key_text(bounds)}"
            converted[_VALIDATIONS] = [{"rule": f"self.all(key, {' && '.join(terms)})", "message": message}]


def _order(key: str) -> int:
    return (*_KEPT, "exclusiveMinimum", "exclusiveMaximum").index(key) if key in _KEPT else len(_KEPT)


def _without_null(schema: Schema, path: str) -> Schema:
    options = [option for option in schema["anyOf"] if option != _NULL]
    if len(options) != 1:
        raise SchemaError(path, "a structural schema knows no alternatives: take optional members and exactly_one")
    return {**{key: value for key, value in schema.items() if key != "anyOf"}, **options[0], **_described(schema)}


def _described(schema: Schema) -> Schema:
    return {"description": schema["description"]} if "description" in schema else {}


def _key_terms(key: str, value: Any, path: str) -> Iterator[str]:
    if key == "minLength":
        yield f"key.size() >= {value}"
    elif key == "maxLength":
        yield f"key.size() <= {value}"
    elif key == "enum":
        names = ", ".join(f"'{name}'" for name in value)
        yield f"key in [{names}]"
    elif key not in ("title", "description", "type"):
        raise SchemaError(path, f"{key} of a map's keys is not said in CEL yet")


def _key_text(bounds: Schema) -> str:
    if "enum" in bounds:
        return f"take one of {', '.join(bounds['enum'])}"
    least = bounds.get("minLength", 0)
    return f"give it {least} to {bounds['maxLength']} characters"


def _add_rules(converted: Schema, model: type[ApiModel], path: str) -> None:
    validations = []
    for rule in model.checks:
        _property(converted, rule.field, path).update(rule.extension)
        if rule.cel is not None:
            validations.append(_validation(rule, rule.cel))
    validations += [_validation(rule, rule.cel) for rule in model.transitions]
    if validations:
        converted[_VALIDATIONS] = validations


def _validation(rule: Rule | TransitionRule, cel: str) -> Schema:
    field = {"fieldPath": f".{rule.field}"} if rule.field else {}
    return {"rule": cel, "message": rule.message, **field}


def _property(converted: Schema, field: str, path: str) -> Schema:
    """Return the schema of a field by its dotted name; the object's own for no name."""
    schema = converted
    for name in field.split(".") if field else ():
        if name not in schema.get("properties", {}):
            raise SchemaError(f"{path}.{field}".removeprefix("."), "a rule names this field, but there is none")
        schema = schema["properties"][name]
    return schema
