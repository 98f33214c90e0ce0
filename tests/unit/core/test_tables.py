import io
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vote_tables import make_votes

from labelplane_core.errors import BadManifest, BadTable, SchemaVersion
from labelplane_core.tables import (
    ALL_SCHEMAS,
    INDEX,
    ITEM_ERRORS,
    LABELS,
    POSTERIORS,
    SCORES,
    TASKS,
    VOTES,
    TableManifest,
    TablePart,
    TableSchema,
    combine_digests,
    conform,
    from_matrix,
    read_table,
    table_digest,
    to_matrix,
    write_table,
)


def make_posteriors(n_rows: int = 5, *, n_classes: int = 3, seed: int = 0) -> pa.Table:
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(n_classes), n_rows)
    return pa.table(
        {
            "item_id": [f"item-{row}" for row in range(n_rows)],
            "answer": [f"class-{best}" for best in probabilities.argmax(axis=1)],
            "confidence": probabilities.max(axis=1),
            "probabilities": from_matrix(probabilities),
            "n_votes": pa.array(np.full(n_rows, 3), pa.int32()),
            "agreement": np.ones(n_rows),
        },
        schema=POSTERIORS.arrow,
    )


def make_scores(samples: list[list[float] | None]) -> pa.Table:
    n_rows = len(samples)
    return pa.table(
        {
            "item_id": [f"item-{row}" for row in range(n_rows)],
            "block": pa.array(range(n_rows), pa.int32()),
            "prediction": ["cat"] * n_rows,
            "logits": from_matrix(np.ones((n_rows, 2), np.float32)),
            "embedding": from_matrix(np.zeros((n_rows, 0), np.float32)),
            "samples": pa.array(samples, pa.list_(pa.float32())),
            **{name: pa.array(np.zeros(n_rows, np.float32)) for name in ("entropy", "margin", "least_confidence")},
        },
        schema=SCORES.arrow,
    )


@pytest.mark.parametrize("schema", ALL_SCHEMAS, ids=lambda schema: schema.name)
def test_empty_table_of_every_schema_survives_parquet_with_its_version(schema: TableSchema) -> None:
    data = write_table(schema.empty(), schema)

    table = read_table(data, schema, key="x")

    assert table.schema.equals(schema.arrow, check_metadata=True)
    assert table_digest(table, schema) == "0" * 64


def test_schema_names_are_unique() -> None:
    assert len({schema.name for schema in ALL_SCHEMAS}) == len(ALL_SCHEMAS)


def test_rows_survive_parquet_exactly() -> None:
    table = make_posteriors(1000)

    assert read_table(write_table(table, POSTERIORS), POSTERIORS, key="x").equals(table)


def test_equal_tables_give_equal_bytes() -> None:
    assert write_table(make_posteriors(), POSTERIORS) == write_table(make_posteriors(), POSTERIORS)


def test_columns_in_another_order_and_wider_types_are_put_right() -> None:
    table = make_posteriors()
    wide = table.set_column(4, "n_votes", table.column("n_votes").cast(pa.int64())).select(
        list(reversed(table.column_names))
    )

    assert conform(wide, POSTERIORS).equals(table)


@pytest.mark.parametrize(
    ("change", "want"),
    [
        pytest.param(lambda table: table.drop_columns(["answer"]), r"missing \['answer'\]", id="missing column"),
        pytest.param(
            lambda table: table.append_column("x", table.column("answer")), r"unknown \['x'\]", id="unknown column"
        ),
        pytest.param(lambda table: table.append_column("answer", table.column("answer")), "columns", id="column twice"),
        pytest.param(
            lambda table: table.set_column(2, "confidence", pa.array(["high"] * 5)),
            "'confidence' must be double",
            id="wrong type",
        ),
        pytest.param(
            lambda table: table.set_column(4, "n_votes", pa.array([2**40] * 5)),
            "'n_votes' must be int32",
            id="number too large",
        ),
        pytest.param(
            lambda table: table.set_column(1, "answer", pa.array([None, *"abcd"])),
            "'answer' must not hold nulls",
            id="null",
        ),
    ],
)
def test_table_that_does_not_fit_is_refused_with_key_and_column(change: Any, want: str) -> None:
    with pytest.raises(BadTable, match=want) as caught:
        conform(change(make_posteriors()), POSTERIORS, key="rounds/0001/x.parquet")

    assert "rounds/0001/x.parquet" in str(caught.value)


def test_table_of_another_schema_or_version_or_of_strangers_is_refused() -> None:
    newer = TableSchema("posteriors", 2, POSTERIORS.columns)
    foreign = io.BytesIO()
    pq.write_table(make_posteriors().replace_schema_metadata(None), foreign)

    for data in (write_table(make_posteriors(), newer), write_table(INDEX.empty(), INDEX), foreign.getvalue()):
        with pytest.raises(SchemaVersion, match=r"a/b\.parquet: expected a table 'posteriors' of version 1"):
            read_table(data, POSTERIORS, key="a/b.parquet")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"not parquet at all", id="not Parquet"),
        pytest.param(lambda data: data[: len(data) // 2], id="cut short"),
        pytest.param(lambda data: data[:100] + b"\xff" * 200 + data[300:], id="overwritten in the middle"),
    ],
)
def test_damaged_parquet_is_refused_by_name(damage: Any) -> None:
    data = write_table(make_posteriors(200), POSTERIORS)

    with pytest.raises(BadTable, match=r"a/b\.parquet"):
        read_table(damage(data), POSTERIORS, key="a/b.parquet")


def test_matrix_survives_a_list_column() -> None:
    matrix = np.arange(12, dtype=np.float32).reshape(4, 3)

    for column in (from_matrix(matrix), pa.chunked_array([from_matrix(matrix[:1]), from_matrix(matrix[1:])])):
        back = to_matrix(column)
        np.testing.assert_array_equal(back, matrix)
        assert back.dtype == np.float32


def test_slice_of_a_list_column_gives_its_own_rows() -> None:
    matrix = np.arange(12, dtype=np.float64).reshape(4, 3)

    np.testing.assert_array_equal(to_matrix(from_matrix(matrix).slice(1, 2)), matrix[1:3])


def test_no_rows_and_no_columns_make_empty_matrices() -> None:
    assert to_matrix(from_matrix(np.zeros((0, 3), np.float32))).shape == (0, 0)
    assert to_matrix(from_matrix(np.zeros((3, 0), np.float32))).shape == (3, 0)


@pytest.mark.parametrize(
    ("rows", "want"),
    [
        pytest.param([[1.0], [1.0, 2.0]], "row 1 of a list column has 2 values, the first has 1", id="ragged"),
        pytest.param([[1.0], None], "1 nulls", id="a null row"),
        pytest.param([[1.0], [None]], "null values", id="a null value"),
    ],
)
def test_list_column_that_is_no_matrix_is_refused(rows: list[Any], want: str) -> None:
    with pytest.raises(BadTable, match=f"here: .*{want}"):
        to_matrix(pa.array(rows, pa.list_(pa.float64())), key="here")


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 99))
def test_digest_does_not_depend_on_order_or_parts(n_rows: int, cut: int, seed: int) -> None:
    table = make_posteriors(n_rows, seed=seed)
    shuffled = table.take(np.random.default_rng(seed).permutation(n_rows))
    cut = min(cut, n_rows)
    parts = [shuffled.slice(0, cut), shuffled.slice(cut)]

    digest = table_digest(table, POSTERIORS)

    assert table_digest(shuffled, POSTERIORS) == digest
    assert table_digest(pa.concat_tables(parts), POSTERIORS) == digest
    assert combine_digests(table_digest(part, POSTERIORS) for part in parts) == digest


def test_digest_of_many_chunks_is_that_of_their_rows() -> None:
    table = make_posteriors(70_000)

    assert table_digest(table, POSTERIORS) == combine_digests(
        table_digest(table.slice(start, 10_000), POSTERIORS) for start in range(0, 70_000, 10_000)
    )


def test_digest_is_the_same_in_every_release() -> None:
    table = pa.table(
        {"item_id": ["a", "b"], "uri": ["x", None], "reason": ["CorruptItem", "EmptyItem"], "message": ["", "ü"]},
        schema=ITEM_ERRORS.arrow,
    )

    assert table_digest(table, ITEM_ERRORS) == "8c26572461c9fbefa27685af0e8ab329addca57827fcc49cf37aec495b3cfb19"


@pytest.mark.parametrize(
    ("column", "values"),
    [
        pytest.param("item_id", ["item-0", "item-1", "item-x"], id="a text"),
        pytest.param("confidence", [0.5, 0.5, 0.5 + 1e-16 + 2**-53], id="the last bit of a float"),
        pytest.param("n_votes", [1, 2, 4], id="a number"),
        pytest.param("probabilities", [[1.0], [0.0, 1.0], []], id="a list's length"),
    ],
)
def test_digest_changes_with_any_value(column: str, values: list[Any]) -> None:
    table = make_posteriors(3)
    place = table.column_names.index(column)
    changed = table.set_column(place, column, pa.array(values, table.schema.field(column).type))

    assert table_digest(changed, POSTERIORS) != table_digest(table, POSTERIORS)


def test_digest_tells_moved_borders_nulls_and_repeats_apart() -> None:
    def errors(*rows: tuple[str, str | None]) -> pa.Table:
        columns = {"item_id": [row[0] for row in rows], "uri": [row[1] for row in rows]}
        return pa.table(columns | {"reason": ["r"] * len(rows), "message": [""] * len(rows)}, schema=ITEM_ERRORS.arrow)

    tables = [
        errors(("ab", "c")),
        errors(("a", "bc")),
        errors(("ab", None)),
        errors(("ab", "")),
        errors(("ab", "c"), ("ab", "c")),
    ]

    assert len({table_digest(table, ITEM_ERRORS) for table in tables}) == len(tables)


@pytest.mark.parametrize(
    ("kind", "value", "nothing"), [(pa.string(), "\x01", ""), (pa.list_(pa.uint8()), [1], [])], ids=["text", "list"]
)
def test_digest_keeps_a_value_in_its_column_even_when_the_bytes_around_it_look_alike(
    kind: pa.DataType, value: Any, nothing: Any
) -> None:
    schema = TableSchema("pairs", 1, pa.schema([("a", kind), ("b", kind)]))
    left, right = (
        pa.table({"a": pa.array([a], kind), "b": pa.array([b], kind)}) for a, b in [(value, nothing), (nothing, value)]
    )

    assert table_digest(left, schema) != table_digest(right, schema)


def test_digest_tells_a_null_list_from_an_empty_one_and_lists_by_their_borders() -> None:
    tables = [
        make_scores([None, [1.0]]),
        make_scores([[], [1.0]]),
        make_scores([[1.0], []]),
        make_scores([[1.0], None]),
    ]

    assert len({table_digest(table, SCORES) for table in tables}) == 4


def test_digest_takes_zeros_and_nans_as_one_each() -> None:
    odd_nan = np.frombuffer(np.uint64(0x7FF8000000000001).tobytes(), np.float64)[0]
    one, other = (
        make_posteriors(2).set_column(2, "confidence", pa.array(values)) for values in ([0.0, np.nan], [-0.0, odd_nan])
    )

    assert table_digest(one, POSTERIORS) == table_digest(other, POSTERIORS)


def test_digest_belongs_to_the_schema_and_its_version() -> None:
    table = make_posteriors()

    assert table_digest(table, POSTERIORS) != table_digest(table, TableSchema("posteriors", 2, POSTERIORS.columns))


def test_digest_covers_a_truth_value() -> None:
    def tasks(*, hidden: bool) -> pa.Table:
        row = {
            "task_id": "t",
            "item_id": "i",
            "round": 0,
            "rank": 0,
            "reason": "gold",
            "votes_wanted": 3,
            "suggestion": None,
        }
        return pa.Table.from_pylist([row | {"suggestion_hidden": hidden}], schema=TASKS.arrow)

    assert table_digest(tasks(hidden=True), TASKS) != table_digest(tasks(hidden=False), TASKS)


def test_digest_covers_the_time_of_a_vote() -> None:
    digests = {table_digest(make_votes().vote("a", minute=minute).build(), VOTES) for minute in (0, 1, 1)}

    assert len(digests) == 2


def make_manifest() -> TableManifest:
    parts = [TablePart(f"part-{block}", 10, f"{block + 1:064x}", block) for block in range(3)]
    return TableManifest.of(LABELS, parts, classes=["cat", "dog"])


def test_manifest_adds_up_its_parts_and_survives_json() -> None:
    manifest = make_manifest()

    assert (manifest.rows, manifest.digest, manifest.blocks) == (30, f"{6:064x}", (0, 1, 2))
    assert TableManifest.from_json(manifest.to_json(), LABELS, key="m") == manifest
    assert make_manifest().to_json() == manifest.to_json()


def test_manifest_of_the_index_keeps_the_block_size_and_of_others_none() -> None:
    manifest = TableManifest.of(INDEX, [TablePart("dataset/index-00000.parquet", 1, "0" * 64)], block_size=4096)

    back = TableManifest.from_json(manifest.to_json(), INDEX, key="m")

    assert (back.block_size, back.blocks) == (4096, ())
    assert make_manifest().block_size is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda record: record | {"rows": 31}, id="total of rows"),
        pytest.param(lambda record: record | {"digest": "0" * 64}, id="total digest"),
        pytest.param(lambda record: record | {"parts": record["parts"][:2]}, id="a part is gone"),
        pytest.param(lambda record: record | {"parts": "none"}, id="parts are no list"),
        pytest.param(lambda record: record | {"form": 2}, id="another form"),
        pytest.param(lambda _: {"form": 1}, id="nothing in it"),
        pytest.param(lambda record: [record], id="a list"),
        pytest.param(lambda record: record | {"parts": [{"key": "x"}]}, id="half a part"),
    ],
)
def test_manifest_that_was_changed_is_refused_by_name(change: Any) -> None:
    record = change(json.loads(make_manifest().to_json()))

    with pytest.raises(BadManifest, match=r"a/manifest\.json"):
        TableManifest.from_json(json.dumps(record).encode(), LABELS, key="a/manifest.json")


def test_manifest_that_is_no_json_is_refused_by_name() -> None:
    with pytest.raises(BadManifest, match=r"a/manifest\.json: not JSON"):
        TableManifest.from_json(b"\xff{", LABELS, key="a/manifest.json")


def test_manifest_of_another_schema_is_refused() -> None:
    with pytest.raises(SchemaVersion, match="expected a table 'index'"):
        TableManifest.from_json(make_manifest().to_json(), INDEX, key="m")
