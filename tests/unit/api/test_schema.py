"""The descriptions that `kubectl explain` shows and the bounds that CEL costs need, for every field of every type."""

from collections.abc import Iterator
from enum import Enum
from typing import Any

import pytest
from api_types import MODELS
from pydantic_core import PydanticUndefined

from labelplane_api import LabelingJob
from labelplane_api.metadata import ObjectMeta
from labelplane_api.running import PodOverride
from labelplane_api.schema import ApiModel, Change

FIELDS = [pytest.param(model, name, id=f"{model.__name__}.{name}") for model in MODELS for name in model.model_fields]


@pytest.mark.parametrize(("model", "name"), FIELDS)
def test_a_description_begins_with_the_json_name_and_states_the_default(model: type[ApiModel], name: str) -> None:
    field = model.model_fields[name]
    description = field.description or ""

    assert description.split()[0].rstrip(",") == field.alias
    default = field.default.value if isinstance(field.default, Enum) else field.default
    if default is PydanticUndefined and field.default_factory is None:
        assert "Required." in description
    elif isinstance(default, bool):
        assert f"Default {str(default).lower()}." in description
    elif isinstance(default, int | float | str):
        assert f"Default {default}." in description


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_immutable_fields_have_their_rule_and_say_so(model: type[ApiModel]) -> None:
    said = {field.alias for field in model.model_fields.values() if Change.NEVER.value in (field.description or "")}
    ruled = {rule.field for rule in model.transitions if "cannot change" in rule.message}

    # Kubernetes itself keeps metadata, kind and version.
    if model not in (ObjectMeta, LabelingJob):
        assert said == ruled


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_type_says_what_it_is(model: type[ApiModel]) -> None:
    assert (model.__doc__ or "").strip().endswith(".")


def test_every_string_list_and_map_has_a_maximum() -> None:
    schema = LabelingJob.model_json_schema(by_alias=True)

    assert list(_unbounded(schema["$defs"], "")) == []


def test_every_number_of_the_spec_has_a_maximum() -> None:
    schema = LabelingJob.model_json_schema(by_alias=True)["$defs"]
    spec_types = {name: schema[name] for name in schema if name not in _STATUS_TYPES}

    assert [where for where in _numbers_without_maximum(spec_types, "") if "tolerationSeconds" not in where] == []


_STATUS_TYPES = {
    model.__name__ for model in MODELS if model.model_config.get("extra") == "ignore" or model is ObjectMeta
}


def test_the_schema_leaves_room_in_a_crd() -> None:
    text = str(LabelingJob.model_json_schema(by_alias=True))

    assert len(text) < 150_000


def test_pod_overrides_allow_what_the_design_lists_and_nothing_else() -> None:
    assert {field.alias for field in PodOverride.model_fields.values()} == {
        "resources",
        "nodeSelector",
        "tolerations",
        "affinity",
        "labels",
        "env",
        "priorityClassName",
        "runtimeClassName",
    }


def _unbounded(node: Any, where: str) -> Iterator[str]:
    bounds = {
        "string": {"maxLength", "enum", "const", "format"},
        "array": {"maxItems"},
        "object": {"maxProperties", "properties"},
    }
    yield from _without(node, where, bounds)


def _numbers_without_maximum(node: Any, where: str) -> Iterator[str]:
    yield from _without(node, where, {kind: {"maximum", "exclusiveMaximum"} for kind in ("integer", "number")})


def _without(node: Any, where: str, bounds: dict[str, set[str]]) -> Iterator[str]:
    if isinstance(node, list):
        for number, entry in enumerate(node):
            yield from _without(entry, f"{where}[{number}]", bounds)
    if not isinstance(node, dict):
        return
    kind = node.get("type")
    if isinstance(kind, str) and kind in bounds and not bounds[kind] & node.keys():
        yield where
    for key, inner in node.items():
        yield from _without(inner, f"{where}.{key}", bounds)
