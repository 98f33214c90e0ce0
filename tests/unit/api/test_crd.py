"""The generated CRD: as committed, small enough, structural, and compatible with what was published before."""

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import pytest
import yaml
from api_types import MODELS
from crd_compatibility import complaints
from pydantic import Field

from labelplane_api import LabelingJob
from labelplane_api.crd import GENERATED, build_crd, crd_yaml, differing, reference_page, structural_schema
from labelplane_api.crd.__main__ import main
from labelplane_api.crd.definition import LARGEST_BYTES
from labelplane_api.errors import SchemaError
from labelplane_api.rules import Rule
from labelplane_api.schema import ApiModel, option

ROOT = Path(__file__).resolve().parents[3]
BASELINE = Path(__file__).parent / "data" / "v1alpha1.schema.json"
SCHEMA = structural_schema(LabelingJob)


def test_the_committed_files_are_those_of_the_types() -> None:
    assert list(differing(ROOT)) == []


def test_the_command_writes_what_it_then_finds_equal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check", "--root", str(tmp_path)]) == 1
    assert "manifests/crd/labelplane.io_labelingjobs.yaml differs" in capsys.readouterr().err

    assert main(["--root", str(tmp_path)]) == 0

    assert main(["--check", "--root", str(tmp_path)]) == 0
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*") if path.is_file()} == set(GENERATED)


def test_the_crd_fits_into_an_annotation() -> None:
    assert len(crd_yaml().encode()) < LARGEST_BYTES


def test_the_text_is_the_definition() -> None:
    assert yaml.safe_load(crd_yaml()) == build_crd()


def test_names_columns_and_the_status_subresource_are_said() -> None:
    spec = build_crd()["spec"]
    version = spec["versions"][0]

    assert spec["names"]["shortNames"] == ["lpj"]
    assert spec["names"]["categories"] == ["labelplane"]
    assert version["subresources"] == {"status": {}}
    columns = [column["name"] for column in version["additionalPrinterColumns"]]
    assert columns == ["Stage", "Round", "Labelled", "Quality", "Cost", "Age"]


def _nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from _nodes(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from _nodes(schema[key], f"{path}[]")


def test_every_node_is_structural() -> None:
    for path, node in _nodes(SCHEMA):
        assert isinstance(node.get("type"), str), path
        assert not {"$ref", "anyOf", "oneOf", "allOf", "not", "nullable", "title", "const"} & node.keys(), path
        assert not ("properties" in node and "additionalProperties" in node), path
        assert node.get("uniqueItems") is None, path


def test_every_string_list_and_map_has_a_maximum() -> None:
    for path, node in _nodes(SCHEMA):
        bounded = {"string": {"maxLength", "enum", "format"}, "array": {"maxItems"}}.get(node["type"], set())
        bounded = {"maxProperties"} if "additionalProperties" in node else bounded
        # The API server checks these three itself.
        if bounded and path not in (".apiVersion", ".kind", ".metadata.name"):
            assert bounded & node.keys(), path


def test_every_field_of_the_spec_is_described() -> None:
    for path, node in _nodes(SCHEMA):
        if path.startswith((".spec", ".status")) and not path.endswith("[]"):
            assert node["description"].split()[0].rstrip(",") == path.rsplit(".", 1)[1]


def test_lists_of_named_objects_are_maps() -> None:
    lists = {
        path: node for path, node in _nodes(SCHEMA) if node["type"] == "array" and node["items"]["type"] == "object"
    }

    assert lists
    assert [path for path, node in lists.items() if node.get("x-kubernetes-list-type") != "map"] == []


def test_every_rule_of_the_types_is_in_the_schema() -> None:
    written = {rule["rule"] for _, node in _nodes(SCHEMA) for rule in node.get("x-kubernetes-validations", ())}
    wanted = {rule.cel for model in MODELS for rule in (*model.checks, *model.transitions) if rule.cel is not None}

    assert wanted <= written


def test_a_group_that_is_left_out_gets_its_defaults_and_the_status_gets_none() -> None:
    spec = SCHEMA["properties"]["spec"]["properties"]

    assert spec["model"]["default"]["teacher"] == spec["model"]["properties"]["teacher"]["default"]
    assert spec["model"]["properties"]["teacher"]["default"]["epochs"] == 100
    assert spec["podOverrides"]["default"] == {}
    assert spec["model"]["properties"]["teacher"]["properties"]["epochs"]["default"] == 100
    assert spec["output"]["properties"]["formats"]["default"] == ["Csv", "Parquet"]
    assert [path for path, node in _nodes(SCHEMA) if path.startswith(".status") and "default" in node] == []


def test_pod_overrides_are_one_open_object() -> None:
    overrides = SCHEMA["properties"]["spec"]["properties"]["podOverrides"]

    assert overrides["x-kubernetes-preserve-unknown-fields"] is True
    assert "properties" not in overrides


def test_exclusive_bounds_are_flags() -> None:
    rate = SCHEMA["properties"]["spec"]["properties"]["model"]["properties"]["teacher"]["properties"]["learningRate"]

    assert (rate["minimum"], rate["exclusiveMinimum"], rate["maximum"]) == (0, True, 10)


class _Inner(ApiModel):
    """Something inside."""

    size: int | str = option("size is said in two ways.", 1)


class _Alternatives(ApiModel):
    """A field that is one of two types."""

    inner: _Inner = option("inner is inside.")


class _Tagged(ApiModel):
    """A field with a keyword that OpenAPI does not know."""

    size: Annotated[int, Field(json_schema_extra={"contentEncoding": "base64"})] = option("size is encoded.")


class _AnyKey(ApiModel):
    """A map whose keys match a pattern."""

    sizes: dict[Annotated[str, Field(pattern="^a$")], int] = option("sizes are by name.", max_length=3)


class _Unruled(ApiModel):
    """A rule about a field that is not there."""

    checks: ClassVar[tuple[Rule, ...]] = (Rule(field="gone", message="gone", check=lambda _: None, cel="true"),)


class _Typeless(ApiModel):
    """A field of any type."""

    thing: Any = option("thing is anything.")


@pytest.mark.parametrize(
    ("model", "want_error"),
    [
        pytest.param(_Alternatives, r"^inner.size: .*no alternatives.*exactly_one", id="alternatives"),
        pytest.param(_Tagged, r"^size: .*does not know contentEncoding", id="an unknown keyword"),
        pytest.param(_AnyKey, r"^sizes: .*does not know patternProperties", id="a pattern of keys"),
        pytest.param(_Unruled, r"^gone: a rule names this field", id="a rule about nothing"),
        pytest.param(_Typeless, r"^thing: .*wants one type", id="any type"),
    ],
)
def test_what_a_structural_schema_cannot_say_is_told_with_its_path(model: type[ApiModel], want_error: str) -> None:
    with pytest.raises(SchemaError, match=want_error):
        structural_schema(model)


class _Flag(ApiModel):
    """Something that is true or absent."""

    on: Literal[True] | None = option("on is true when it is set.", None)


def test_a_constant_is_an_enum_of_one() -> None:
    on = structural_schema(_Flag)["properties"]["on"]

    assert on["enum"] == [True]
    assert "default" not in on


def test_nothing_is_removed_or_tightened_within_the_version() -> None:
    baseline = json.loads(BASELINE.read_text())

    # Keep what is published or make a new version. After an addition, and until the first release, write the baseline
    # anew: python tests/support/crd_compatibility.py tests/unit/api/data/v1alpha1.schema.json
    assert list(complaints(baseline, SCHEMA)) == []


@pytest.mark.parametrize(
    ("path", "change", "want"),
    [
        pytest.param("spec.run.seed", None, ".spec.run.seed: was removed", id="a field is removed"),
        pytest.param("spec.run.seed", {"maximum": 1}, "maximum fell", id="a maximum falls"),
        pytest.param("spec.run.seed", {"minimum": 1}, "minimum rose", id="a minimum rises"),
        pytest.param("spec.run.seed", {"type": "string"}, "type was 'integer', is 'string'", id="another type"),
        pytest.param("spec.run.seed", {"default": 1}, "default was 0, is 1", id="another default"),
        pytest.param("spec.profile", {"enum": ["Auto", "Small"]}, "Distributed is not taken", id="a value is lost"),
        pytest.param("spec.run", {"required": ["seed"]}, ".spec.run.seed: is required now", id="a field is required"),
        pytest.param(
            "spec.run",
            {"x-kubernetes-validations": [{"rule": "false", "message": "no"}]},
            "a rule is new or was changed: no",
            id="a new rule",
        ),
    ],
)
def test_what_breaks_old_objects_is_found(path: str, change: dict[str, Any] | None, want: str) -> None:
    changed = copy.deepcopy(SCHEMA)
    *parents, last = path.split(".")
    properties = changed["properties"]
    for name in parents:
        properties = properties[name]["properties"]
    properties[last].update(change or {})
    if change is None:
        del properties[last]

    assert want in "; ".join(complaints(SCHEMA, changed))


def test_the_reference_page_names_every_field() -> None:
    page = reference_page()

    for model in MODELS:
        if model.__module__.startswith("labelplane_api.") and model.__name__ not in ("ObjectMeta", "LabelingJob"):
            for field in model.model_fields.values():
                assert f"| `{field.alias}` |" in page
    anchors = set(re.findall(r"^### (\w+)$", page, re.MULTILINE))
    assert set(re.findall(r"\]\(#(\w+)\)", page)) <= {anchor.lower() for anchor in anchors}
