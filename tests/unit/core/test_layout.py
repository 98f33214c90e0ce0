from collections.abc import Callable

import pytest

from labelplane_core.errors import BadKey
from labelplane_core.shards import Stage
from labelplane_core.storage import Layout


@pytest.mark.parametrize(
    ("spell", "want"),
    [
        pytest.param(lambda at: at.owner, "owner.json", id="owner"),
        pytest.param(lambda at: at.operation("job/3/score/1"), "operations/job/3/score/1.json", id="operation"),
        pytest.param(
            lambda at: at.operation("job/prepare/uid-1"), "operations/job/prepare/uid-1.json", id="prepare's operation"
        ),
        pytest.param(lambda at: at.operations, "operations", id="operations"),
        pytest.param(lambda at: at.index_manifest, "dataset/manifest.json", id="index manifest"),
        pytest.param(lambda at: at.index_part(7), "dataset/index-00007.parquet", id="index part"),
        pytest.param(lambda at: at.index_errors, "dataset/errors.parquet", id="item errors"),
        pytest.param(lambda at: at.votes("rules", 12), "votes/rules/00000012.parquet", id="votes"),
        pytest.param(lambda at: at.votes_folder("rules"), "votes/rules", id="a source's votes"),
        pytest.param(lambda at: at.rule_files("ab12"), "rules/ab12.json", id="files of rules"),
        pytest.param(lambda at: at.all_votes, "votes", id="all votes"),
        pytest.param(lambda at: at.review, "review", id="review"),
        pytest.param(lambda at: at.review_tasks(3, 1), "review/tasks/0003-1.parquet", id="tasks"),
        pytest.param(lambda at: at.review_tasks_folder, "review/tasks", id="all tasks"),
        pytest.param(lambda at: at.review_inbox(5), "review/inbox/00000005.jsonl", id="inbox"),
        pytest.param(lambda at: at.review_inbox_folder, "review/inbox", id="whole inbox"),
        pytest.param(lambda at: at.review_state, "review/state.json", id="review state"),
        pytest.param(lambda at: at.review_key, "review/signing.key", id="key of leases"),
        pytest.param(lambda at: at.review_comments(1), "review/comments/00000001.jsonl", id="comments"),
        pytest.param(lambda at: at.review_audit(1), "review/audit/00000001.jsonl", id="audit"),
        pytest.param(lambda at: at.round_folder(3), "rounds/0003", id="round"),
        pytest.param(lambda at: at.round_record(3), "rounds/0003/manifest.json", id="round's record"),
        pytest.param(lambda at: at.attempt_folder(3, Stage.TRAIN, 2), "rounds/0003/train/2", id="attempt"),
        pytest.param(
            lambda at: at.round_part(3, Stage.SCORE, 1, 9), "rounds/0003/score/1/part-00009.parquet", id="part"
        ),
        pytest.param(
            lambda at: at.round_part(3, Stage.SCORE, 1, 9, table="errors"),
            "rounds/0003/score/1/errors-00009.parquet",
            id="other part",
        ),
        pytest.param(
            lambda at: at.round_table(3, Stage.AGGREGATE, 1, "posteriors"),
            "rounds/0003/aggregate/1/posteriors.parquet",
            id="table",
        ),
        pytest.param(lambda at: at.round_file(3, Stage.TRAIN, 1, "a/b.bin"), "rounds/0003/train/1/a/b.bin", id="file"),
        pytest.param(
            lambda at: at.round_manifest(3, Stage.SCORE, 1, 2), "rounds/0003/score/1/manifest-0002.json", id="manifest"
        ),
        pytest.param(lambda at: at.model_folder("abc"), "models/abc", id="model folder"),
        pytest.param(lambda at: at.model("abc"), "models/abc/model.json", id="model"),
        pytest.param(lambda at: at.model("abc", "1/model.onnx"), "models/abc/1/model.onnx", id="model's file"),
        pytest.param(lambda at: at.embeddings("abc", 4), "embeddings/abc/part-00004.parquet", id="embeddings"),
        pytest.param(lambda at: at.export("labels.csv"), "export/labels.csv", id="export"),
        pytest.param(lambda at: at.export_folder, "export", id="export folder"),
        pytest.param(lambda at: at.report, "report/index.html", id="report"),
    ],
)
def test_key_is_spelled_as_documented_with_and_without_a_prefix(spell: Callable[[Layout], str], want: str) -> None:
    assert spell(Layout()) == want
    assert spell(Layout("team/job")) == f"team/job/{want}"
    assert spell(Layout("team/job/")) == f"team/job/{want}"


@pytest.mark.parametrize(
    "spell",
    [
        pytest.param(lambda at: at.operation("../../owner"), id="request id that climbs"),
        pytest.param(lambda at: at.operation("/x"), id="absolute request id"),
        pytest.param(lambda at: at.votes("a/b", 0), id="source with a slash"),
        pytest.param(lambda at: at.votes("..", 0), id="source that climbs"),
        pytest.param(lambda at: at.votes("", 0), id="source without a name"),
        pytest.param(lambda at: at.export("../owner.json"), id="export that climbs"),
        pytest.param(lambda at: at.index_part(-1), id="negative part"),
        pytest.param(lambda at: at.round_part(0, "score", -1, 0), id="negative attempt"),
    ],
)
def test_name_from_outside_cannot_leave_its_place(spell: Callable[[Layout], str]) -> None:
    with pytest.raises(BadKey):
        spell(Layout())


def test_manifests_of_two_generations_never_share_a_key() -> None:
    keys = {Layout().round_manifest(0, "score", 1, generation) for generation in range(20)}

    assert len(keys) == 20


def test_keys_sort_as_their_numbers_do() -> None:
    keys = [Layout().round_part(0, "score", 1, block) for block in range(0, 99_999, 997)]

    assert keys == sorted(keys)
