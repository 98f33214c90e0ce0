from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelplane_aggregation import DuplicateVotes, VoteMatrix
from labelplane_aggregation.errors import (
    AggregationError,
    DuplicateVoteError,
    EmptyVotesError,
    InvalidSettingError,
    InvalidVotesError,
    InvalidWeightError,
    MissingColumnError,
    NullVoteError,
    UnknownClassError,
)

FRAME = {"item": ["b", "a", "b"], "annotator": ["y", "x", "x"], "label": ["dog", "cat", "cat"]}


def frame(**columns: list[Any]) -> dict[str, list[Any]]:
    return {**FRAME, **columns}


def assert_same(one: VoteMatrix, other: VoteMatrix) -> None:
    for name in ("items", "annotators", "answers", "weights", "offsets"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.item_ids.equals(other.item_ids)
    assert one.annotator_ids.equals(other.annotator_ids)
    assert one.classes.equals(other.classes)


def test_votes_are_coded_by_sorted_ids_and_grouped_by_item_then_annotator() -> None:
    votes = VoteMatrix.from_table(FRAME)
    assert votes.item_ids.to_pylist() == ["a", "b"]
    assert votes.annotator_ids.to_pylist() == ["x", "y"]
    assert votes.classes.to_pylist() == ["cat", "dog"]
    assert votes.items.tolist() == [0, 1, 1]
    assert votes.annotators.tolist() == [0, 0, 1]
    assert votes.answers.tolist() == [0, 0, 1]
    assert votes.offsets.tolist() == [0, 1, 3]
    assert votes.weights.tolist() == [1.0, 1.0, 1.0]
    assert (votes.n_votes, votes.n_items, votes.n_annotators, votes.n_classes) == (3, 2, 2, 2)


def chunked() -> pa.Table:
    table = pa.table(FRAME)
    return pa.concat_tables([table.slice(0, 1), table.slice(1)])


def as_pandas() -> Any:
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(FRAME, index=[7, 3, 5])


def as_pandas_categories() -> Any:
    return as_pandas().astype("category")


def as_polars() -> Any:
    return pytest.importorskip("polars").DataFrame(FRAME)


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: pa.table(FRAME), id="arrow table"),
        pytest.param(lambda: pa.RecordBatch.from_pydict(FRAME), id="record batch"),
        pytest.param(chunked, id="arrow table in chunks"),
        pytest.param(
            lambda: pa.table({k: pa.array(v, pa.large_string()) for k, v in FRAME.items()}), id="large strings"
        ),
        pytest.param(lambda: pa.table({k: pa.array(v, pa.string_view()) for k, v in FRAME.items()}), id="string views"),
        pytest.param(
            lambda: pa.table({k: pa.array(v).dictionary_encode() for k, v in FRAME.items()}), id="dictionaries"
        ),
        pytest.param(lambda: pa.table({**FRAME, "note": [None, None, None]}), id="further column"),
        pytest.param(as_pandas, id="pandas"),
        pytest.param(as_pandas_categories, id="pandas categories"),
        pytest.param(as_polars, id="polars"),
    ],
)
def test_every_kind_of_frame_gives_the_same_matrix(build: Any) -> None:
    assert_same(VoteMatrix.from_table(build()), VoteMatrix.from_table(FRAME))


def test_integers_and_booleans_are_read_as_their_text() -> None:
    votes = VoteMatrix.from_table({"item": [10, 9], "annotator": [1, 1], "label": [True, False]}, classes=[True, False])
    assert votes.item_ids.to_pylist() == ["10", "9"]
    assert votes.classes.to_pylist() == ["true", "false"]
    assert votes.answers.tolist() == [0, 1]


def test_given_classes_fix_the_order_and_may_have_no_vote() -> None:
    votes = VoteMatrix.from_table(FRAME, classes=["owl", "dog", "cat"])
    assert votes.classes.to_pylist() == ["owl", "dog", "cat"]
    assert votes.answers.tolist() == [2, 2, 1]


@pytest.mark.parametrize(("policy", "want"), [("last", "dog"), ("first", "cat"), (DuplicateVotes.LAST, "dog")])
def test_one_answer_of_an_annotator_to_an_item_stays(policy: str, want: str) -> None:
    rows = {"item": ["a", "a", "a"], "annotator": ["x", "y", "x"], "label": ["cat", "cat", "dog"]}
    votes = VoteMatrix.from_table(rows, duplicates=policy)
    assert votes.n_votes == 2
    assert votes.classes[int(votes.answers[0])].as_py() == want


@pytest.mark.parametrize(
    ("votes", "options", "want_error", "want_words"),
    [
        pytest.param(
            {"item": ["a"], "label": ["c"]}, {}, MissingColumnError, ["'annotator'", "item"], id="no annotator"
        ),
        pytest.param({k: [] for k in FRAME}, {}, EmptyVotesError, ["no row"], id="empty"),
        pytest.param(frame(item=["b", None, "b"]), {}, NullVoteError, ["row 1", "item"], id="null item"),
        pytest.param(frame(label=["x", "y", None]), {}, NullVoteError, ["row 2", "label"], id="null label"),
        pytest.param(frame(item=[1.5, 2.5, 3.5]), {}, InvalidVotesError, ["'item'", "double"], id="float item"),
        pytest.param(
            frame(), {"classes": ["cat", "owl"]}, UnknownClassError, ["row 0", "'dog'", "cat, owl"], id="unknown class"
        ),
        pytest.param(
            frame(),
            {"classes": ["cat", *map(str, range(20))]},
            UnknownClassError,
            ["... (21 in all)"],
            id="unknown class of many",
        ),
        pytest.param(frame(), {"classes": []}, InvalidSettingError, ["classes"], id="no class"),
        pytest.param(frame(), {"classes": ["a", "a"]}, InvalidSettingError, ["once"], id="class twice"),
        pytest.param(frame(), {"classes": ["a", None]}, InvalidSettingError, ["classes"], id="null class"),
        pytest.param(frame(), {"classes": ["a", 1]}, InvalidVotesError, ["classes"], id="classes of two types"),
        pytest.param(frame(), {"duplicates": "merge"}, InvalidSettingError, ["'merge'", "last"], id="unknown policy"),
        pytest.param(frame(weight=[1.0, float("nan"), 1.0]), {}, InvalidWeightError, ["row 1", "nan"], id="NaN weight"),
        pytest.param(frame(weight=[1.0, 1.0, -2.0]), {}, InvalidWeightError, ["row 2", "-2.0"], id="negative weight"),
        pytest.param(
            frame(weight=[float("inf"), 1, 1]), {}, InvalidWeightError, ["row 0", "inf"], id="infinite weight"
        ),
        pytest.param(frame(weight=["1", "1", "1"]), {}, InvalidWeightError, ["string"], id="weight as text"),
        pytest.param(frame(weight=[1, None, 1]), {}, NullVoteError, ["row 1", "weight"], id="null weight"),
        pytest.param(
            frame(item=["b", "a", "b"], annotator=["x", "x", "x"]),
            {"duplicates": "reject"},
            DuplicateVoteError,
            ["row 2", "'x'", "'b'"],
            id="duplicate refused",
        ),
        pytest.param([("a", "x", "cat")], {}, InvalidVotesError, ["list is no frame"], id="list"),
        pytest.param(frame(item=["a", 1, "b"]), {}, InvalidVotesError, ["one type"], id="mixed column"),
        pytest.param(frame(item=["a"]), {}, InvalidVotesError, ["same length"], id="ragged columns"),
    ],
)
def test_bad_votes_are_refused_with_row_and_value(
    votes: Any, options: dict[str, Any], want_error: type[Exception], want_words: list[str]
) -> None:
    with pytest.raises(want_error) as caught:
        VoteMatrix.from_table(votes, **options)
    assert isinstance(caught.value, AggregationError)
    assert not caught.value.retryable
    for word in want_words:
        assert word in str(caught.value)


def arrays(**changes: Any) -> dict[str, Any]:
    return {
        "items": np.array([0, 1, 1], np.int32),
        "annotators": np.array([0, 0, 1], np.int32),
        "answers": np.array([0, 0, 1], np.int32),
        "weights": np.ones(3),
        "offsets": np.array([0, 1, 3]),
        "item_ids": pa.array(["a", "b"]),
        "annotator_ids": pa.array(["x", "y"]),
        "classes": pa.array(["cat", "dog"]),
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        pytest.param({"items": np.array([0, 1, 1])}, "int32", id="wide codes"),
        pytest.param({"weights": np.ones(3, np.float32)}, "float64", id="narrow weights"),
        pytest.param({"weights": np.ones(2)}, "one length", id="short weights"),
        pytest.param({"weights": np.array([1.0, np.nan, 1.0])}, "weight", id="NaN weight"),
        pytest.param({"answers": np.array([0, 0, 2], np.int32)}, "answers has a code outside 0 to 1", id="high answer"),
        pytest.param({"annotators": np.array([0, -1, 1], np.int32)}, "annotators", id="negative annotator"),
        pytest.param({"offsets": np.array([0, 2, 3])}, "offsets", id="wrong offsets"),
        pytest.param({"annotators": np.array([0, 1, 0], np.int32)}, "not sorted", id="unsorted"),
        pytest.param({"annotators": np.array([0, 1, 1], np.int32)}, "one for each pair", id="repeated pair"),
        pytest.param({"classes": pa.array([], pa.string())}, "no class", id="no class"),
    ],
)
def test_a_matrix_made_by_hand_checks_what_the_kernels_rely_on(changes: dict[str, Any], want: str) -> None:
    with pytest.raises(InvalidVotesError, match=want):
        VoteMatrix(**arrays(**changes))


def test_a_matrix_is_read_only_and_leaves_the_arrays_it_was_made_of_writeable() -> None:
    given_arrays = arrays()
    votes = VoteMatrix(**given_arrays)
    with pytest.raises(ValueError, match="read-only"):
        votes.answers[0] = 1
    given_arrays["answers"][0] = 1


def test_shares_are_weights_over_their_sum_and_equal_where_there_is_none() -> None:
    rows = {"item": ["a", "a", "b"], "annotator": ["x", "y", "x"], "label": ["0", "1", "1"], "weight": [3, 1, 0]}
    np.testing.assert_array_equal(VoteMatrix.from_table(rows).shares(), [[0.75, 0.25], [0.5, 0.5]])


VOTE = st.tuples(st.integers(0, 8), st.integers(0, 5), st.integers(0, 3), st.floats(0, 4))


@settings(deadline=None)
@given(st.lists(VOTE, min_size=1, max_size=40, unique_by=lambda vote: vote[:2]), st.randoms())
def test_the_order_of_the_rows_changes_nothing(votes: list[tuple[int, int, int, float]], shuffler: Any) -> None:
    shuffled = list(votes)
    shuffler.shuffle(shuffled)
    one, other = (
        VoteMatrix.from_table(dict(zip(("item", "annotator", "label", "weight"), map(list, zip(*rows)))))  # noqa: B905
        for rows in (votes, shuffled)
    )
    assert_same(one, other)
    decoded = zip(
        one.item_ids.take(pa.array(one.items)).to_pylist(),
        one.annotator_ids.take(pa.array(one.annotators)).to_pylist(),
        one.classes.take(pa.array(one.answers)).to_pylist(),
        one.weights.tolist(),
        strict=True,
    )
    assert sorted(decoded) == sorted((str(i), str(a), str(k), float(w)) for i, a, k, w in votes)
