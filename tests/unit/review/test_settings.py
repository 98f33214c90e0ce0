"""A connector that runs alone: its settings, its truth, and what it says of wrong ones."""

import json
from pathlib import Path

import pytest

from labelplane_core.errors import InvalidInput, ObjectNotFound
from labelplane_core.storage import open_store
from labelplane_review.__main__ import main
from labelplane_review.settings import ConnectorSettings
from labelplane_review.truth_table import read_truth_table

BASE = {"LABELPLANE_CONNECTOR": "Simulated", "LABELPLANE_INBOX_ADDRESS": "localhost:1", "LABELPLANE_TOKEN": "t"}
CROWD = BASE | {"LABELPLANE_CLASSES": '["cat", "dog"]'}

WRONG = [
    pytest.param({}, "LABELPLANE_CONNECTOR: Field required", id="nothing"),
    pytest.param(BASE | {"LABELPLANE_CONNECTOR": "Fax"}, "LABELPLANE_CONNECTOR", id="unknown connector"),
    pytest.param({**BASE, "LABELPLANE_TOKEN": ""}, "set LABELPLANE_TOKEN_FILE or", id="no token"),
    pytest.param(BASE | {"LABELPLANE_TOKEN_FILE": "/no/such"}, "LABELPLANE_TOKEN_FILE /no/such", id="no token file"),
    pytest.param(BASE | {"LABELPLANE_CLASSES": "cat"}, "LABELPLANE_CLASSES: not JSON", id="classes that are no JSON"),
    pytest.param(CROWD | {"LABELPLANE_ANNOTATORS": "[]"}, "LABELPLANE_ANNOTATORS: must be", id="no annotators"),
    pytest.param(
        CROWD | {"LABELPLANE_ANNOTATORS": '[{"name": "a"}]'}, "exactly one of accuracy", id="no way to answer"
    ),
    pytest.param(CROWD | {"LABELPLANE_ANNOTATORS": '[{"name": "a", "accuracy": 2}]'}, "accuracy", id="accuracy of 2"),
    pytest.param(
        CROWD | {"LABELPLANE_ANNOTATORS": '[{"name": "a", "confusion": [[1]]}]'}, "2 x 2", id="confusion of one"
    ),
    pytest.param(
        BASE | {"LABELPLANE_CONNECTOR": "Files", "LABELPLANE_FILES_URI": "votes"},
        "file:///folder",
        id="relative folder",
    ),
]


@pytest.mark.parametrize(("environment", "want"), WRONG)
def test_wrong_setting_ends_with_one_line_and_code_2(
    environment: dict[str, str], want: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(environment) == 2
    told = capsys.readouterr().err
    assert want in told
    assert told.count("\n") == 1


def test_groups_are_read_as_a_job_writes_them() -> None:
    groups = [{"name": "a", "count": 2, "accuracy": 0.9, "responseSeconds": 3}, {"name": "b", "random": True}]
    settings = ConnectorSettings.from_environment(CROWD | {"LABELPLANE_ANNOTATORS": json.dumps(groups)})
    first, second = settings.groups()
    assert (first.name, first.count, first.response_seconds) == ("a", 2, 3.0)
    assert first.confusion.ravel().tolist() == pytest.approx([0.9, 0.1, 0.1, 0.9])
    assert second.confusion.tolist() == [[0.5, 0.5], [0.5, 0.5]]


async def test_truth_is_read_from_two_columns(tmp_path: Path) -> None:
    (tmp_path / "items.csv").write_text("Id,truth,text\n1,cat,x\n2,,y\n3,dog,z\n")
    store = open_store(f"file://{tmp_path}", readonly=True)
    truth = await read_truth_table(store, "items.csv", id_field="Id", truth_field="truth")
    assert truth == {"1": "cat", "3": "dog"}
    with pytest.raises(InvalidInput, match="column 'class' is missing"):
        await read_truth_table(store, "items.csv", id_field="Id", truth_field="class")
    with pytest.raises(ObjectNotFound):
        await read_truth_table(store, "no.csv", id_field="Id", truth_field="class")
    with pytest.raises(InvalidInput, match="LABELPLANE_TRUTH_TABLE"):
        await read_truth_table(store, "", id_field="Id", truth_field="class")
