"""What hack/chart-docs makes of the comments of values.yaml, and of the CRD."""

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from scripts import load_script

VALUES = """\
# What a file may begin with.
#
# @def size {type: object, properties: {width: {type: integer}}}

# @section First things

# How many,
# on two lines.
# @schema {minimum: 1}
replicas: 2
# A group.
group:
  # Names | of things.
  # @schema {items: {type: string}}
  names: []
  # Whether.
  switch: true

# @section Second things

# Any labels.
# @schema {additionalProperties: {type: string}}
labels:
  a: "1"
# A size.
# @schema {$ref: "#/$defs/size"}
size:
  width: 3
"""


@pytest.fixture(scope="module")
def chart_docs() -> ModuleType:
    return load_script("chart-docs")


@pytest.fixture
def schema(chart_docs: ModuleType) -> dict[str, Any]:
    made: dict[str, Any] = chart_docs.build_schema(chart_docs.read_values(VALUES))
    return made


def test_a_value_is_described_typed_and_bounded(schema: dict[str, Any]) -> None:
    want = {"description": "How many, on two lines.", "type": "integer", "minimum": 1, "default": 2}

    assert schema["properties"]["replicas"] == want


def test_a_group_takes_no_other_keys(schema: dict[str, Any]) -> None:
    assert schema["additionalProperties"] is False
    assert schema["properties"]["group"]["additionalProperties"] is False
    assert set(schema["properties"]["group"]["properties"]) == {"names", "switch"}


def test_a_map_of_any_keys_says_what_it_holds(schema: dict[str, Any]) -> None:
    assert schema["properties"]["labels"]["additionalProperties"] == {"type": "string"}
    assert "properties" not in schema["properties"]["labels"]


def test_a_named_schema_is_referred_to(schema: dict[str, Any]) -> None:
    assert schema["properties"]["size"]["$ref"] == "#/$defs/size"
    assert schema["$defs"]["size"]["properties"] == {"width": {"type": "integer"}}


def test_the_comment_on_top_of_the_file_is_no_documentation(schema: dict[str, Any]) -> None:
    assert "begin with" not in str(schema)


def test_the_readme_has_a_table_for_each_section(chart_docs: ModuleType) -> None:
    readme = chart_docs.build_readme("Before\n\n<!-- values -->\n", chart_docs.read_values(VALUES))

    assert readme == (
        "Before\n\n"
        "### First things\n\n"
        "| value | default | what it does |\n| --- | --- | --- |\n"
        "| `replicas` | `2` | How many, on two lines. |\n"
        "| `group.names` | `[]` | Names &#124; of things. |\n"
        "| `group.switch` | `true` | Whether. |\n\n"
        "### Second things\n\n"
        "| value | default | what it does |\n| --- | --- | --- |\n"
        '| `labels` | `{"a": "1"}` | Any labels. |\n'
        '| `size` | `{"width": 3}` | A size. |\n'
    )


@pytest.mark.parametrize(
    ("values", "want"),
    [
        pytest.param("a: 1\n", "values.yaml:1: a has no comment: say above it what it does", id="no comment"),
        pytest.param(
            "# Group.\na:\n  # One.\n  b: 1\n\n  c: 2\n", "values.yaml:6: a.c has no comment", id="none inside a group"
        ),
        pytest.param("# Names.\na: []\n", "values.yaml:2: a is a list: say with @schema items", id="an open list"),
        pytest.param("# Labels.\na: {}\n", "values.yaml:2: a is empty: say with @schema", id="an open map"),
        pytest.param("# One.\n# @schema {a: [\na: 1\n", "values.yaml:2: the schema is no YAML", id="half a fragment"),
        pytest.param("# One.\n# @schema minimum\na: 1\n", "values.yaml:2: the schema is no map", id="a bare word"),
        pytest.param("- 1\n", "values.yaml: the file is no map", id="a list"),
    ],
)
def test_what_is_not_documented_is_refused_with_its_line(chart_docs: ModuleType, values: str, want: str) -> None:
    with pytest.raises(chart_docs.ChartError) as refused:
        chart_docs.read_values(values)

    assert str(refused.value).startswith(want)


@pytest.mark.parametrize("template", ["", "<!-- values --> <!-- values -->"], ids=["no place", "two places"])
def test_the_table_needs_one_place(chart_docs: ModuleType, template: str) -> None:
    with pytest.raises(chart_docs.ChartError, match="must stand there once"):
        chart_docs.build_readme(template, chart_docs.read_values(VALUES))


def test_the_definition_becomes_a_template_in_which_nothing_else_is_one(chart_docs: ModuleType) -> None:
    crd = "# Generated.\nkind: X\nmetadata:\n  name: jobs.example.io\nspec:\n  text: a {{ b }}\n"

    assert chart_docs.build_crd_template(crd).splitlines()[1:] == [
        "{{- if .Values.crds.enabled }}",
        "kind: X",
        "metadata:",
        "  name: jobs.example.io",
        "  labels:",
        '    {{- include "labelplane.labels" . | nindent 4 }}',
        "  {{- if .Values.crds.keep }}",
        "  annotations:",
        "    helm.sh/resource-policy: keep",
        "  {{- end }}",
        "spec:",
        '  text: a {{ "{{" }} b }}',
        "{{- end }}",
    ]


def test_a_definition_without_a_name_is_refused(chart_docs: ModuleType) -> None:
    with pytest.raises(chart_docs.ChartError, match="metadata must begin with the name"):
        chart_docs.build_crd_template("kind: X\nmetadata:\n  labels: {}\n")


def test_a_check_writes_nothing_and_fails_on_a_difference(
    chart_docs: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "README.md"
    path.write_text("old")

    assert chart_docs.main(["--check"], lambda: {path: "new"}) == 1
    assert path.read_text() == "old"
    assert capsys.readouterr().err == f"{path} differs\n"

    assert chart_docs.main([], lambda: {path: "new"}) == 0
    assert path.read_text() == "new"
    assert chart_docs.main(["--check"], lambda: {path: "new"}) == 0


def test_values_that_cannot_be_read_are_one_line_and_code_2(
    chart_docs: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chart_docs.main([], lambda: chart_docs.read_values("a: 1\n")) == 2
    assert capsys.readouterr().err == "values.yaml:1: a has no comment: say above it what it does\n"


def test_the_committed_files_are_what_the_values_give(chart_docs: ModuleType) -> None:
    stale = [path.name for path, text in chart_docs.build_files().items() if path.read_text(encoding="utf-8") != text]

    assert stale == []
