"""Tables of the data set: what is read, and what a user is told who wrote them wrongly."""

import io
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelplane_aggregation.columns import as_text, read_columns
from labelplane_aggregation.errors import BadDataset
from labelplane_core.errors import EmptyDataset


def parquet(**columns: list[object]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


TABLES = [
    pytest.param("a.csv", b"id,gold\n1,cat\n2,\n", id="csv"),
    pytest.param("a.csv", b"\xef\xbb\xbfid,gold\r\n1,cat\r\n2,\r\n", id="csv of a spreadsheet: byte order mark, CRLF"),
    pytest.param("a.CSV", b"id,gold\n1,cat\n2,", id="csv without a last line end"),
    pytest.param("a.jsonl", b'{"id": 1, "gold": "cat"}\n\n{"id": 2}\n', id="jsonl with a blank line and a missing key"),
    pytest.param("a.ndjson", b'\xef\xbb\xbf{"id": "1", "gold": "cat"}\n{"id": "2", "gold": null}', id="ndjson"),
    pytest.param("a.parquet", parquet(id=[1, 2], gold=["cat", None]), id="parquet"),
    pytest.param("a.parquet", parquet(id=[1.0, 2.0], gold=["cat", None]), id="parquet whose ids became floats"),
]


@pytest.mark.parametrize(("key", "data"), TABLES)
def test_every_format_gives_the_same_cells(key: str, data: bytes) -> None:
    columns = read_columns(data, key=key)
    assert columns.n_rows == 2
    assert [as_text(value) for value in columns["id"]] == ["1", "2"]
    assert [as_text(value) for value in columns["gold"]] == ["cat", ""]


@pytest.mark.parametrize(
    ("value", "want"),
    [(None, ""), (math.nan, ""), (3.0, "3"), (3.5, "3.5"), (0, "0"), (True, "True"), (" a ", " a ")],
)
def test_cell_is_read_as_text(value: object, want: str) -> None:
    assert as_text(value) == want


def test_csv_keeps_what_looks_like_null_or_a_number() -> None:
    columns = read_columns(b"id,text\n007,NA\n1e3,null\n", key="a.csv")
    assert columns["id"] == ["007", "1e3"]
    assert columns["text"] == ["NA", "null"]


def test_line_of_a_csv_row_counts_lines_inside_quotes() -> None:
    columns = read_columns(b'id,text\n1,"two\nlines"\n2,b\n', key="a.csv")
    assert columns.place(0) == "a.csv:3"
    assert columns.place(1) == "a.csv:4"


def test_line_of_a_jsonl_row_counts_blank_lines() -> None:
    assert read_columns(b'\n{"id": 1}\n\n{"id": 2}\n', key="a.jsonl").place(1) == "a.jsonl:4"


BROKEN = [
    pytest.param("a.csv", b"id,text\n1,b\n2\n", "a.csv: not a CSV file", id="row that is short of a cell"),
    pytest.param("a.csv", b"id,text\n1,\xff\xfe\n", "a.csv: not a CSV file in UTF-8", id="not utf-8"),
    pytest.param("a.csv", b"\xff\xfei\x00d\x00", "a.csv: not a CSV file in UTF-8", id="utf-16"),
    pytest.param("a.csv", b"id,id\n1,2\n", "column 'id' stands twice", id="two columns of one name"),
    pytest.param("a.jsonl", b'{"id": 1}\n{"id": ', "a.jsonl:2: not JSON", id="cut jsonl"),
    pytest.param("a.jsonl", b"[1]\n", "a.jsonl:1: a line must be a JSON object", id="jsonl of lists"),
    pytest.param("a.parquet", b"PAR1", "a.parquet: not a Parquet file", id="cut parquet"),
    pytest.param("a.xlsx", b"", "a.xlsx: a table ends in one of .csv", id="unknown ending"),
]


@pytest.mark.parametrize(("key", "data", "want"), BROKEN)
def test_broken_table_is_refused_with_its_place(key: str, data: bytes, want: str) -> None:
    with pytest.raises(BadDataset, match=r".") as caught:
        read_columns(data, key=key)
    assert want in str(caught.value)


@pytest.mark.parametrize(
    ("key", "data"), [("a.csv", b""), ("a.csv", b"id,text\n"), ("a.jsonl", b"\n"), ("a.parquet", parquet(id=[]))]
)
def test_table_without_rows_is_an_empty_data_set(key: str, data: bytes) -> None:
    with pytest.raises(EmptyDataset):
        read_columns(data, key=key)


def test_missing_column_names_those_there_are() -> None:
    columns = read_columns(b"id,text\n1,b\n", key="a.csv")
    with pytest.raises(BadDataset, match=r"a.csv: no column 'gold'; there are 'id', 'text'"):
        columns["gold"]
