import io
import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_tables import make_index, make_labels

from labelplane_core.errors import BadTable
from labelplane_core.tasks import TASK_KINDS
from labelplane_report import EXPORT_FORMATS, ExportFormat, export_format, export_table
from labelplane_report.errors import BadExport, UnknownExportFormat

FORMATS = sorted(EXPORT_FORMATS)
SCHEMA = pa.schema(
    [
        ("item", pa.string()),
        ("label", pa.string()),
        ("confidence", pa.float64()),
        ("state", pa.string()),
        ("n", pa.int64()),
    ]
)
NASTY = [
    "=1+1",
    '"quoted", and\nbroken\r\nlines',
    "",
    "ünïcødé 漢字 🐈",
    "null",
    "NaN",
    "007",
    "1e5",
    "true",
    " spaces ",
]


def made(table: pa.Table, name: str) -> bytes:
    sink = io.BytesIO()
    export_format(name).write(table, sink)
    return sink.getvalue()


@pytest.mark.parametrize("name", FORMATS)
def test_nasty_texts_and_missing_values_come_back(name: str) -> None:
    rows = [
        {"item": text, "label": "cat", "confidence": 1 / 3, "state": "human", "n": None if place % 2 else place}
        for place, text in enumerate(NASTY)
    ]
    rows.append({"item": None, "label": "dog", "confidence": 1.0, "state": "human", "n": 2**62})
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    assert export_format(name).read(io.BytesIO(made(table, name)), SCHEMA).equals(table)


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs", "Cc"])), st.floats(0, 1), st.integers(-(2**63), 2**63 - 1)
        ),
        max_size=20,
    ),
    st.sampled_from(FORMATS),
)
def test_every_table_comes_back(rows: list[tuple[str, float, int]], name: str) -> None:
    records = [{"item": t, "label": t, "confidence": c, "state": "human", "n": n} for t, c, n in rows]
    table = pa.Table.from_pylist(records, schema=SCHEMA)
    assert export_format(name).read(io.BytesIO(made(table, name)), SCHEMA).equals(table)


def test_rows_follow_the_index_and_carry_their_metadata() -> None:
    index = make_index(["a", "b", "c"], meta=['{"site": "x", "year": 2001}', "{}", '{"year": 2002.5, "tags": [1]}'])
    labels = make_labels([("c", "dog", 0.5, "human"), ("a", "cat", 0.9, "predicted")])
    assert export_table(labels, index).to_pylist() == [
        {"item": "a", "label": "cat", "confidence": 0.9, "state": "predicted", "site": "x", "year": 2001, "tags": None},
        {"item": "c", "label": "dog", "confidence": 0.5, "state": "human", "site": None, "year": 2002.5, "tags": "[1]"},
    ]


def test_only_the_wanted_fields_are_added() -> None:
    index = make_index(["a"], meta=['{"site": "x", "year": 2001}'])
    table = export_table(make_labels([("a", "cat", 0.9, "human")]), index, metadata_fields=["year", "absent"])
    assert table.column_names == ["item", "label", "confidence", "state", "year", "absent"]
    assert table.column("absent").to_pylist() == [None]


def test_a_field_named_as_one_of_ours_keeps_apart() -> None:
    index = make_index(["a"], meta=['{"label": "theirs", "flag": true}'])
    row = export_table(make_labels([("a", "cat", 0.9, "human")]), index).to_pylist()[0]
    assert (row["label"], row["meta_label"], row["flag"]) == ("cat", "theirs", True)


def test_values_of_different_types_become_texts() -> None:
    index = make_index(["a", "b"], meta=['{"x": "word"}', '{"x": 3}'])
    labels = make_labels([("a", "cat", 0.9, "human"), ("b", "cat", 0.9, "human")])
    assert export_table(labels, index).column("x").to_pylist() == ["word", "3"]


@pytest.mark.parametrize(
    ("ids", "meta", "want"),
    [
        pytest.param(["b"], ["{}"], "item 'a' is not in the index", id="label without an item"),
        pytest.param(["a"], ["{broken"], "item 'a' are not JSON", id="broken metadata"),
        pytest.param(["a"], ["[1]"], "no object", id="metadata that are a list"),
    ],
)
def test_what_cannot_be_joined_names_the_item(ids: list[str], meta: list[str], want: str) -> None:
    with pytest.raises(BadTable, match=want):
        export_table(make_labels([("a", "cat", 0.9, "human")]), make_index(ids, meta=meta))


def test_no_labels_make_an_empty_table() -> None:
    table = export_table(make_labels([]), make_index(["a"]))
    assert (len(table), table.column_names) == (0, ["item", "label", "confidence", "state"])


def test_csv_keeps_a_formula_as_it_is_so_that_ids_join() -> None:
    table = pa.Table.from_pylist(
        [{"item": "=1+1", "label": "cat", "confidence": 1.0, "state": "human", "n": 1}], schema=SCHEMA
    )
    assert made(table, "csv").splitlines()[1] == b'"=1+1","cat",1,"human",1'


def test_jsonl_is_one_object_a_line() -> None:
    table = export_table(
        make_labels([("a\n", "cat", 0.5, "human"), ("b", "cat", 1.0, "human")]), make_index(["a\n", "b"])
    )
    assert [json.loads(line)["item"] for line in made(table, "jsonl").splitlines()] == ["a\n", "b"]


def test_jsonl_refuses_what_json_cannot_say_and_names_the_item() -> None:
    table = pa.Table.from_pylist(
        [{"item": "a", "label": "x", "confidence": float("nan"), "state": "human", "n": 1}], schema=SCHEMA
    )
    with pytest.raises(BadExport, match="item 'a'"):
        made(table, "jsonl")


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_of_something_else_is_refused(name: str) -> None:
    with pytest.raises(BadExport, match="not a"):
        export_format(name).read(io.BytesIO(b"something\nelse\n"), SCHEMA)


def test_formats_are_found_in_any_case_and_unknown_ones_are_listed() -> None:
    assert export_format("Csv").suffix == ".csv"
    with pytest.raises(UnknownExportFormat, match="'coco'; there are csv, jsonl, parquet"):
        export_format("coco")


def test_a_task_kind_adds_its_own_format() -> None:
    coco = ExportFormat("coco", ".json", EXPORT_FORMATS["jsonl"].write, EXPORT_FORMATS["jsonl"].read)
    assert export_format("COCO", formats={**EXPORT_FORMATS, "coco": coco}) is coco


def test_the_formats_of_every_task_kind_exist() -> None:
    assert {name for kind in TASK_KINDS for name in kind.export_formats} <= set(EXPORT_FORMATS)
