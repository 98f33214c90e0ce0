"""Every stage of the aggregation service over real gRPC: what it gives, and how it refuses."""

import re
from typing import Any

import grpc
import pyarrow.csv as pa_csv
import pytest
from aggregation_world import (
    Service,
    World,
    aggregate,
    dawid_skene,
    finalize,
    invocation,
    prepare,
    read_json,
    review,
    text_task,
    vote,
    vote_stage,
    write_scores,
    write_selection,
)

from labelplane.aggregation.v1 import aggregation_pb2 as pb
from labelplane.aggregation.v1 import aggregation_pb2_grpc as pb_grpc
from labelplane.operation.v1 import operation_pb2
from labelplane.task.v1 import task_pb2
from labelplane_core.rpc import open_channel
from labelplane_core.tables import INDEX, LABELS, POSTERIORS, RELIABILITIES, TASKS

N_ITEMS = 60


def truth_of(number: int) -> str:
    return "cat" if number % 2 == 0 else "dog"


def write_texts(world: World, *, n_items: int = N_ITEMS) -> None:
    """Every third item is gold."""
    rows = [f"i{k},text number {k},{truth_of(k) if k % 3 == 0 else ''},{truth_of(k)},page {k}" for k in range(n_items)]
    world.write_csv(["id,text,gold,truth,source", *rows])


async def prepared(world: World, **dataset: Any) -> tuple[Service, operation_pb2.Operation]:
    write_texts(world)
    service = await world.start()
    return service, await service.run("StartPrepare", prepare(gold_field="gold", **dataset))


async def asked(service: Service, number: int, items: list[str], *, before: str = "") -> operation_pb2.Operation:
    selection = await write_selection(service, number, items, before=before)
    return await service.run("StartReview", review(number, selection))


def answers(items: list[str], *annotators: str, wrong: frozenset[str] = frozenset()) -> list[Any]:
    """Votes of annotators who are right, but for some items on which the first errs."""
    votes = []
    for item in items:
        for place, annotator in enumerate(annotators):
            right = truth_of(int(item[1:]))
            other = "dog" if right == "cat" else "cat"
            answer = other if item in wrong and place == 0 else right
            votes.append(vote(f"{item}-{annotator}", item, annotator, answer))
    return votes


async def test_prepare_indexes_splits_gold_and_hashes(world: World) -> None:
    service, operation = await prepared(world, metadata_fields=["source"])
    assert operation.figures["items"] == N_ITEMS
    assert (operation.figures["gold_gate"], operation.figures["gold_audit"]) == (10, 10)
    assert (operation.figures["last_round"], operation.figures["attempts"]) == (-1, 0)
    index = await service.tables.read(operation.results["index"], INDEX)
    assert index.column("text")[3].as_py() == "text number 3"
    assert index.column("meta")[3].as_py() == '{"source": "page 3"}'
    assert "truth" not in (world.out / "dataset/index-00000.parquet").read_bytes().decode(errors="ignore")
    assert read_json(world.out / "owner.json")["name"] == "job"
    assert operation.results["data_hash"] == read_json(world.out / "dataset/manifest.json")["digest"]


async def test_prepare_reads_images_and_lists_those_that_cannot_be_used(world: World) -> None:
    for place in range(4):
        world.write_image(f"{'cat' if place % 2 else 'dog'}/{place}.png", place)
    (world.data / "cat/bad.png").write_bytes(b"no image")
    (world.data / "cat/empty.png").touch()
    service = await world.start()
    task = task_pb2.Task(type="ImageClassification", classes=["cat", "dog"])
    operation = await service.run(
        "StartPrepare", prepare(task=task, format="ClassFolders", gold_field="$folder", max_item_errors=2)
    )
    assert (operation.figures["items"], operation.figures["item_errors"]) == (4, 2)
    index = await service.tables.read(operation.results["index"], INDEX)
    assert set(zip(index.column("item_id").to_pylist(), index.column("gold").to_pylist(), strict=True)) == {
        ("cat/1.png", "cat"),
        ("cat/3.png", "cat"),
        ("dog/0.png", "dog"),
        ("dog/2.png", "dog"),
    }


async def test_too_many_bad_items_fail_prepare_and_name_the_first(world: World) -> None:
    world.write_image("a.png")
    for name in ("b", "c", "d", "e"):
        (world.data / f"{name}.png").write_bytes(b"no image")
    world.write_csv(["image", "a.png", "b.png", "c.png", "missing.png", "d.png", "e.png"])
    service = await world.start()
    task = task_pb2.Task(type="ImageClassification", classes=["cat", "dog"])
    error = await service.fail("StartPrepare", prepare(task=task, max_item_errors=4))
    assert error.reason == "TooManyItemErrors"
    assert "b.png" in error.message
    assert "missing.png" in error.message
    assert not error.retryable
    assert (world.out / "dataset/errors.parquet").exists()


BAD_DATA = [
    pytest.param(
        ["id,text,gold", "1,a,cow"],
        {"gold_field": "gold"},
        "BadDataset",
        "items.csv:2: gold: answer 'cow'",
        id="unknown gold class",
    ),
    pytest.param(["id,text", "1,a", "1,b"], {}, "BadDataset", "items.csv:3: id '1' stands already", id="duplicate ids"),
    pytest.param(
        ["id,text", "1,a"], {"gold_field": "gold"}, "BadDataset", "no column 'gold'", id="missing gold column"
    ),
    pytest.param(
        ["id,text", "1,a"], {"metadata_fields": ["page"]}, "BadDataset", "no column 'page'", id="missing metadata"
    ),
    pytest.param(["id,text"], {}, "EmptyDataset", "the table has no row", id="empty data set"),
    pytest.param(
        ["id,text", "1, ", "2, "], {}, "EmptyDataset", "none of the 2 items can be used", id="nothing but blanks"
    ),
    pytest.param(["id,text", "1,a"], {"index": "no.csv"}, "BadDataset", "'no.csv' is not below", id="missing table"),
    pytest.param(
        ["image", "../x.png"], {"item_field": "image"}, "BadDataset", "must be a path below", id="path that leaves"
    ),
]


@pytest.mark.parametrize(("lines", "dataset", "want_reason", "want_text"), BAD_DATA)
async def test_bad_data_set_fails_prepare_in_one_clear_sentence(
    world: World, lines: list[str], dataset: dict[str, Any], want_reason: str, want_text: str
) -> None:
    world.write_csv(lines)
    service = await world.start()
    error = await service.fail("StartPrepare", prepare(**dataset))
    assert (error.reason, error.retryable) == (want_reason, False)
    assert want_text in error.message


async def test_prefix_of_another_job_is_taken_only_when_the_job_adopts(world: World) -> None:
    service, first = await prepared(world)
    request = prepare("two", gold_field="gold")
    request.ownership.name = "other"
    error = await service.fail("StartPrepare", request)
    assert (error.reason, error.code) == ("PrefixTaken", grpc.StatusCode.FAILED_PRECONDITION.value[0])
    assert "default/job" in error.message
    request.invocation.CopyFrom(invocation("job/prepare/three"))
    request.ownership.adopt = True
    assert (await service.run("StartPrepare", request)).results == first.results
    assert read_json(world.out / "owner.json")["name"] == "other"


async def test_changed_settings_of_the_data_set_are_refused(world: World) -> None:
    service, _ = await prepared(world)
    error = await service.fail("StartPrepare", prepare("two"))
    assert error.reason == "DatasetChanged"


async def test_round_without_votes_is_all_zero(world: World) -> None:
    service, _ = await prepared(world)
    votes = await service.run("StartVote", vote_stage(0))
    operation = await service.run("StartAggregate", aggregate(0, votes.results["votes"]))
    assert (votes.figures["votes"], operation.figures["labelled"], operation.figures["min_class_count"]) == (0, 0, 0)
    assert "gate_accuracy" not in operation.figures


async def test_review_numbers_tasks_over_the_rounds_and_closes_each(world: World) -> None:
    service, _ = await prepared(world)
    votes = await service.run("StartVote", vote_stage(0))
    first = await write_selection(service, 0, ["i1", "i2", "i4"])
    stage = pb.StageOperation(stage="Vote", request_id="job/0/vote/1")
    operation = await service.run("StartReview", review(0, first, suggestion_hidden_share=0.34, stages=[stage]))
    assert (operation.figures["tasks"], operation.figures["votes_wanted"]) == (3, 6)
    second = await write_selection(service, 1, ["i5"], before=first)
    last = await service.run("StartReview", review(1, second))
    tasks = await service.tables.read(last.results["tasks"], TASKS)
    assert tasks.column("task_id").to_pylist() == ["0", "1", "2", "3"]
    assert tasks.column("suggestion_hidden").to_pylist().count(True) == 1
    record = read_json(world.out / "rounds/0000/manifest.json")
    assert record["stages"]["Vote"]["results"]["votes"] == votes.results["votes"]
    assert record["stages"]["Vote"]["request"]["indexRef"] == "dataset/manifest.json"
    assert record["stages"]["Review"]["digests"].keys() == {"tasks"}
    assert record["data_hash"] == read_json(world.out / "dataset/manifest.json")["digest"]


async def test_votes_become_posteriors_and_gate_gold_measures_them(world: World) -> None:
    service, _ = await prepared(world)
    items = [f"i{k}" for k in range(30)]
    await asked(service, 0, items)
    await service.submit(*answers(items, "ann", "bob", "eve", wrong=frozenset(items[::5])))
    votes = await service.run("StartVote", vote_stage(1))
    operation = await service.run("StartAggregate", aggregate(1, votes.results["votes"]))
    assert operation.figures["labelled"] == 30
    assert operation.figures["min_class_count"] == 10
    assert operation.figures["gate_accuracy"] == 1.0
    assert operation.figures["objective"] < 0
    posteriors = await service.tables.read(operation.results["posteriors"], POSTERIORS)
    right = [truth_of(int(item[1:])) for item in posteriors.column("item_id").to_pylist()]
    assert posteriors.column("answer").to_pylist() == right
    reliabilities = await service.tables.read(operation.results["reliabilities"], RELIABILITIES)
    accuracy = dict(zip(*(reliabilities.column(name).to_pylist() for name in ("annotator", "accuracy")), strict=True))
    assert accuracy["ann"] < accuracy["bob"]


def minimums(**wanted: float) -> list[pb.ClassMinimum]:
    return [pb.ClassMinimum(class_name=name, accuracy=accuracy) for name, accuracy in wanted.items()]


async def test_aggregate_measures_what_quality_gates_are_judged_by(world: World) -> None:
    service, prepare_operation = await prepared(world)
    index = await service.tables.read(prepare_operation.results["index"], INDEX)
    gate = [row["item_id"] for row in index.to_pylist() if row["gold_role"] == "gate"]
    cats = [item for item in gate if truth_of(int(item[1:])) == "cat"]
    dogs = [item for item in gate if truth_of(int(item[1:])) == "dog"]
    items = [*gate, *(f"i{k}" for k in range(N_ITEMS) if k % 3)]
    await asked(service, 0, items)
    # Both annotators err about one cat of the gate gold, and they differ about one item outside gold.
    await service.submit(
        *answers(items, "ann", wrong=frozenset([cats[0], "i1"])), *answers(items, "bob", wrong=frozenset([cats[0]]))
    )
    votes = await service.run("StartVote", vote_stage(1))
    request = aggregate(
        1,
        votes.results["votes"],
        inference=dawid_skene("MajorityVote"),
        class_minimums=minimums(dog=0.99, cat=0.9),
    )
    figures = (await service.run("StartAggregate", request)).figures
    apart = 1 / len(items)
    assert figures["gate_accuracy"] == pytest.approx(1 - 1 / len(gate))
    assert (figures["gate_classes"], figures["gate_class"]) == (2, 0)
    assert figures["gate_class_accuracy"] == pytest.approx(1 - 1 / len(cats))
    assert dogs
    assert figures["estimated_error"] == pytest.approx(0.5 / (len(items) - len(gate)))
    assert figures["alpha"] == pytest.approx(1 - 2 * apart, abs=2 * apart)
    assert figures["alpha"] < 1
    assert figures["ac1"] == pytest.approx(1 - 2 * apart, abs=2 * apart)
    assert figures["ac1"] < 1


async def test_figures_that_are_not_defined_are_absent(world: World) -> None:
    service, prepare_operation = await prepared(world)
    index = await service.tables.read(prepare_operation.results["index"], INDEX)
    gate = [row["item_id"] for row in index.to_pylist() if row["gold_role"] == "gate"]
    cats = [item for item in gate if truth_of(int(item[1:])) == "cat"]
    await asked(service, 0, cats)
    await service.submit(*answers(cats, "ann"))
    votes = await service.run("StartVote", vote_stage(1))
    request = aggregate(1, votes.results["votes"], class_minimums=minimums(cat=0.5, dog=0.5))
    figures = (await service.run("StartAggregate", request)).figures
    assert not {"alpha", "ac1", "estimated_error"} & set(figures)
    assert figures["gate_classes"] == 1


async def test_method_auto_says_which_model_weighed_most_and_why(world: World) -> None:
    service, _ = await prepared(world)
    items = [f"i{k}" for k in range(30)]
    await asked(service, 0, items)
    await service.submit(*answers(items, "ann", "bob", "eve", wrong=frozenset(items[::5])))
    votes = await service.run("StartVote", vote_stage(1))
    operation = await service.run("StartAggregate", aggregate(1, votes.results["votes"], inference=dawid_skene("Auto")))
    assert "a held-out vote has mean log-likelihood" in operation.results["choice"]
    weights = {name: value for name, value in operation.figures.items() if name.startswith("weight_")}
    assert sum(weights.values()) == pytest.approx(1.0)
    assert operation.results["choice"].split(":")[0] in {name.removeprefix("weight_") for name in weights}
    posteriors = await service.tables.read(operation.results["posteriors"], POSTERIORS)
    right = [truth_of(int(item[1:])) for item in posteriors.column("item_id").to_pylist()]
    assert posteriors.column("answer").to_pylist() == right


async def test_audit_gold_is_labelled_like_any_other_item(world: World) -> None:
    service, operation = await prepared(world)
    index = await service.tables.read(operation.results["index"], INDEX)
    roles = dict(zip(*(index.column(name).to_pylist() for name in ("item_id", "gold_role")), strict=True))
    gold = [item for item in roles if roles[item]]
    await asked(service, 0, gold)
    await service.submit(*answers(gold, "ann", "bob", wrong=frozenset()), *answers(gold, "eve", wrong=frozenset(gold)))
    votes = await service.run("StartVote", vote_stage(1))
    for item in gold:  # a crowd that is wrong about everything
        await service.submit(
            *(
                vote(
                    f"{item}-{who}-2",
                    item,
                    who,
                    "dog" if truth_of(int(item[1:])) == "cat" else "cat",
                    supersedes=f"{item}-{who}",
                )
                for who in ("ann", "bob")
            )
        )
    votes = await service.run("StartVote", vote_stage(2, votes.results["votes"]))
    result = await service.run(
        "StartAggregate", aggregate(2, votes.results["votes"], inference=dawid_skene("MajorityVote"))
    )
    posteriors = await service.tables.read(result.results["posteriors"], POSTERIORS)
    right = {row["item_id"]: row["answer"] == truth_of(int(row["item_id"][1:])) for row in posteriors.to_pylist()}
    assert all(right[item] for item in gold if roles[item] == "gate")
    assert not any(right[item] for item in gold if roles[item] == "audit")
    assert result.figures["gate_accuracy"] == 0.0


async def finalized(world: World, service: Service, **extra: Any) -> tuple[operation_pb2.Operation, str]:
    items = [f"i{k}" for k in range(12)]
    await asked(service, 0, items)
    await service.submit(*answers(items, "ann", "bob"))
    votes = await service.run("StartVote", vote_stage(1))
    return await service.run("StartFinalize", finalize(1, votes.results["votes"], **extra)), votes.results["votes"]


async def test_finalize_labels_everything_exports_and_reports(world: World) -> None:
    service, _ = await prepared(world)
    logits = {f"i{k}": [4.0, -4.0] if truth_of(k) == "cat" else [-4.0, 4.0] for k in range(N_ITEMS)}
    scores = await write_scores(service, logits)
    operation, _ = await finalized(
        world,
        service,
        model_predictions=pb.ModelPredictions(scores_ref=scores),
        acceptance=pb.Acceptance(enabled=True, maximum_risk=0.3, confidence=0.9),
        provenance=pb.Provenance(truth_field="truth", job_yaml="metadata: {name: tiny}\n", stop_reason="BudgetSpent"),
        stages=[pb.StageOperation(stage="Vote", request_id="job/1/vote/1")],
    )
    labels = await service.tables.read(operation.results["labels"], LABELS)
    assert len(labels) == N_ITEMS
    states = labels.column("state").to_pylist()
    gold_or_voted = sum(k % 3 == 0 or k < 12 for k in range(N_ITEMS))
    assert (states.count("human"), states.count("accepted"), states.count("predicted")) == (
        gold_or_voted,
        N_ITEMS - gold_or_voted,
        0,
    )
    assert operation.figures["human"] == gold_or_voted
    assert operation.figures["audit_accuracy"] == operation.figures["truth_accuracy"] == 1.0
    assert 0 < operation.figures["audit_low"] < operation.figures["audit_high"] <= 1.0
    assert set(operation.results) == {"labels", "report", "export_csv", "export_jsonl", "export_parquet"}
    exported = pa_csv.read_csv(world.out / operation.results["export_csv"])
    assert exported.column("item").to_pylist() == [f"i{k}" for k in range(N_ITEMS)]
    assert "tiny" in (world.out / "report/index.html").read_text(encoding="utf-8")
    assert set(read_json(world.out / "rounds/0001/manifest.json")["stages"]) == {"Vote", "Finalize"}


async def test_audit_accuracy_is_of_inferred_labels_and_never_of_the_known_ones(world: World) -> None:
    service, _ = await prepared(world)
    wrong = {f"i{k}": [-4.0, 4.0] if truth_of(k) == "cat" else [4.0, -4.0] for k in range(N_ITEMS)}
    scores = await write_scores(service, wrong)
    operation, _ = await finalized(world, service, model_predictions=pb.ModelPredictions(scores_ref=scores))
    assert operation.figures["audit_accuracy"] < 1.0
    assert operation.figures["accepted"] == 0
    labels = await service.tables.read(operation.results["labels"], LABELS)
    gold = [row for row in labels.to_pylist() if int(row["item_id"][1:]) % 3 == 0]
    assert all(row["label"] == truth_of(int(row["item_id"][1:])) and row["state"] == "human" for row in gold)


async def test_finalize_without_formats_labels_and_reports_and_exports_nothing(world: World) -> None:
    service, _ = await prepared(world)
    operation, _ = await finalized(world, service, formats=[])
    assert set(operation.results) == {"labels", "report"}
    assert not (world.out / "export").exists()


async def test_finalize_without_a_model_predicts_and_vouches_for_nothing(world: World) -> None:
    service, _ = await prepared(world)
    operation, _ = await finalized(world, service)
    assert operation.figures["accepted"] == 0
    assert operation.figures["predicted"] > 0
    assert "truth_accuracy" not in operation.figures


async def test_job_that_is_applied_again_goes_on_after_its_last_round(world: World) -> None:
    service, _ = await prepared(world)
    items = [f"i{k}" for k in range(4)]
    review_operation = await asked(service, 0, items)
    await service.submit(*answers(items, "ann"))
    await service.run("StartVote", vote_stage(1, attempt=3))
    await world.kill(service)
    service = await world.start()
    operation = await service.run("StartPrepare", prepare("again", gold_field="gold"))
    assert (operation.figures["last_round"], operation.figures["attempts"]) == (0, 3)
    assert operation.results["tasks"] == review_operation.results["tasks"]
    assert (await service.progress()).votes == 4


REFUSED: list[Any] = [
    pytest.param(
        "StartPrepare",
        prepare(task=task_pb2.Task(type="Nothing", classes=["a", "b"])),
        "UnknownTaskKind",
        id="unknown task",
    ),
    pytest.param("StartPrepare", prepare(task=text_task(["a"])), "InvalidInput", id="one class"),
    pytest.param("StartPrepare", prepare(format="Xml"), "InvalidInput", id="unknown format"),
    pytest.param("StartPrepare", prepare(gold_gate_share=1.5), "InvalidInput", id="share above one"),
    pytest.param(
        "StartPrepare",
        pb.StartPrepareRequest(invocation=invocation("a"), task=text_task()),
        "InvalidInput",
        id="no owner",
    ),
    pytest.param(
        "StartPrepare",
        pb.StartPrepareRequest(invocation=invocation("../a"), task=text_task()),
        "InvalidInput",
        id="request id that leaves",
    ),
    pytest.param(
        "StartVote",
        pb.StartVoteRequest(invocation=invocation("a"), task=text_task()),
        "InvalidInput",
        id="vote without index",
    ),
    pytest.param("StartAggregate", aggregate(0, ""), "InvalidInput", id="aggregate without votes"),
    pytest.param(
        "StartAggregate", aggregate(0, "v", inference=pb.Inference(method="Guess")), "InvalidInput", id="unknown method"
    ),
    pytest.param(
        "StartAggregate",
        aggregate(0, "v", inference=pb.Inference(method="DawidSkene")),
        "InvalidInput",
        id="no iterations",
    ),
    pytest.param(
        "StartAggregate", aggregate(0, "v", class_minimums=minimums(cow=0.5)), "InvalidInput", id="gate on no class"
    ),
    pytest.param(
        "StartAggregate",
        aggregate(0, "v", class_minimums=minimums(cat=0.5) + minimums(cat=0.6)),
        "InvalidInput",
        id="two gates on one class",
    ),
    pytest.param(
        "StartAggregate", aggregate(0, "v", class_minimums=minimums(cat=1.5)), "InvalidInput", id="gate above one"
    ),
    pytest.param("StartReview", review(0, "s", votes_per_item=0), "InvalidInput", id="no votes wanted"),
    pytest.param("StartReview", review(0, "s", votes_per_item=26), "InvalidInput", id="too many votes wanted"),
    pytest.param("StartReview", review(0, ""), "InvalidInput", id="review without selection"),
    pytest.param("StartReview", review(0, "s", suggestion_hidden_share=-0.1), "InvalidInput", id="share below zero"),
    pytest.param("StartFinalize", finalize(0, "v", formats=["Xml"]), "UnknownExportFormat", id="unknown export"),
    pytest.param(
        "StartFinalize",
        finalize(0, "v", acceptance=pb.Acceptance(enabled=True, confidence=1.0)),
        "InvalidInput",
        id="bound that cannot be",
    ),
]


@pytest.mark.parametrize(("rpc", "request_", "want"), REFUSED)
async def test_wrong_request_is_refused_before_anything_starts(
    world: World, rpc: str, request_: Any, want: str
) -> None:
    service = await world.start()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(service.stages, rpc)(request_)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert dict(caught.value.trailing_metadata() or ())["labelplane-reason"] == want
    assert not (world.out / "operations").exists()


MISSING: list[Any] = [
    pytest.param("StartVote", vote_stage(0, "no/votes.json"), id="vote"),
    pytest.param("StartAggregate", aggregate(0, "no/votes.json"), id="aggregate"),
    pytest.param("StartReview", review(0, "no/selection.json"), id="review"),
    pytest.param("StartFinalize", finalize(0, "no/votes.json"), id="finalize"),
]


@pytest.mark.parametrize(("rpc", "request_"), MISSING)
async def test_reference_to_nothing_fails_the_operation(world: World, rpc: str, request_: Any) -> None:
    service, _ = await prepared(world)
    error = await service.fail(rpc, request_)
    assert (error.reason, error.code) == ("ObjectNotFound", grpc.StatusCode.NOT_FOUND.value[0])


async def test_same_start_twice_is_one_operation(world: World) -> None:
    service, first = await prepared(world)
    again = await service.stages.StartPrepare(prepare(gold_field="gold"))
    assert again.operation == first


async def test_same_id_with_other_parameters_is_refused(world: World) -> None:
    service, _ = await prepared(world)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stages.StartPrepare(prepare(gold_field="truth"))
    assert dict(caught.value.trailing_metadata() or ())["labelplane-reason"] == "RequestMismatch"


async def test_leader_that_was_replaced_is_refused(world: World) -> None:
    service, _ = await prepared(world)
    request = vote_stage(0)
    request.invocation.leader_epoch = 5
    await service.run("StartVote", request)
    request.invocation.leader_epoch = 4
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stages.StartVote(request)
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert dict(caught.value.trailing_metadata() or ())["labelplane-reason"] == "StaleEpoch"


async def test_call_without_the_token_is_refused(world: World) -> None:
    service = await world.start()
    channel = open_channel(service.address, token="wrong")
    try:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await pb_grpc.AggregationServiceStub(channel).StartVote(vote_stage(0))
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    finally:
        await channel.close()


async def test_report_escapes_hostile_items(world: World) -> None:
    rows = [f"i{k},<script>alert({k})</script>," for k in range(4)]
    world.write_csv(["id,text,gold", *rows])
    service = await world.start()
    await service.run("StartPrepare", prepare(gold_field="gold"))
    votes = await service.run("StartVote", vote_stage(0))
    await service.run("StartFinalize", finalize(0, votes.results["votes"]))
    page = world.report()
    assert "&lt;script&gt;alert(0)" in page
    assert "<script>alert" not in page


async def voted_round(service: Service, number: int, votes_ref: str) -> tuple[pb.RoundRefs, str]:
    """Run a round in which one more item is voted on, close it, and return its references and its votes."""
    items = [f"i{number}"]
    votes = await service.run("StartVote", vote_stage(number, votes_ref))
    labels = await service.run("StartAggregate", aggregate(number, votes.results["votes"]))
    selection = await write_selection(service, number, items)
    stages = [
        pb.StageOperation(stage=stage, request_id=f"job/{number}/{stage.lower()}/1") for stage in ("Vote", "Aggregate")
    ]
    await service.run("StartReview", review(number, selection, stages=stages))
    await service.submit(*answers(items, "ann", "bob"))
    refs = pb.RoundRefs(
        number=number,
        votes=int(votes.figures["people_votes"]),
        posteriors_ref=labels.results["posteriors"],
    )
    return refs, votes.results["votes"]


def votes_by_round(page: str) -> list[tuple[str, str]]:
    """Return the rows of the report's table of votes: the round, and the votes in all."""
    table = page[page.index('id="votes-by-round"') :].split("</table>", maxsplit=1)[0]
    cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", table)[3:]
    return list(zip(cells[::3], cells[2::3], strict=True))


@pytest.mark.parametrize(
    "named", [pytest.param(15, id="all are named"), pytest.param(10, id="ten"), pytest.param(1, id="one")]
)
async def test_report_has_every_round_however_few_the_request_names(world: World, named: int) -> None:
    service, _ = await prepared(world)
    rounds, votes_ref = [], ""
    for number in range(15):
        refs, votes_ref = await voted_round(service, number, votes_ref)
        rounds.append(refs)
    votes = await service.run("StartVote", vote_stage(15, votes_ref))

    await service.run("StartFinalize", finalize(15, votes.results["votes"], rounds=rounds[-named:]))

    assert votes_by_round(world.report()) == [*((str(n), str(2 * n)) for n in range(15)), ("end", "30")]


async def test_report_of_an_adopted_prefix_has_the_rounds_of_the_job_before(world: World) -> None:
    service, _ = await prepared(world)
    _, votes_ref = await voted_round(service, 0, "")
    votes = await service.run("StartVote", vote_stage(1, votes_ref))

    await service.run("StartFinalize", finalize(1, votes.results["votes"]))

    assert votes_by_round(world.report()) == [("0", "0"), ("end", "2")]
