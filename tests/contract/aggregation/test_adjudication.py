"""Conflicts, decisions and the audit log over real gRPC, and what a kill leaves of them."""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from aggregation_world import Service, World, aggregate, prepare, review, vote, vote_stage, write_selection
from fake_clock import FakeClock

from labelplane.aggregation.v1 import aggregation_pb2
from labelplane.aggregation.v1 import review_inbox_pb2 as pb
from labelplane_core.tables import POSTERIORS, VOTES, current_votes

ITEMS = [f"i{k}" for k in range(4)]
REASON = "labelplane-reason"


async def asking(
    world: World, *, votes_per_item: int = 2, time: FakeClock | None = None, items: Any = ITEMS
) -> Service:
    world.write_csv(["id,text", *(f"{item},text of {item}" for item in [*items, "unasked"])])
    service = await world.start(time=time)
    await service.run("StartPrepare", prepare())
    selection = await write_selection(service, 0, items)
    await service.run("StartReview", review(0, selection, votes_per_item=votes_per_item))
    return service


async def conflicts(service: Service, *, after: str = "", limit: int = 0) -> pb.ListConflictsResponse:
    request = pb.ListConflictsRequest(after_item_id=after, limit=limit)
    response = await service.inbox.ListConflicts(request, timeout=30)
    assert isinstance(response, pb.ListConflictsResponse)
    return response


async def waiting(service: Service) -> list[str]:
    return [each.item_id for each in (await conflicts(service)).conflicts]


async def decide(service: Service, decision_id: str, item: str, answer: str, **extra: Any) -> bool:
    fields = {"annotator": "judge"} | extra
    request = pb.DecideItemRequest(decision_id=decision_id, item_id=item, answer=answer, **fields)
    return bool((await service.inbox.DecideItem(request, timeout=30)).is_correction)


async def send_back(service: Service, deed_id: str, item: str, **extra: Any) -> int:
    request = pb.SendBackRequest(deed_id=deed_id, annotator="judge", item_id=item, **extra)
    return int((await service.inbox.SendBack(request, timeout=30)).votes_missing)


async def deeds(service: Service, **page: int) -> list[tuple[int, str, str, str, str]]:
    response = await service.inbox.ListDeeds(pb.ListDeedsRequest(**page), timeout=30)
    return [(each.number, each.did, each.annotator, each.item_id, each.answer) for each in response.deeds]


async def comment(service: Service, comment_id: str, item: str) -> None:
    request = pb.CommentRequest(comment_id=comment_id, annotator="ann", item_id=item, text="odd")
    await service.inbox.Comment(request, timeout=30)


async def answers(service: Service, number: int = 1) -> dict[str, str]:
    """Drain and aggregate, and return every item's answer."""
    votes = (await service.run("StartVote", vote_stage(number))).results["votes"]
    majority = aggregation_pb2.Inference(method="MajorityVote", seed=3)
    operation = await service.run("StartAggregate", aggregate(number, votes, inference=majority))
    rows = (await service.tables.read(operation.results["posteriors"], POSTERIORS)).to_pylist()
    return {row["item_id"]: row["answer"] for row in rows}


async def refused(call: Any) -> tuple[grpc.StatusCode, str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    metadata = dict(caught.value.trailing_metadata() or ())
    return caught.value.code(), str(metadata.get(REASON, "")), caught.value.details() or ""


DISPUTE: Sequence[pb.Vote] = (
    vote("1", "i0", "ann", "cat"),
    vote("2", "i0", "bob", "cat"),
    vote("3", "i0", "eve", "dog"),
    vote("4", "i1", "ann", "cat"),
    vote("5", "i1", "bob", "cat"),
    vote("6", "i2", "bob", "dog"),
)


async def test_items_that_people_disagree_on_or_comment_on_wait_with_every_vote_and_its_author(world: World) -> None:
    service = await asking(world)
    await service.submit(*DISPUTE)
    await comment(service, "c", "i2")
    page = await conflicts(service)
    assert [(each.item_id, each.is_disputed) for each in page.conflicts] == [("i0", True), ("i2", False)]
    votes = {each.annotator: each.answer for each in page.conflicts[0].votes}
    assert votes == {"ann": "cat", "bob": "cat", "eve": "dog"}
    assert (page.conflicts[1].comments[0].text, page.conflicts[1].votes_missing) == ("odd", 1)
    assert (page.end, page.total) == (True, 2)
    counts = await service.inbox.GetProgress(pb.GetProgressRequest(details=True), timeout=30)
    assert (counts.conflicts, (await service.progress()).conflicts) == (2, 0)


async def test_conflicts_come_in_pages(world: World) -> None:
    service = await asking(world, items=[f"i{place:02d}" for place in range(9)])
    for place in range(9):
        item = f"i{place:02d}"
        await service.submit(vote(f"a{place}", item, "ann", "cat"), vote(f"b{place}", item, "bob", "dog"))
    first = await conflicts(service, limit=4)
    rest = await conflicts(service, after=first.conflicts[-1].item_id, limit=9)
    assert [len(first.conflicts), len(rest.conflicts)] == [4, 5]
    assert (first.end, rest.end, first.total) == (False, True, 9)


async def test_a_decision_wins_closes_the_task_and_is_known_after_a_kill(world: World) -> None:
    service = await asking(world)
    await service.submit(*DISPUTE)
    assert await decide(service, "d0", "i0", "dog", note="its ears") is False
    assert await decide(service, "d2", "i3", "cat") is True
    await world.kill(service)
    again = await world.start()
    assert await waiting(again) == []
    assert (await again.progress()).votes_missing == 1  # of i2
    assert await deeds(again) == [(2, "correct", "judge", "i3", "cat"), (1, "accept", "judge", "i0", "dog")]
    assert (await answers(again))["i0"] == "dog"


async def test_a_decision_that_is_sent_again_counts_once_and_a_second_takes_its_place(world: World) -> None:
    service = await asking(world)
    await service.submit(*DISPUTE)
    for _ in range(3):
        await decide(service, "d0", "i0", "dog")
    await decide(service, "e0", "i0", "cat", annotator="other")
    operation = await service.run("StartVote", vote_stage(1))
    rows = current_votes(await service.tables.read(operation.results["votes"], VOTES)).to_pylist()
    decisions = [(row["vote_id"], row["answer"]) for row in rows if row["source"] == "decisions"]
    assert decisions == [("e0", "cat")]
    assert [each[1:3] for each in await deeds(service)] == [("accept", "other"), ("accept", "judge")]


async def test_an_item_that_is_sent_back_is_asked_again_of_who_has_answered(world: World) -> None:
    service = await asking(world, votes_per_item=1)
    await service.submit(vote("1", "i0", "ann", "cat"))
    assert await send_back(service, "s0", "i0", note="look at the ears") == 1
    assert await send_back(service, "s0", "i0") == 1
    await world.kill(service)
    service = await world.start()
    assert await waiting(service) == ["i0"]
    leased = await service.inbox.LeaseTask(pb.LeaseTaskRequest(annotator="ann", count=1), timeout=30)
    task = leased.tasks[0]
    assert task.task.item_id == "i0"
    mine = vote("2", "i0", "ann", "dog", lease_id=task.lease_id)
    await service.inbox.SubmitVotes(pb.SubmitVotesRequest(votes=[mine], leased=True), timeout=30)
    assert (await answers(service))["i0"] == "dog"
    assert [each[1] for each in await deeds(service)] == ["send-back"]


async def test_sending_back_takes_the_decision_back(world: World) -> None:
    service = await asking(world)
    await service.submit(*DISPUTE)
    await decide(service, "d0", "i0", "dog")
    assert await send_back(service, "s0", "i0") == 2
    assert await waiting(service) == ["i0"]
    assert (await answers(service))["i0"] == "cat"
    await decide(service, "d1", "i0", "dog")
    await send_back(service, "s0", "i0")  # a resend that comes late takes nothing back
    assert await waiting(service) == []


async def test_a_comment_after_the_decision_brings_the_item_up_again(world: World) -> None:
    time = FakeClock()
    service = await asking(world, time=time)
    await service.submit(*DISPUTE)
    await decide(service, "d0", "i0", "dog")
    time.advance(1)
    await comment(service, "c", "i0")
    (conflict,) = (await conflicts(service)).conflicts
    assert (conflict.item_id, conflict.decision.answer) == ("i0", "dog")


@pytest.mark.parametrize(
    ("call", "want"),
    [
        (lambda s: decide(s, "d", "nothing", "cat"), (grpc.StatusCode.NOT_FOUND, "UnknownItem")),
        (lambda s: decide(s, "d", "i0", "cow"), (grpc.StatusCode.INVALID_ARGUMENT, "BadDecision")),
        (lambda s: decide(s, "1", "i0", "cat"), (grpc.StatusCode.INVALID_ARGUMENT, "BadDecision")),
        (lambda s: decide(s, "", "i0", "cat"), (grpc.StatusCode.INVALID_ARGUMENT, "InvalidInput")),
        (lambda s: decide(s, "d", "i0", "cat", annotator=" "), (grpc.StatusCode.INVALID_ARGUMENT, "InvalidInput")),
        (lambda s: decide(s, "d", "i0", "cat", note="x" * 1001), (grpc.StatusCode.INVALID_ARGUMENT, "InvalidInput")),
        (lambda s: send_back(s, "s", "unasked"), (grpc.StatusCode.FAILED_PRECONDITION, "NobodyAsked")),
        (lambda s: send_back(s, "s", "nothing"), (grpc.StatusCode.NOT_FOUND, "UnknownItem")),
        (lambda s: conflicts(s, limit=201), (grpc.StatusCode.INVALID_ARGUMENT, "InvalidInput")),
        (lambda s: deeds(s, limit=501), (grpc.StatusCode.INVALID_ARGUMENT, "InvalidInput")),
    ],
    ids=[
        "unknown item",
        "unknown class",
        "id of a plain vote",
        "no id",
        "nobody decides",
        "long note",
        "nobody was asked",
        "unknown item back",
        "too many conflicts",
        "too many deeds",
    ],
)
async def test_what_cannot_stand_is_refused_and_leaves_nothing(world: World, call: Any, want: Any) -> None:
    service = await asking(world)
    await service.submit(vote("1", "i0", "ann", "cat"))
    assert (await refused(call(service)))[:2] == want
    assert await deeds(service) == []
    assert (await service.progress()).votes == 1


async def test_before_the_data_set_is_known_nothing_is_decided(world: World) -> None:
    service = await world.start()
    for call in (decide(service, "d", "i0", "cat"), send_back(service, "s", "i0")):
        assert (await refused(call))[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "NotPrepared")


async def test_a_decision_that_the_store_cannot_keep_is_not_acknowledged(world: World) -> None:
    service = await asking(world)
    await service.submit(*DISPUTE)
    service.store.is_away = True
    assert (await refused(decide(service, "d", "i0", "dog")))[0] is grpc.StatusCode.UNAVAILABLE
    service.store.is_away = False
    assert await waiting(service) == ["i0"]
    await decide(service, "d", "i0", "dog")
    assert await waiting(service) == []


async def test_a_decision_whose_line_in_the_log_was_lost_by_a_kill_is_sent_again_and_counts_once(world: World) -> None:
    service = await asking(world)
    await service.submit(*DISPUTE)
    service.store.die_at("review/audit")
    deciding = asyncio.create_task(decide(service, "d", "i0", "dog"))
    await service.store.died.wait()
    await world.kill(service)
    (answer,) = await asyncio.gather(deciding, return_exceptions=True)
    assert isinstance(answer, BaseException)  # it was not acknowledged
    again = await world.start()
    assert await waiting(again) == []  # the decision itself was durable
    await decide(again, "d", "i0", "dog")
    assert [each[1] for each in await deeds(again)] == ["accept"]
    assert (await answers(again))["i0"] == "dog"


async def test_skips_stand_in_the_log_with_their_item(world: World) -> None:
    service = await asking(world)
    leased = await service.inbox.LeaseTask(pb.LeaseTaskRequest(annotator="ann", count=1), timeout=30)
    lease_id = leased.tasks[0].lease_id
    await service.inbox.SkipTask(pb.SkipTaskRequest(annotator="ann", lease_id=lease_id, reason="dark"), timeout=30)
    assert await deeds(service) == [(1, "skip", "ann", "i0", "")]


async def test_pushed_votes_are_noted_and_take_the_place_of_their_annotators_last(world: World) -> None:
    service = await asking(world)
    for vote_id, answer in (("1", "cat"), ("2", "dog"), ("2", "dog")):
        request = pb.SubmitVotesRequest(
            votes=[vote(vote_id, "i0", "ann", answer)], origin="votes.csv", replaces=True, pushed_by="owner"
        )
        await service.inbox.SubmitVotes(request, timeout=30)
    log = (await service.inbox.ListDeeds(pb.ListDeedsRequest(), timeout=30)).deeds
    assert [(each.did, each.annotator, each.note, each.votes) for each in log] == [
        ("push", "owner", "votes.csv", 1)
    ] * 2
    assert (await answers(service))["i0"] == "dog"


async def test_people_get_what_is_assigned_to_them(world: World) -> None:
    service = await asking(world)  # the machine takes every item for a cat

    async def items(name: str, **assignment: Any) -> int:
        request = pb.LeaseTaskRequest(annotator=name, count=4, assignment=pb.Assignment(**assignment))
        response = await service.inbox.LeaseTask(request, timeout=30)
        assert len(response.tasks) + response.waiting_for_others == 4
        return len(response.tasks)

    assert await items("ann", classes=["dog"]) == 0
    assert await items("ann", classes=["cat"]) == 4
    assert await items("bob", share=1e-9) == 0
    request = pb.LeaseTaskRequest(annotator="ann", assignment=pb.Assignment(share=1.5))
    assert "assignment.share must be" in (await refused(service.inbox.LeaseTask(request, timeout=30)))[2]
