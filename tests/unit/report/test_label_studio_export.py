"""Labels as Label Studio's JSON, and that file read back as votes."""

import io
import json

import pytest
from report_tables import make_index, make_labels

from labelplane_core.errors import BadTable
from labelplane_report import write_label_studio
from labelplane_review.vote_files import VoteRow, read_rows

LABELS = make_labels([("b", "dog", 0.75, "accepted"), ("a", "cat", 1.0, "human")])


def written(*, ids: tuple[str, ...] = ("a", "b", "c"), address: str = "") -> bytes:
    sink = io.BytesIO()
    write_label_studio(LABELS, make_index(ids), sink, address=address)
    return sink.getvalue()


def test_what_people_said_is_an_annotation_and_what_the_model_says_a_prediction() -> None:
    first, second = json.loads(written(address="s3://bucket/data/"))
    assert first["data"] == {"image": "s3://bucket/data/images/a", "item": "a"}
    assert first["annotations"][0]["result"][0]["value"] == {"choices": ["cat"]}
    assert second["predictions"][0]["score"] == 0.75
    assert "annotations" not in second
    assert json.loads(written())[0]["data"]["image"] == "images/a"


def test_the_file_is_read_as_votes() -> None:
    assert list(read_rows("old.json", written())) == [VoteRow("old.json: task 1", "a", "cat", "old")]


def test_a_label_of_no_item_is_named() -> None:
    with pytest.raises(BadTable, match="item 'b' is not in the index"):
        written(ids=("a",))
