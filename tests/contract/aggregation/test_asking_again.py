"""Review asks people again about items where another vote is worth it, and about no others."""

from typing import Any

import pytest
from aggregation_world import (
    Service,
    World,
    aggregate,
    prepare,
    review,
    vote,
    vote_stage,
    write_selection,
)

from labelplane.aggregation.v1 import aggregation_pb2 as pb
from labelplane.aggregation.v1 import review_inbox_pb2 as inbox_pb
from labelplane.operation.v1 import operation_pb2
from labelplane_core.tables import TASKS

PEOPLE = ("ann", "bob", "cid", "dan")
GOLD = frozenset(f"i{k}" for k in range(0, 30, 5))
ITEMS = [f"i{k}" for k in range(30)]
DISPUTED = frozenset({"i0", "i1", "i2", "i3"})
"""Of them i0 is gold."""


def answer_of(item: str, place: int) -> str:
    right = ("cat", "dog")[int(item[1:]) % 2]
    other = ("dog", "cat")[int(item[1:]) % 2]
    return other if item in DISPUTED and place else right


async def voted(world: World) -> tuple[Service, str]:
    """A round whose items have two votes each; some are of two minds. Also the selection."""
    rows = [f"{item},text of {item},{answer_of(item, 0) if item in GOLD else ''}" for item in ITEMS]
    world.write_csv(["id,text,gold", *rows])
    service = await world.start()
    await service.run("StartPrepare", prepare(gold_field="gold"))
    selection = await write_selection(service, 0, ITEMS)
    await service.run("StartReview", review(0, selection))
    for number, item in enumerate(ITEMS):
        who = (PEOPLE[number % 4], PEOPLE[(number + 1) % 4])
        await service.submit(*(vote(f"{item}-{name}", item, name, answer_of(item, k)) for k, name in enumerate(who)))
    return service, selection


async def asked_again(
    service: Service, number: int, selection: str, new: list[str], **changed: Any
) -> operation_pb2.Operation:
    votes = await service.run("StartVote", vote_stage(number))
    found = await service.run("StartAggregate", aggregate(number, votes.results["votes"]))
    fields = {"most_votes_per_item": 5, "least_gain": 0.01, "at_most": 10} | changed
    further = pb.FurtherVotes(
        posteriors_ref=found.results["posteriors"],
        reliabilities_ref=found.results["reliabilities"],
        votes_ref=votes.results["votes"],
        **fields,
    )
    chosen = await write_selection(service, number, new, before=selection)
    return await service.run("StartReview", review(number, chosen, further=further))


async def tasks_of(service: Service, operation: operation_pb2.Operation, number: int) -> list[dict[str, Any]]:
    rows = (await service.tables.read(operation.results["tasks"], TASKS)).to_pylist()
    return [row for row in rows if row["round"] == number]


async def test_disputed_items_get_one_more_vote_and_gold_and_clear_items_none(world: World) -> None:
    service, selection = await voted(world)
    operation = await asked_again(service, 1, selection, [])
    tasks = await tasks_of(service, operation, 1)
    assert {task["item_id"] for task in tasks} == DISPUTED - GOLD
    assert [task["task_id"] for task in tasks] == ["30", "31", "32"]
    assert {(task["reason"], task["votes_wanted"], task["suggestion"]) for task in tasks} == {("again", 3, None)}
    assert {name: operation.figures[name] for name in ("tasks", "again_tasks", "votes_wanted")} == {
        "tasks": 3,
        "again_tasks": 3,
        "votes_wanted": 3,
    }
    assert (await service.progress()).votes_missing == 3


async def test_an_item_whose_further_vote_is_outstanding_is_not_asked_about_twice(world: World) -> None:
    service, selection = await voted(world)
    await asked_again(service, 1, selection, [], at_most=1)
    [open_task] = (await service.inbox.ListTasks(inbox_pb.ListTasksRequest(limit=10))).tasks
    assert open_task.votes_wanted == 1
    again = await tasks_of(service, await asked_again(service, 2, selection, []), 2)
    assert {task["item_id"] for task in again} == DISPUTED - GOLD - {open_task.item_id}


async def test_items_that_everybody_has_answered_are_not_asked_about_again(world: World) -> None:
    service, selection = await voted(world)
    await asked_again(service, 1, selection, [])
    for item in DISPUTED - GOLD:
        number = int(item[1:])
        await service.submit(
            vote(f"{item}-3", item, PEOPLE[(number + 2) % 4], answer_of(item, 0)),
            vote(f"{item}-4", item, PEOPLE[(number + 3) % 4], answer_of(item, 1)),
        )
    assert (await service.progress()).votes_missing == 0
    again = await tasks_of(service, await asked_again(service, 2, selection, [], least_gain=1e-6, at_most=100), 2)
    assert again
    assert not DISPUTED & {task["item_id"] for task in again}


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"most_votes_per_item": 2}, id="the most votes are there"),
        pytest.param({"least_gain": 0.5}, id="no vote gains so much"),
        pytest.param({"at_most": 0}, id="no vote may be asked for"),
    ],
)
async def test_nobody_is_asked_again_when(world: World, changed: dict[str, Any]) -> None:
    service, selection = await voted(world)
    assert (await asked_again(service, 1, selection, [], **changed)).figures["tasks"] == 0


async def test_further_tasks_come_after_the_rounds_new_items(world: World) -> None:
    service, selection = await voted(world)
    operation = await asked_again(service, 1, selection, ["i4"], at_most=2)
    tasks = await tasks_of(service, operation, 1)
    assert [(task["rank"], task["votes_wanted"]) for task in tasks] == [(0, 2), (1, 3), (2, 3)]
    assert operation.figures["votes_wanted"] == 4
