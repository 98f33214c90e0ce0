"""Score and Select over real gRPC: what succeeds, what is refused and with which code, what a restart changes."""

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from scoring_job import CLASSES, write_colour_model, write_scoring_job
from served import Served, served
from vote_tables import make_votes

from labelplane.operation.v1 import operation_pb2 as operation
from labelplane.scoring.v1 import scoring_pb2 as pb
from labelplane.scoring.v1 import scoring_pb2_grpc as pb_grpc
from labelplane.task.v1 import task_pb2 as task
from labelplane_core.review_shares import ReviewShares
from labelplane_core.table_store import TableStore
from labelplane_core.tables import SCORES, SELECTION, VOTES, to_matrix
from labelplane_scoring.servicer import register

TASK = task.Task(type="ImageClassification", classes=CLASSES)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Served]:
    async with served(register, tmp_path) as running:
        yield running


def score_request(index_ref: str, model_ref: str, *, attempt: int = 1, **fields: object) -> pb.StartScoreRequest:
    return pb.StartScoreRequest(
        invocation=operation.Invocation(request_id=f"job/1/score/{attempt}", leader_epoch=1),
        round=task.Round(number=1, attempt=attempt),
        task=TASK,
        index_ref=index_ref,
        model_ref=model_ref,
        **fields,  # type: ignore[arg-type]
    )


def select_request(index_ref: str, *, number: int = 1, **fields: object) -> pb.StartSelectRequest:
    chosen = {"strategy": "Margin", "batch_size": 10, "candidate_pool": 1000} | fields
    return pb.StartSelectRequest(
        invocation=operation.Invocation(request_id=f"job/{number}/select/1", leader_epoch=1),
        round=task.Round(number=number, attempt=1),
        task=TASK,
        index_ref=index_ref,
        **chosen,  # type: ignore[arg-type]
    )


async def scored(service: Served, *, members: int = 1) -> tuple[str, str]:
    index_ref = await write_scoring_job(service.parts)
    model_ref = await write_colour_model(service.parts, members=members)
    await pb_grpc.ScoringServiceStub(service.channel).StartScore(score_request(index_ref, model_ref))
    done = await service.finished("job/1/score/1")
    assert done.state == operation.OPERATION_STATE_SUCCEEDED, done.error
    return index_ref, done.results["scores"]


async def selected(service: Served, request: pb.StartSelectRequest) -> operation.Operation:
    await pb_grpc.ScoringServiceStub(service.channel).StartSelect(request)
    done = await service.finished(request.invocation.request_id)
    assert done.state == operation.OPERATION_STATE_SUCCEEDED, done.error
    return done


async def chosen_ids(service: Served, done: operation.Operation) -> list[str]:
    table = await TableStore(service.parts.store).read(done.results["selection"], SELECTION)
    return table.column("item_id").to_pylist()


async def refusal(call: object) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return caught.value


async def test_every_item_is_scored_once_in_the_order_of_the_index(service: Served) -> None:
    _, scores_ref = await scored(service)
    scores = await TableStore(service.parts.store).read(scores_ref, SCORES)
    assert scores.column("item_id").to_pylist() == [f"item-{row:03d}" for row in range(60)]
    assert scores.column("prediction").to_pylist()[:3] == list(CLASSES)
    margins = scores.column("margin").to_numpy()
    assert margins[:20].mean() > margins[40:].mean()
    logits = to_matrix(scores.column("logits"))
    assert logits.shape == (60, 3)
    assert to_matrix(scores.column("embedding")).shape == (60, 3)


async def test_a_deterministic_score_is_not_given_to_a_server(service: Served) -> None:
    request = score_request("index", "model", deterministic=True, serving=pb.Serving(endpoint="triton:8001"))
    error = await refusal(pb_grpc.ScoringServiceStub(service.channel).StartScore(request))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "deterministic must not be set with serving" in error.details()


async def test_second_scores_are_compared_with_the_first(service: Served) -> None:
    index_ref, scores_ref = await scored(service)
    model_ref = await write_colour_model(service.parts, sharpness=5.0)
    request = score_request(index_ref, model_ref, attempt=2, previous_scores_ref=scores_ref)
    await pb_grpc.ScoringServiceStub(service.channel).StartScore(request)
    done = await service.finished("job/1/score/2")
    assert done.figures["agreement"] == 1.0
    assert done.figures["kappa"] == 1.0
    assert done.figures["items"] == 60


async def test_margin_selects_the_greyest_and_never_gold(service: Served) -> None:
    index_ref, scores_ref = await scored(service)
    done = await selected(service, select_request(index_ref, scores_ref=scores_ref))
    ids = await chosen_ids(service, done)
    rows = np.array([int(each.removeprefix("item-")) for each in ids])
    assert len(set(ids)) == 10
    assert rows.max() < 54
    assert rows.mean() > 35


async def test_batch_mixes_in_gold_and_a_check_sample(service: Served) -> None:
    index_ref, scores_ref = await scored(service)
    request = select_request(index_ref, scores_ref=scores_ref, gold_share=0.2, check_share=0.3)
    done = await selected(service, request)
    table = await TableStore(service.parts.store).read(done.results["selection"], SELECTION)
    reasons = table.column("reason").to_pylist()
    assert {each: reasons.count(each) for each in set(reasons)} == {"strategy": 5, "check": 3, "gold": 2}
    assert len(set(table.column("item_id").to_pylist())) == 10
    assert None not in table.column("suggestion").to_pylist()


async def test_item_is_never_asked_twice_however_many_rounds(service: Served) -> None:
    index_ref, scores_ref = await scored(service)
    previous, seen = "", []
    for number in range(1, 9):
        request = select_request(
            index_ref, number=number, scores_ref=scores_ref, previous_selection_ref=previous, batch_size=9
        )
        done = await selected(service, request)
        previous = done.results["selection"]
        seen.append(int(done.figures["selected"]))
    ids = await chosen_ids(service, done)
    assert len(ids) == len(set(ids)) == 54
    assert seen == [9, 9, 9, 9, 9, 9, 0, 0]


async def test_items_that_people_voted_on_are_not_asked_about_and_those_of_rules_are(service: Served) -> None:
    index_ref, scores_ref = await scored(service)
    votes = make_votes()
    for row in range(54):
        who = {"annotator": "cat-rule", "source": "rules"} if row % 2 else {"annotator": "ann"}
        votes = votes.vote(f"v{row}", item=f"item-{row:03d}", answer="red", **who)
    votes_ref = await TableStore(service.parts.store).write_table(
        votes.build(), VOTES, part_key="votes/all.parquet", manifest_key="votes/all.json"
    )
    request = select_request(index_ref, scores_ref=scores_ref, batch_size=54, votes_ref=votes_ref)
    done = await selected(service, request)
    assert sorted(await chosen_ids(service, done)) == [f"item-{row:03d}" for row in range(1, 54, 2)]


async def test_items_of_a_rule_that_people_look_at_come_first_and_take_half_of_the_batch(service: Served) -> None:
    index_ref, scores_ref = await scored(service)
    votes = make_votes()
    for row in range(20):
        votes = votes.vote(f"v{row}", item=f"item-{row:03d}", answer="red", annotator="reds", source="rules")
    votes = votes.vote("other", item="item-013", answer="blue", annotator="blues", source="rules")
    votes_ref = await TableStore(service.parts.store).write_table(
        votes.build(), VOTES, part_key="votes/all.parquet", manifest_key="votes/all.json"
    )
    await service.parts.store.put("shares.json", ReviewShares({"reds": 1.0}).to_json())
    request = select_request(
        index_ref, scores_ref=scores_ref, batch_size=10, votes_ref=votes_ref, review_shares_ref="shares.json"
    )
    done = await selected(service, request)
    rows = (await TableStore(service.parts.store).read(done.results["selection"], SELECTION)).to_pylist()
    assert [row["reason"] for row in rows] == ["rule"] * 5 + ["strategy"] * 5
    assert rows[0]["item_id"] == "item-013"  # the rules disagree
    assert all(row["item_id"] < "item-020" for row in rows[:5])
    assert len({row["item_id"] for row in rows}) == 10
    assert done.figures["rule"] == 5


async def test_damaged_shares_of_rules_fail_the_operation_by_name(service: Served) -> None:
    index_ref, scores_ref = await scored(service)
    await service.parts.store.put("shares.json", b"{}")
    request = select_request(index_ref, scores_ref=scores_ref, review_shares_ref="shares.json")
    await pb_grpc.ScoringServiceStub(service.channel).StartSelect(request)
    done = await service.finished(request.invocation.request_id)
    assert (done.state, done.error.reason) == (operation.OPERATION_STATE_FAILED, "DamagedRecord")
    assert "shares.json holds no shares of rules" in done.error.message


@pytest.mark.parametrize("strategy", ["KCenter", "Random"])
async def test_cold_start_needs_no_model(service: Served, strategy: str) -> None:
    index_ref = await write_scoring_job(service.parts)
    done = await selected(service, select_request(index_ref, strategy=strategy, batch_size=6))
    table = await TableStore(service.parts.store).read(done.results["selection"], SELECTION)
    assert set(table.column("reason").to_pylist()) == {"cold-start"}
    rows = [int(each.removeprefix("item-")) for each in table.column("item_id").to_pylist()]
    if strategy == "KCenter":
        assert {row % 3 for row in rows} == {0, 1, 2}


STRATEGIES = ["Random", "Entropy", "LeastConfidence", "Margin", "DensityWeighted", "CoreSet", "ExpectedGradientLength"]


@pytest.mark.parametrize("strategy", [*STRATEGIES, "Bald", "Badge"])
async def test_every_strategy_runs_over_the_service(service: Served, strategy: str) -> None:
    index_ref, scores_ref = await scored(service, members=3)
    request = select_request(index_ref, scores_ref=scores_ref, strategy=strategy, density_weight=1.0)
    done = await selected(service, request)
    assert done.figures["selected"] == 10


async def test_bald_without_samples_fails_and_says_what_it_needs(service: Served) -> None:
    index_ref, scores_ref = await scored(service)
    request = select_request(index_ref, scores_ref=scores_ref, strategy="Bald")
    await pb_grpc.ScoringServiceStub(service.channel).StartSelect(request)
    done = await service.finished(request.invocation.request_id)
    assert done.state == operation.OPERATION_STATE_FAILED
    assert "samples" in done.error.message
    assert not done.error.retryable


async def test_candidate_pool_bounds_what_a_strategy_sees(service: Served) -> None:
    index_ref, scores_ref = await scored(service)
    request = select_request(index_ref, scores_ref=scores_ref, candidate_pool=12, batch_size=12)
    ids = await chosen_ids(service, await selected(service, request))
    rows = sorted(int(each.removeprefix("item-")) for each in ids)
    assert len(rows) == 12
    assert sum(row >= 48 for row in rows) >= 4


REFUSALS = [
    pytest.param({"task": task.Task(type="Nonsense", classes=CLASSES)}, "UnknownTaskKind", id="unknown task kind"),
    pytest.param({"task": task.Task(type="ImageClassification", classes=["one"])}, "InvalidInput", id="one class"),
    pytest.param({"strategy": "Best"}, "InvalidInput", id="unknown strategy"),
    pytest.param({"strategy": "Margin", "scores_ref": ""}, "InvalidInput", id="strategy that needs scores"),
    pytest.param({"gold_share": 1.5}, "InvalidInput", id="share above 1"),
    pytest.param(
        {"invocation": operation.Invocation(request_id="../x")}, "InvalidInput", id="id that leaves its folder"
    ),
    pytest.param({"invocation": operation.Invocation(request_id="")}, "InvalidInput", id="no id"),
]


@pytest.mark.parametrize(("fields", "want_reason"), REFUSALS)
async def test_wrong_request_is_refused_before_anything_starts(
    service: Served, fields: dict[str, object], want_reason: str
) -> None:
    request = select_request("dataset/manifest.json", scores_ref="rounds/0001/score/1/manifest-0000.json")
    for name, value in fields.items():
        if isinstance(value, str | float):
            setattr(request, name, value)
        else:
            getattr(request, name).CopyFrom(value)
    error = await refusal(pb_grpc.ScoringServiceStub(service.channel).StartSelect(request))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert dict(error.trailing_metadata() or ())["labelplane-reason"] == want_reason


async def test_missing_model_fails_the_operation_by_name(service: Served) -> None:
    index_ref = await write_scoring_job(service.parts)
    await pb_grpc.ScoringServiceStub(service.channel).StartScore(score_request(index_ref, "models/none"))
    done = await service.finished("job/1/score/1")
    assert (done.state, done.error.reason) == (operation.OPERATION_STATE_FAILED, "ObjectNotFound")
    assert "models/none" in done.error.message


async def test_model_of_other_classes_is_refused(service: Served) -> None:
    index_ref = await write_scoring_job(service.parts)
    model_ref = await write_colour_model(service.parts, classes=("a", "b", "c"))
    await pb_grpc.ScoringServiceStub(service.channel).StartScore(score_request(index_ref, model_ref))
    done = await service.finished("job/1/score/1")
    assert "was trained for classes ['a', 'b', 'c']" in done.error.message


async def test_vanished_item_fails_its_shard_and_is_named(service: Served) -> None:
    index_ref = await write_scoring_job(service.parts)
    model_ref = await write_colour_model(service.parts)
    await service.parts.data.put("031.png", b"no image")
    await pb_grpc.ScoringServiceStub(service.channel).StartScore(score_request(index_ref, model_ref))
    done = await service.finished("job/1/score/1")
    assert done.error.reason == "ShardGivenUp"
    assert "item-031" in done.error.message


async def test_parts_of_a_dead_owner_are_not_scored_again(tmp_path: Path) -> None:
    async with served(register, tmp_path, owner="first") as first:
        index_ref, scores_ref = await scored(first)
        undisturbed = await first.parts.store.get(scores_ref)
        parts = [info.key async for info in first.parts.store.list("rounds/0001/score/1")]
    before = {key: (tmp_path / "store" / key).stat().st_mtime_ns for key in parts if key.endswith(".parquet")}
    (tmp_path / "store" / "operations" / "job" / "1" / "score" / "1.json").unlink()
    (tmp_path / "store" / sorted(before)[1]).unlink()
    async with served(register, tmp_path, owner="second") as second:
        model_ref = await write_colour_model(second.parts)
        await pb_grpc.ScoringServiceStub(second.channel).StartScore(score_request(index_ref, model_ref))
        done = await second.finished("job/1/score/1")
        again = await second.parts.store.get(done.results["scores"])
    after = {key: (tmp_path / "store" / key).stat().st_mtime_ns for key in before}
    assert [key for key in before if before[key] != after[key]] == [sorted(before)[1]]
    assert again.data == undisturbed.data


async def test_call_without_the_token_is_refused(tmp_path: Path) -> None:
    async with served(register, tmp_path, token="wrong") as service:
        error = await refusal(pb_grpc.ScoringServiceStub(service.channel).StartScore(score_request("a", "b")))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
