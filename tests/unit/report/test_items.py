import io

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from report_data import HOSTILE
from report_tables import make_labels, make_table, make_votes

from labelplane_core.errors import BadItem
from labelplane_core.tables import ITEM_ERRORS
from labelplane_core.tasks import task_kind
from labelplane_report.data import LabelState, Preview, VoteShown
from labelplane_report.errors import BadReportData
from labelplane_report.items import hard_items, hardest_item_ids, item_errors, item_preview


@given(st.lists(st.floats(0, 1), max_size=40), st.integers(1, 10))
def test_the_hardest_items_are_those_of_least_confidence_equal_ones_by_id(values: list[float], limit: int) -> None:
    rows = [(f"i{number:02d}", "cat", value, "human") for number, value in enumerate(values)]
    want = sorted((row[2], row[0]) for row in rows)[:limit]
    assert hardest_item_ids(make_labels(rows), limit=limit) == tuple(name for _, name in want)


def test_items_to_leave_out_are_not_hard() -> None:
    labels = make_labels([("gold", "cat", 0.1, "predicted"), ("a", "cat", 0.9, "human")])
    assert hardest_item_ids(labels, leave_out=pa.array(["gold"])) == ("a",)


def test_a_hard_item_shows_its_votes_by_annotator_its_truth_and_its_preview() -> None:
    labels = make_labels([("a", "cat", 0.4, "human"), ("b", "dog", 0.3, "predicted")])
    votes = make_votes([("a", "z", "dog"), ("a", "m", "cat"), ("elsewhere", "m", "cat")])
    shown = hard_items(
        ("b", "a", "unknown"), labels, votes=votes, truth={"a": "dog"}, previews={"a": Preview(text="hi")}
    )
    assert [item.item_id for item in shown] == ["b", "a"]
    assert shown[0].votes == ()
    assert (shown[0].truth, shown[0].preview, shown[0].state) == (None, Preview(), LabelState.PREDICTED)
    assert shown[1].votes == (VoteShown("m", "cat"), VoteShown("z", "dog"))
    assert (shown[1].truth, shown[1].preview.text) == ("dog", "hi")


def test_item_errors_are_cut_at_the_limit() -> None:
    columns = {"item_id": ["a", "b"], "uri": [None, "b"], "reason": ["CorruptItem"] * 2, "message": ["bad", "worse"]}
    found = item_errors(make_table(ITEM_ERRORS, columns), limit=1)
    assert [(error.item_id, error.reason, error.message) for error in found] == [("a", "CorruptItem", "bad")]


@pytest.mark.parametrize(
    ("size", "want"),
    [
        pytest.param((8, 8), (8, 8), id="a small picture keeps its pixels"),
        pytest.param((640, 320), (128, 64), id="a large one shrinks in its proportions"),
    ],
)
def test_a_picture_becomes_a_data_address_and_tells_its_size(size: tuple[int, int], want: tuple[int, int]) -> None:
    sink = io.BytesIO()
    Image.new("RGB", size, "teal").save(sink, "PNG")
    preview = item_preview(task_kind("ImageClassification"), sink.getvalue())
    assert preview.picture.startswith("data:image/png;base64,")
    assert (preview.width, preview.height) == want


def test_a_text_is_shown_as_it_is_so_that_the_page_escapes_it_once() -> None:
    assert item_preview(task_kind("TextClassification"), HOSTILE).text == HOSTILE


def test_a_long_text_is_cut() -> None:
    shown = item_preview(task_kind("TextClassification"), "word " * 100, size=20).text
    assert len(shown) == 20
    assert shown.endswith("…")


def test_an_item_that_cannot_be_decoded_has_no_preview() -> None:
    with pytest.raises(BadItem):
        item_preview(task_kind("ImageClassification"), b"no picture")


def test_a_preview_from_the_net_is_refused() -> None:
    with pytest.raises(BadReportData, match="data:image/"):
        Preview(picture="https://example.org/cat.png")
