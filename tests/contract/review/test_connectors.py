"""Connectors against the aggregation service itself, over real gRPC."""

import asyncio
from collections import defaultdict

import grpc
import pytest
from aggregation_world import Service, World, prepare, review, vote_stage, write_selection

from labelplane_core.rpc import open_channel
from labelplane_core.storage import FolderStore, ObjectStore
from labelplane_core.tables import VOTES, current_votes
from labelplane_review import (
    AnnotatorGroup,
    FilesConnector,
    InboxClient,
    PollTimes,
    SimulatedConnector,
    SimulatedCrowd,
)

ITEMS = [f"i{k}" for k in range(8)]
CLASSES = ("cat", "dog")
TRUTH = {item: CLASSES[place % 2] for place, item in enumerate(ITEMS)}


async def asking(world: World) -> Service:
    world.write_csv(["id,text", *(f"{item},=text of {item}" for item in ITEMS)])
    service = await world.start()
    await service.run("StartPrepare", prepare())
    await service.run("StartReview", review(0, await write_selection(service, 0, ITEMS), votes_per_item=3))
    return service


def crowd_of(service: Service, truth: dict[str, str] | None = None) -> SimulatedConnector:
    groups = [AnnotatorGroup("good", 5, AnnotatorGroup.symmetric(0.9, 2), response_seconds=4.0)]
    crowd = SimulatedCrowd(groups, CLASSES, seed=3)
    return SimulatedConnector(InboxClient(service.channel), crowd, truth or TRUTH, votes_per_item=3)


async def votes_of(service: Service, number: int = 1) -> list[dict[str, object]]:
    operation = await service.run("StartVote", vote_stage(number))
    rows: list[dict[str, object]] = current_votes(
        await service.tables.read(operation.results["votes"], VOTES)
    ).to_pylist()
    return rows


def answers(rows: list[dict[str, object]]) -> set[tuple[object, ...]]:
    return {(row["vote_id"], row["item_id"], row["annotator"], row["answer"]) for row in rows}


async def test_crowd_answers_every_task_with_different_annotators(world: World) -> None:
    service = await asking(world)
    assert await crowd_of(service).poll_once() == 24
    assert (await service.progress()).votes_missing == 0
    rows = await votes_of(service)
    who = defaultdict(set)
    for row in rows:
        who[row["item_id"]].add(row["annotator"])
    assert {len(each) for each in who.values()} == {3}
    assert {row["lead_time_seconds"] for row in rows} == {4.0}


async def test_crowd_that_is_interrupted_gives_the_votes_of_one_that_was_not(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    service = await asking(world)
    await crowd_of(service).poll_once()
    whole = answers(await votes_of(service))
    folder = tmp_path_factory.mktemp("other")
    (folder / "data").mkdir()
    other = World(folder / "data", folder / "out")
    world.services.append(service := await asking(other))
    service.store.die_at("review/inbox/", after=True)
    sending = asyncio.create_task(crowd_of(service).poll_once())
    await asyncio.wait_for(service.store.died.wait(), timeout=30)
    await other.kill(service)
    await asyncio.gather(sending, return_exceptions=True)
    world.services.append(service := await other.start())
    await crowd_of(service).poll_once()
    assert answers(await votes_of(service)) == whole


async def test_crowd_waits_for_an_inbox_that_is_away_and_gives_up_on_a_wrong_token(world: World) -> None:
    service = await asking(world)
    service.store.is_away = True
    stop = asyncio.Event()
    running = asyncio.create_task(crowd_of(service).run(stop))
    await asyncio.sleep(0.2)
    assert not running.done()
    service.store.is_away = False
    while (await service.progress()).votes_missing:  # noqa: ASYNC110 - another process has no event to wait for
        await asyncio.sleep(0.02)
    stop.set()
    await running
    channel = open_channel(service.address, token="wrong")
    groups = [AnnotatorGroup("good", 3, AnnotatorGroup.symmetric(0.9, 2))]
    refused = SimulatedConnector(InboxClient(channel), SimulatedCrowd(groups, CLASSES, seed=1), TRUTH, votes_per_item=3)
    with pytest.raises(grpc.aio.AioRpcError):
        await refused.run(asyncio.Event())
    await channel.close()


def files_of(service: Service, folder: ObjectStore) -> FilesConnector:
    return FilesConnector(InboxClient(service.channel), folder, times=PollTimes(1.0, 8.0))


async def test_files_become_votes_and_bad_rows_are_counted_with_their_line(world: World) -> None:
    service = await asking(world)
    folder = FolderStore(world.data.parent / "votes")
    connector = files_of(service, folder)
    await connector.poll_once()
    tasks = (await folder.get("tasks.csv")).data.decode()
    assert tasks.splitlines()[1] == "i0,,'=text of i0,cat,0.000,"
    await folder.put("ann.csv", b"item,label\ni0,cat\nnope,dog\n,dog\ni1,Dog\n")
    await connector.poll_once()
    progress = await service.progress()
    assert (progress.votes, progress.votes_set_aside) == (2, 2)
    rows = await votes_of(service)
    assert {(row["item_id"], row["annotator"], row["answer"]) for row in rows} == {
        ("i0", "ann", "cat"),
        ("i1", "ann", "dog"),
    }


async def test_answer_that_is_changed_and_changed_back_counts_as_it_stands(world: World) -> None:
    service = await asking(world)
    folder = FolderStore(world.data.parent / "votes")
    for label in ("cat", "dog", "cat", "dog", "cat"):
        await folder.put("ann.csv", f"item,label\ni0,{label}\n".encode())
        await files_of(service, folder).poll_once()  # a new process each time
    rows = await votes_of(service)
    assert [(row["item_id"], row["answer"]) for row in rows] == [("i0", "cat")]


async def test_file_that_was_sent_while_its_state_was_lost_counts_once(world: World) -> None:
    service = await asking(world)
    folder = FolderStore(world.data.parent / "votes")
    await folder.put("ann.csv", b"item,label\ni0,cat\n")
    await files_of(service, folder).poll_once()
    await folder.delete("labelplane-state.json")
    await files_of(service, folder).poll_once()
    assert (await service.progress()).votes == 1


async def test_crowd_gives_an_item_that_is_asked_about_again_the_votes_it_lacks_and_no_more(world: World) -> None:
    service = await asking(world)
    groups = [AnnotatorGroup("good", 5, AnnotatorGroup.symmetric(0.9, 2))]
    crowd = SimulatedCrowd(groups, CLASSES, seed=3)

    def connector() -> SimulatedConnector:
        return SimulatedConnector(InboxClient(service.channel), crowd, TRUTH, votes_per_item=3, max_votes_per_item=5)

    running = connector()
    await running.poll_once()
    before = answers(await votes_of(service))
    again = await write_selection(service, 1, ITEMS[:2])
    await service.run("StartReview", review(1, again, votes_per_item=4))
    await running.poll_once()
    after = answers(await votes_of(service, 2))
    assert before < after
    assert sorted(str(item) for _, item, _, _ in after - before) == ITEMS[:2]
    # One that has been started anew does not know what was sent, and comes to as many.
    await service.run("StartReview", review(2, await write_selection(service, 2, ITEMS[:1]), votes_per_item=5))
    restarted = connector()
    while (await service.progress()).votes_missing:
        await restarted.poll_once()
    assert [item for _, item, _, _ in answers(await votes_of(service, 3)) - after] == ITEMS[:1]
