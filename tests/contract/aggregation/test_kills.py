"""A stage that is killed at any write is finished by the next process, with the same result."""

import asyncio
from typing import Any

import pytest
from aggregation_world import Service, World, aggregate, finalize, prepare, review, vote, vote_stage, write_selection

from labelplane.aggregation.v1 import aggregation_pb2 as pb

ITEMS = [f"i{k}" for k in range(12)]


def write_data(world: World) -> None:
    gold = {k: "cat" if k % 2 else "dog" for k in range(6)}
    world.write_csv(["id,text,gold", *(f"i{k},text {k},{gold.get(k, '')}" for k in range(12)), "blank, ,"])


async def play(service: Service) -> dict[str, Any]:
    """Run every stage of a small job and return what each gave."""
    done: dict[str, Any] = {}
    done["prepare"] = await service.run("StartPrepare", prepare(gold_field="gold"))
    votes = done["vote"] = await service.run("StartVote", vote_stage(0))
    done["aggregate"] = await service.run("StartAggregate", aggregate(0, votes.results["votes"]))
    selection = await write_selection(service, 0, ITEMS)
    stages = [pb.StageOperation(stage="Vote", request_id="job/0/vote/1")]
    done["review"] = await service.run("StartReview", review(0, selection, stages=stages))
    await service.submit(
        *(
            vote(f"{item}-{who}", item, who, "cat" if int(item[1:]) % 2 else "dog")
            for item in ITEMS
            for who in ("a", "b")
        )
    )
    votes = done["vote2"] = await service.run("StartVote", vote_stage(1, votes.results["votes"]))
    done["aggregate2"] = await service.run("StartAggregate", aggregate(1, votes.results["votes"]))
    done["finalize"] = await service.run("StartFinalize", finalize(1, votes.results["votes"]))
    return done


KEYS = [
    "owner.json",
    "dataset/index-00000.parquet",
    "dataset/errors.parquet",
    "dataset/manifest.json",
    "review/state.json",
    "aggregate/1/posteriors.parquet",
    "aggregate/1/reliabilities",
    "review/tasks/",
    "review/1/manifest",
    "rounds/0000/manifest.json",
    "votes/humans/",
    "finalize/1/labels.parquet",
    "export/labels.jsonl",
    "report/index.html",
    "rounds/0001/manifest.json",
]


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("key", KEYS)
async def test_job_that_is_killed_at_a_write_ends_the_same(world: World, key: str, after: bool) -> None:
    write_data(world)
    service = await world.start()
    service.store.die_at(key, after=after)
    playing = asyncio.create_task(play(service))
    await asyncio.wait_for(service.store.died.wait(), timeout=30)
    await world.kill(service)
    playing.cancel()
    await asyncio.gather(playing, return_exceptions=True)
    done = await play(await world.start())
    assert sum(operation.takeovers for operation in done.values()) == 1
    assert done["prepare"].figures["items"] == 12
    assert done["prepare"].figures["item_errors"] == 1
    assert (done["vote2"].figures["votes"], done["vote2"].figures["new_votes"]) == (24, 24)
    assert done["review"].figures["tasks"] == 12
    assert (done["finalize"].figures["human"], done["aggregate2"].figures["labelled"]) == (12, 12)
    export = (world.out / "export/labels.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(export) == 12
    assert (world.out / "rounds/0001/manifest.json").exists()


async def test_blocks_of_an_unfinished_index_are_not_read_again(world: World) -> None:
    for name in ("a.png", "b.png"):
        world.write_image(name)
    (world.data / "bad.png").write_bytes(b"no image")
    service = await world.start()
    service.store.die_at("dataset/errors.parquet")
    task = prepare().task
    task.type = "ImageClassification"
    await service.stages.StartPrepare(prepare(task=task))
    await asyncio.wait_for(service.store.died.wait(), timeout=30)
    await world.kill(service)
    (world.data / "a.png").write_bytes(b"changed, and not to be read again")
    done = await (await world.start()).run("StartPrepare", prepare(task=task))
    assert (done.figures["items"], done.figures["item_errors"]) == (2, 1)


async def test_data_set_that_grew_before_the_index_was_finished_is_indexed_anew(world: World) -> None:
    world.write_csv(["id,text", "1,a", "2,b"])
    service = await world.start()
    service.store.die_at("dataset/errors.parquet")
    await service.stages.StartPrepare(prepare())
    await asyncio.wait_for(service.store.died.wait(), timeout=30)
    await world.kill(service)
    world.write_csv(["id,text", "0,z", "1,a", "2,b"])
    done = await (await world.start()).run("StartPrepare", prepare())
    assert done.figures["items"] == 3
