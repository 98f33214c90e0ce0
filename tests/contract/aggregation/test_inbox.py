"""The inbox over real gRPC: what is acknowledged is durable, once, whoever dies."""

import asyncio
from typing import Any

import grpc
import pytest
from aggregation_world import Service, World, prepare, review, vote, vote_stage, write_selection

from labelplane.aggregation.v1 import review_inbox_pb2 as pb
from labelplane_core.tables import BAD_VOTES, VOTES, TableManifest, current_votes

ITEMS = [f"i{k}" for k in range(6)]


async def open_inbox(world: World, *, votes_per_item: int = 2) -> Service:
    """A service whose data set is indexed and whose items are all asked about."""
    world.write_csv(["id,text", *(f"{item},text of {item}" for item in ITEMS)])
    service = await world.start()
    await service.run("StartPrepare", prepare())
    selection = await write_selection(service, 0, ITEMS)
    await service.run("StartReview", review(0, selection, votes_per_item=votes_per_item))
    return service


async def list_tasks(service: Service, after: int = -1, limit: int = 0) -> pb.ListTasksResponse:
    response = await service.inbox.ListTasks(pb.ListTasksRequest(after_number=after, limit=limit))
    assert isinstance(response, pb.ListTasksResponse)
    return response


async def drained(service: Service, number: int, previous: str = "") -> tuple[Any, Any]:
    """Run Vote and return its operation and all votes."""
    operation = await service.run("StartVote", vote_stage(number, previous))
    return operation, await service.tables.read(operation.results["votes"], VOTES)


async def test_tasks_come_in_pages_with_what_shows_their_items(world: World) -> None:
    service = await open_inbox(world)
    page = await list_tasks(service, limit=4)
    assert [task.number for task in page.tasks] == [0, 1, 2, 3]
    assert (page.tasks[0].item_id, page.tasks[0].text, page.tasks[0].votes_wanted) == ("i0", "text of i0", 2)
    assert page.tasks[0].suggestion == "cat"
    assert not page.end
    rest = await list_tasks(service, after=3, limit=4)
    assert ([task.number for task in rest.tasks], rest.end) == ([4, 5], True)


async def test_answered_tasks_are_listed_no_more(world: World) -> None:
    service = await open_inbox(world)
    await service.submit(vote("1", "i0", "ann", "cat"), vote("2", "i0", "bob", "cat"), vote("3", "i1", "ann", "cat"))
    tasks = {task.item_id: task.votes_wanted for task in (await list_tasks(service)).tasks}
    assert tasks == {"i1": 1, "i2": 2, "i3": 2, "i4": 2, "i5": 2}
    progress = await service.progress()
    assert (progress.tasks_open, progress.votes_missing, progress.votes_pending, progress.votes) == (5, 9, 3, 3)


async def test_votes_that_cannot_count_are_set_aside_and_the_others_count(world: World) -> None:
    service = await open_inbox(world)
    receipt = await service.submit(
        vote("1", "i0", "ann", "CAT"),
        vote("2", "nope", "ann", "cat", origin="votes.csv:7"),
        vote("3", "i1", "ann", "cow"),
        vote("4", "i2", "", "cat"),
    )
    assert receipt.accepted == 1
    assert {aside.vote_id: aside.reason for aside in receipt.set_aside} == {
        "2": "UnknownItem",
        "3": "UnknownClass",
        "4": "BadVote",
    }
    assert receipt.set_aside[0].message.startswith("votes.csv:7: ")
    operation, votes = await drained(service, 1)
    assert votes.column("answer").to_pylist() == ["cat"]
    assert operation.figures["votes_set_aside"] == 3
    kept = await service.tables.read_part("votes/set-aside/00000001.parquet", BAD_VOTES)
    assert kept.column("reason").to_pylist() == ["UnknownItem", "UnknownClass", "BadVote"]


async def test_resend_is_no_second_vote_whenever_it_comes(world: World) -> None:
    service = await open_inbox(world)
    sent = [vote("1", "i0", "ann", "cat"), vote("2", "i0", "bob", "cat"), vote("bad", "nope", "bob", "cat")]
    await service.submit(*sent)
    again = await service.submit(*sent)
    assert (again.accepted, again.duplicates, len(again.set_aside)) == (0, 2, 1)
    operation, _ = await drained(service, 1)
    assert (await service.submit(*sent)).duplicates == 2
    await world.kill(service)
    service = await world.start()
    assert (await service.submit(*sent)).duplicates == 2
    progress = await service.progress()
    assert (progress.votes, progress.votes_pending, progress.votes_set_aside) == (2, 0, 1)
    second, votes = await drained(service, 2, operation.results["votes"])
    assert (len(votes), second.figures["new_votes"]) == (2, 0)


async def test_same_vote_twice_in_one_call_counts_once(world: World) -> None:
    service = await open_inbox(world)
    receipt = await service.submit(vote("1", "i0", "ann", "cat"), vote("1", "i0", "ann", "cat"))
    assert (receipt.accepted, receipt.duplicates) == (1, 1)


async def test_votes_of_many_callers_share_puts(world: World) -> None:
    service = await open_inbox(world, votes_per_item=25)
    await asyncio.gather(*(service.submit(vote(f"{k}", "i0", f"a{k}", "cat")) for k in range(60)))
    batches = list((world.out / "review/inbox").iterdir())
    assert len(batches) < 40
    assert (await service.progress()).votes == 60
    await world.kill(service)
    assert (await (await world.start()).progress()).votes == 60


async def test_edits_and_retractions_are_kept(world: World) -> None:
    service = await open_inbox(world)
    await service.submit(vote("1", "i0", "ann", "cat"), vote("2", "i1", "ann", "cat"))
    await service.submit(
        vote("3", "i0", "ann", "dog", supersedes="1"), vote("4", "i1", "ann", "", supersedes="2", retracted=True)
    )
    operation, votes = await drained(service, 1)
    assert (operation.figures["votes"], operation.figures["people_votes"]) == (4, 1)
    assert current_votes(votes).column("answer").to_pylist() == ["dog"]
    assert {task.item_id: task.votes_wanted for task in (await list_tasks(service)).tasks}["i1"] == 2


async def test_acknowledged_vote_survives_a_kill_and_an_unacknowledged_one_may_be_sent_again(world: World) -> None:
    service = await open_inbox(world)
    await service.submit(vote("1", "i0", "ann", "cat"))
    service.store.die_at("review/inbox/", after=True)
    lost = asyncio.create_task(service.submit(vote("2", "i0", "bob", "cat")))
    await asyncio.wait_for(service.store.died.wait(), timeout=30)
    await world.kill(service)
    await asyncio.gather(lost, return_exceptions=True)
    service = await world.start()
    receipt = await service.submit(vote("1", "i0", "ann", "cat"), vote("2", "i0", "bob", "cat"))
    assert (receipt.accepted, receipt.duplicates) == (0, 2)
    assert (await service.progress()).votes_pending == 2


@pytest.mark.parametrize(
    ("key", "after"),
    [
        pytest.param("votes/set-aside/", False, id="before anything is drained"),
        pytest.param("votes/humans/", False, id="between the two files of a drain"),
        pytest.param("votes/humans/", True, id="between file and manifest"),
        pytest.param("vote/1/manifest", True, id="between manifest and record"),
    ],
)
async def test_drain_counts_each_vote_once_when_it_is_killed(world: World, key: str, after: bool) -> None:
    service = await open_inbox(world)
    first, _ = await drained(service, 0)
    await service.submit(*(vote(f"{item}", item, "ann", "cat") for item in ITEMS), vote("bad", "nope", "ann", "cat"))
    service.store.die_at(key, after=after)
    await service.stages.StartVote(vote_stage(1, first.results["votes"]))
    await asyncio.wait_for(service.store.died.wait(), timeout=30)
    await world.kill(service)
    service = await world.start()
    await service.submit(vote("late", "i0", "bob", "cat"))
    operation, votes = await drained(service, 1, first.results["votes"])
    second, rest = await drained(service, 2, operation.results["votes"])
    assert sorted(rest.column("vote_id").to_pylist()) == sorted([*ITEMS, "late"])
    assert len(votes) + second.figures["new_votes"] == len(rest)
    assert second.figures["votes_set_aside"] == 1
    assert operation.takeovers == 1


async def test_votes_that_come_while_another_process_writes_are_all_kept(world: World) -> None:
    service = await open_inbox(world, votes_per_item=25)
    await service.progress()
    other = await world.start()
    await other.progress()
    for k in range(5):  # both believe the next batch to be theirs
        await service.submit(vote(f"a{k}", "i0", f"a{k}", "cat"))
        await other.submit(vote(f"b{k}", "i0", f"b{k}", "cat"))
    _, votes = await drained(other, 1)
    assert len(votes) == 10
    operation, everything = await drained(service, 2)
    assert len(current_votes(everything)) == 10
    assert operation.figures["people_votes"] == 10


async def test_store_that_is_away_refuses_the_vote_and_keeps_no_trace(world: World) -> None:
    service = await open_inbox(world)
    service.store.is_away = True
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.submit(vote("1", "i0", "ann", "cat"))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert (await service.progress()).votes == 0
    service.store.is_away = False
    assert (await service.submit(vote("1", "i0", "ann", "cat"))).accepted == 1


async def test_cancelled_caller_takes_no_other_vote_with_it(world: World) -> None:
    service = await open_inbox(world)
    calls = [asyncio.create_task(service.submit(vote(f"{k}", "i0", f"a{k}", "cat"))) for k in range(10)]
    await asyncio.sleep(0.005)
    calls[0].cancel()
    done = await asyncio.gather(*calls, return_exceptions=True)
    accepted = [each for each in done if not isinstance(each, BaseException)]
    assert len(accepted) >= 9
    await world.kill(service)
    assert (await (await world.start()).progress()).votes >= 9


async def test_votes_before_prepare_are_to_be_sent_again(world: World) -> None:
    service = await world.start()
    progress = await service.progress()
    assert (progress.tasks_open, progress.votes) == (0, 0)
    assert (await list_tasks(service)).end
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.submit(vote("1", "i0", "ann", "cat"))
    assert caught.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert dict(caught.value.trailing_metadata() or ())["labelplane-reason"] == "NotPrepared"


TOO_MUCH = [
    pytest.param(
        "SubmitVotes", pb.SubmitVotesRequest(votes=[vote(f"{k}", "i0", "a", "cat") for k in range(10_001)]), id="votes"
    ),
    pytest.param("ListTasks", pb.ListTasksRequest(limit=1001), id="tasks"),
]


@pytest.mark.parametrize(("rpc", "request_"), TOO_MUCH)
async def test_call_for_too_much_is_refused(world: World, rpc: str, request_: Any) -> None:
    service = await world.start()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(service.inbox, rpc)(request_)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_tasks_and_votes_are_known_again_after_a_kill(world: World) -> None:
    service = await open_inbox(world)
    await service.submit(vote("1", "i0", "ann", "cat"), vote("2", "i0", "bob", "cat"))
    before = await list_tasks(service)
    await world.kill(service)
    assert await list_tasks(await world.start()) == before


async def test_manifest_of_votes_is_a_chain_of_files(world: World) -> None:
    service = await open_inbox(world)
    await service.submit(vote("1", "i0", "ann", "cat"))
    first, _ = await drained(service, 1)
    await service.submit(vote("2", "i1", "ann", "cat"))
    second, _ = await drained(service, 2, first.results["votes"])
    manifest = await service.tables.read_manifest(second.results["votes"], VOTES)
    assert isinstance(manifest, TableManifest)
    assert [part.key for part in manifest.parts] == ["votes/humans/00000001.parquet", "votes/humans/00000002.parquet"]
