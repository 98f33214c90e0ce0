"""The desk over real gRPC: who gets which task, what an answer under a lease is worth, and what a restart leaves."""

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from aggregation_world import Service, World, aggregate, image_task, prepare, review, vote, vote_stage, write_selection
from fake_clock import FakeClock

from labelplane.aggregation.v1 import review_inbox_pb2 as pb
from labelplane_core.rpc import open_channel
from labelplane_core.tables import VOTES, current_votes

ITEMS = [f"i{k}" for k in range(6)]
REASON = "labelplane-reason"


async def desk(
    world: World, *, votes_per_item: int = 1, time: FakeClock | None = None, gold: Sequence[str] = ()
) -> Service:
    """A service that asks about six texts; those in `gold` are known to be cats."""
    rows = [f"{item},text of {item},{'cat' if item in gold else ''}" for item in ITEMS]
    world.write_csv(["id,text,known", *rows])
    service = await world.start(time=time)
    await service.run("StartPrepare", prepare(**({"gold_field": "known"} if gold else {})))
    selection = await write_selection(service, 0, ITEMS)
    await service.run("StartReview", review(0, selection, votes_per_item=votes_per_item))
    return service


async def lease(
    service: Service, annotator: str, count: int = 1, *, holding: Sequence[str] = (), seconds: int = 0
) -> pb.LeaseTaskResponse:
    request = pb.LeaseTaskRequest(annotator=annotator, count=count, holding=holding, lease_seconds=seconds)
    response = await service.inbox.LeaseTask(request, timeout=30)
    assert isinstance(response, pb.LeaseTaskResponse)
    return response


def items(response: pb.LeaseTaskResponse) -> list[str]:
    return [each.task.item_id for each in response.tasks]


async def submit(service: Service, *votes: pb.Vote) -> pb.SubmitVotesResponse:
    request = pb.SubmitVotesRequest(votes=votes, origin="review page", leased=True)
    response = await service.inbox.SubmitVotes(request, timeout=30)
    assert isinstance(response, pb.SubmitVotesResponse)
    return response


async def answer(
    service: Service, annotator: str, given: pb.LeasedTask, vote_id: str, name: str = "cat", **extra: Any
) -> pb.SubmitVotesResponse:
    return await submit(
        service, vote(vote_id, given.task.item_id, annotator, name, **({"lease_id": given.lease_id} | extra))
    )


def reasons(response: pb.SubmitVotesResponse) -> list[str]:
    return [each.reason for each in response.set_aside]


async def refused(call: Any) -> tuple[grpc.StatusCode, str, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    metadata = dict(caught.value.trailing_metadata() or ())
    return caught.value.code(), str(metadata.get(REASON, "")), caught.value.details() or ""


async def skip(service: Service, annotator: str, lease_id: str, *, undo: bool = False, reason: str = "") -> None:
    request = pb.SkipTaskRequest(annotator=annotator, lease_id=lease_id, undo=undo, reason=reason)
    await service.inbox.SkipTask(request, timeout=30)


async def counting(service: Service) -> list[tuple[str, str, str]]:
    operation = await service.run("StartVote", vote_stage(1))
    votes = current_votes(await service.tables.read(operation.results["votes"], VOTES)).to_pylist()
    return sorted((row["item_id"], row["annotator"], row["answer"]) for row in votes)


# -- who gets what ----------------------------------------------------------------------------------------------------


async def test_two_people_get_different_tasks_when_each_wants_one_vote(world: World) -> None:
    service = await desk(world)
    first, second = await lease(service, "ann", 4), await lease(service, "bob", 4)
    assert (items(first), items(second)) == (ITEMS[:4], ITEMS[4:])
    assert first.tasks[0].task.text == "text of i0"
    assert (second.waiting_for_others, (await lease(service, "eve")).waiting_for_others) == (4, 6)


async def test_as_many_people_hold_a_task_as_it_wants_votes(world: World) -> None:
    service = await desk(world, votes_per_item=2)
    given = [items(await lease(service, name)) for name in ("ann", "bob", "eve")]
    assert given == [["i0"], ["i0"], ["i1"]]


async def test_nobody_gets_an_item_twice(world: World) -> None:
    service = await desk(world, votes_per_item=3)
    seen: list[str] = []
    while (out := await lease(service, "ann")).tasks:
        seen += items(out)
        await answer(service, "ann", out.tasks[0], f"v{len(seen)}")
    assert (seen, out.waiting_for_others) == (ITEMS, 6)


async def test_what_is_in_hand_is_renewed_and_not_given_again(world: World) -> None:
    time = FakeClock()
    service = await desk(world, time=time)
    first = await lease(service, "ann", 2, seconds=60)
    time.advance(50)
    again = await lease(service, "ann", 1, seconds=60, holding=[each.lease_id for each in first.tasks])
    assert [each.before for each in again.renewed] == [each.lease_id for each in first.tasks]
    assert items(again) == ["i2"]
    time.advance(50)
    assert items(await lease(service, "bob", 6)) == ITEMS[3:]


async def test_a_page_that_forgot_its_tasks_gets_them_again(world: World) -> None:
    service = await desk(world)
    assert items(await lease(service, "ann", 2)) == items(await lease(service, "ann", 2)) == ITEMS[:2]


async def test_what_a_person_does_not_name_is_given_back(world: World) -> None:
    service = await desk(world)
    first = (await lease(service, "ann", 6)).tasks
    assert items(await lease(service, "bob")) == []
    await lease(service, "ann", 0, holding=[each.lease_id for each in first[:2]])
    assert items(await lease(service, "bob", 6)) == ITEMS[2:]
    assert (await answer(service, "ann", first[5], "1")).accepted == 1  # its lease has not run out


async def test_a_lease_that_ran_out_gives_the_task_to_others(world: World) -> None:
    time = FakeClock()
    service = await desk(world, time=time)
    await lease(service, "ann", 6, seconds=60)
    assert items(await lease(service, "bob")) == []
    time.advance(61)
    assert items(await lease(service, "bob")) == ["i0"]


async def test_leases_hold_over_a_restart_when_they_are_brought_back(world: World) -> None:
    service = await desk(world)
    held = await lease(service, "ann", 2)
    await world.kill(service)
    service = await world.start()
    again = await lease(service, "ann", 1, holding=[each.lease_id for each in held.tasks])
    assert (len(again.renewed), items(again), items(await lease(service, "bob"))) == (2, ["i2"], ["i3"])
    assert (await answer(service, "ann", held.tasks[0], "1")).accepted == 1


async def test_before_anything_is_asked_there_is_nothing_to_lease(world: World) -> None:
    assert items(await lease(await world.start(), "ann")) == []


async def test_lease_of_an_answered_task_is_lost(world: World) -> None:
    time = FakeClock()
    service = await desk(world, time=time)
    held = (await lease(service, "ann", seconds=10)).tasks[0]
    time.advance(11)
    await answer(service, "bob", (await lease(service, "bob")).tasks[0], "1")
    assert list((await lease(service, "ann", 0, holding=[held.lease_id])).lost) == [held.lease_id]


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        pytest.param(pb.LeaseTaskRequest(count=1), "annotator must have 1 to 253", id="nobody"),
        pytest.param(pb.LeaseTaskRequest(annotator="a", count=101), "count must be at most 100", id="too many"),
        pytest.param(pb.LeaseTaskRequest(annotator="a", lease_seconds=9), "lease_seconds must be 10 to", id="short"),
        pytest.param(pb.LeaseTaskRequest(annotator="a", holding=["x"] * 101), "holding must be at most", id="holding"),
    ],
)
async def test_wish_out_of_bounds_is_refused(world: World, request_: pb.LeaseTaskRequest, words: str) -> None:
    service = await world.start()
    code, reason, details = await refused(service.inbox.LeaseTask(request_))
    assert (code, reason) == (grpc.StatusCode.INVALID_ARGUMENT, "InvalidInput")
    assert words in details


# -- answers ----------------------------------------------------------------------------------------------------------


async def test_answer_under_a_lease_counts_once_however_often_it_is_sent(world: World) -> None:
    service = await desk(world)
    given = (await lease(service, "ann")).tasks[0]
    assert (await answer(service, "ann", given, "1")).accepted == 1
    assert (await answer(service, "ann", given, "1")).duplicates == 1
    assert await counting(service) == [("i0", "ann", "cat")]


async def test_answer_without_a_lease_is_set_aside_and_kept(world: World) -> None:
    service = await desk(world)
    given = (await lease(service, "ann")).tasks[0]
    forged = [
        await answer(service, "ann", given, "1", lease_id=""),
        await answer(service, "ann", given, "2", lease_id="AAAA"),
        await answer(service, "bob", given, "3"),
        await submit(service, vote("4", "i5", "ann", "cat", lease_id=given.lease_id)),
    ]
    assert [reasons(each) for each in forged] == [["NotLeased"]] * 4
    assert "not leased to 'bob'" in forged[2].set_aside[0].message
    assert (await service.progress()).votes_set_aside == 4


async def test_late_answer_counts_while_the_task_wants_it(world: World) -> None:
    time = FakeClock()
    service = await desk(world, time=time)
    given = (await lease(service, "ann", seconds=10)).tasks[0]
    time.advance(3600)
    assert (await answer(service, "ann", given, "1")).accepted == 1


async def test_late_answer_to_a_task_that_others_have_answered_is_set_aside(world: World) -> None:
    time = FakeClock()
    service = await desk(world, time=time)
    late = (await lease(service, "ann", seconds=10)).tasks[0]
    time.advance(11)
    await answer(service, "bob", (await lease(service, "bob")).tasks[0], "1")
    receipt = await answer(service, "ann", late, "2")
    assert reasons(receipt) == ["LeaseExpired"]
    assert "others have answered it since" in receipt.set_aside[0].message


async def test_late_resend_of_an_acknowledged_answer_is_a_duplicate(world: World) -> None:
    time = FakeClock()
    service = await desk(world, time=time)
    given = (await lease(service, "ann", seconds=10)).tasks[0]
    await answer(service, "ann", given, "1")
    time.advance(3600)
    receipt = await answer(service, "ann", given, "1")
    assert (receipt.duplicates, reasons(receipt)) == (1, [])


async def test_second_answer_of_a_second_tab_takes_the_place_of_the_first(world: World) -> None:
    service = await desk(world, votes_per_item=2)
    one, two = (await lease(service, "ann")).tasks[0], (await lease(service, "ann")).tasks[0]
    await answer(service, "ann", one, "1")
    assert (await answer(service, "ann", two, "2", "dog")).accepted == 1
    assert await counting(service) == [("i0", "ann", "dog")]


async def test_edit_needs_no_lease_and_retraction_opens_the_task_again(world: World) -> None:
    time = FakeClock()
    service = await desk(world, time=time)
    given = (await lease(service, "ann")).tasks[0]
    await answer(service, "ann", given, "1")
    time.advance(3600)
    assert (await answer(service, "ann", given, "2", "dog", lease_id="", supersedes="1")).accepted == 1
    assert (await answer(service, "ann", given, "3", "", supersedes="2", retracted=True)).accepted == 1
    assert (await service.progress()).tasks_open == 6
    assert (await answer(service, "ann", given, "4", "dog")).accepted == 1
    assert await counting(service) == [("i0", "ann", "dog")]


async def test_answer_and_its_undoing_in_one_call_leave_nothing(world: World) -> None:
    service = await desk(world)
    given = (await lease(service, "ann")).tasks[0]
    fields = {"lease_id": given.lease_id}
    receipt = await submit(
        service,
        vote("1", "i0", "ann", "cat", **fields),
        vote("2", "i0", "ann", "", supersedes="1", retracted=True, **fields),
    )
    assert (receipt.accepted, reasons(receipt)) == (2, [])
    assert await counting(service) == []


async def test_nobody_edits_the_answer_of_another(world: World) -> None:
    service = await desk(world)
    given = (await lease(service, "ann")).tasks[0]
    await answer(service, "ann", given, "1")
    for vote_id, before in (("2", "1"), ("3", "never")):
        receipt = await submit(service, vote(vote_id, "i0", "bob", "dog", supersedes=before))
        assert reasons(receipt) == ["NotYours"]
    assert await counting(service) == [("i0", "ann", "cat")]


async def test_unknown_class_and_unknown_item_are_set_aside(world: World) -> None:
    service = await desk(world)
    given = (await lease(service, "ann")).tasks[0]
    assert reasons(await answer(service, "ann", given, "1", "cow")) == ["UnknownClass"]
    assert reasons(await submit(service, vote("2", "gone", "ann", "cat", lease_id=given.lease_id))) == ["UnknownItem"]


async def test_wrong_token_is_refused_in_every_call(world: World) -> None:
    service = await desk(world)
    channel = open_channel(service.address, token="wrong")
    stub = type(service.inbox)(channel)
    calls = (
        stub.LeaseTask(pb.LeaseTaskRequest(annotator="a")),
        stub.SkipTask(pb.SkipTaskRequest(annotator="a")),
        stub.Comment(pb.CommentRequest(annotator="a")),
        stub.SignItem(pb.SignItemRequest(item_id="i0")),
        stub.ListPeople(pb.ListPeopleRequest()),
    )
    for call in calls:
        code, reason, _ = await refused(call)
        assert (code, reason) == (grpc.StatusCode.UNAUTHENTICATED, "BadToken")
    with pytest.raises(grpc.aio.AioRpcError, match="authorization"):
        async for _ in stub.ReadItem(pb.ReadItemRequest()):
            pass
    await channel.close()


# -- skips ------------------------------------------------------------------------------------------------------------


async def test_skip_takes_the_place_of_one_vote_and_holds_no_round_up(world: World) -> None:
    service = await desk(world, votes_per_item=2)
    given = (await lease(service, "ann")).tasks[0]
    await skip(service, "ann", given.lease_id, reason="too dark")
    assert items(await lease(service, "ann")) == ["i1"]
    assert (await service.progress()).votes_missing == 11
    bob = (await lease(service, "bob")).tasks[0]
    assert bob.task.item_id == "i0"
    await answer(service, "bob", bob, "1")
    progress = await service.progress()
    assert (progress.tasks_open, progress.tasks) == (5, 6)


async def test_skip_is_known_after_a_kill_and_can_be_taken_back(world: World) -> None:
    service = await desk(world)
    given = (await lease(service, "ann")).tasks[0]
    await skip(service, "ann", given.lease_id)
    await world.kill(service)
    service = await world.start()
    assert (items(await lease(service, "ann")), (await service.progress()).tasks_open) == (["i1"], 5)
    await skip(service, "ann", given.lease_id, undo=True)
    assert (await service.progress()).tasks_open == 6
    assert (await answer(service, "ann", given, "1")).accepted == 1
    people = (await service.inbox.ListPeople(pb.ListPeopleRequest())).people
    assert [(each.annotator, each.votes, each.skips) for each in people] == [("ann", 1, 0)]


async def test_skip_of_a_task_that_is_not_held_is_refused(world: World) -> None:
    service = await desk(world)
    given = (await lease(service, "ann")).tasks[0]
    for annotator, lease_id in (("bob", given.lease_id), ("ann", "nonsense"), ("ann", "")):
        code, reason, details = await refused(skip(service, annotator, lease_id))
        assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NotLeased")
        assert annotator in details


# -- remarks ----------------------------------------------------------------------------------------------------------


async def comment(service: Service, comment_id: str, item: str, text: str) -> None:
    request = pb.CommentRequest(comment_id=comment_id, annotator="ann", item_id=item, text=text)
    await service.inbox.Comment(request, timeout=30)


async def test_remarks_are_kept_once_and_over_a_kill_the_newest_first(world: World) -> None:
    service = await desk(world)
    await asyncio.gather(*(comment(service, f"c{n}", "i0", f"remark {n}") for n in range(5)))
    await comment(service, "c1", "i0", "again")
    await comment(service, "last", "i1", "<b>bold</b>")
    await world.kill(service)
    service = await world.start()
    found = (await service.inbox.ListComments(pb.ListCommentsRequest())).comments
    assert (found[0].comment_id, found[0].text, len(found)) == ("last", "<b>bold</b>", 6)
    of_item = (await service.inbox.ListComments(pb.ListCommentsRequest(item_id="i0", limit=2))).comments
    assert len(of_item) == 2


@pytest.mark.parametrize(
    ("fields", "code", "reason"),
    [
        pytest.param(("c", "gone", "text"), grpc.StatusCode.NOT_FOUND, "UnknownItem", id="no such item"),
        pytest.param(("c", "i0", "x" * 4001), grpc.StatusCode.INVALID_ARGUMENT, "InvalidInput", id="too long"),
        pytest.param(("c", "i0", "x" * 10_000_000), grpc.StatusCode.INVALID_ARGUMENT, "InvalidInput", id="ten MB"),
        pytest.param(("c", "i0", "  "), grpc.StatusCode.INVALID_ARGUMENT, "InvalidInput", id="empty"),
        pytest.param(("", "i0", "text"), grpc.StatusCode.INVALID_ARGUMENT, "InvalidInput", id="no id"),
    ],
)
async def test_bad_remark_is_refused(
    world: World, fields: tuple[str, str, str], code: grpc.StatusCode, reason: str
) -> None:
    service = await desk(world)
    assert (await refused(comment(service, *fields)))[:2] == (code, reason)


async def test_remark_that_the_store_cannot_keep_is_not_acknowledged(world: World) -> None:
    service = await desk(world)
    service.store.is_away = True
    assert (await refused(comment(service, "c", "i0", "text")))[0] is grpc.StatusCode.UNAVAILABLE
    service.store.is_away = False
    await comment(service, "c", "i0", "text")
    assert len((await service.inbox.ListComments(pb.ListCommentsRequest())).comments) == 1


# -- people -----------------------------------------------------------------------------------------------------------


async def test_a_person_sees_their_own_agreement_with_gold(world: World) -> None:
    service = await desk(world, votes_per_item=3, gold=("i0", "i1", "i2"))
    given = (await lease(service, "ann", 6)).tasks
    for place, each in enumerate(given):
        name = "dog" if each.task.item_id == "i1" else "cat"
        await answer(service, "ann", each, f"v{place}", name, lead_time_seconds=float(place))
    for _ in range(2):
        progress = await service.inbox.GetProgress(pb.GetProgressRequest(annotator="ann"))
        person = progress.person
        assert (person.votes, person.gold_answered, person.gold_right) == (6, 3, 2)
        assert person.seconds_per_vote == 3.0
        await service.run("StartVote", vote_stage(1))
        await world.kill(service)
        service = await world.start()
    assert not (await service.progress()).HasField("person")


async def test_edit_and_retraction_change_the_agreement(world: World) -> None:
    service = await desk(world, gold=("i0",))
    given = (await lease(service, "ann")).tasks[0]
    await answer(service, "ann", given, "1", "dog")
    wanted = []
    for vote_id, name, before in (("2", "cat", "1"), ("3", "", "2")):
        await answer(service, "ann", given, vote_id, name, supersedes=before, retracted=not name)
        person = (await service.inbox.GetProgress(pb.GetProgressRequest(annotator="ann"))).person
        wanted.append((person.votes, person.gold_answered, person.gold_right))
    assert wanted == [(1, 1, 1), (0, 0, 0)]


async def test_answers_on_which_people_differ_are_the_doubtful_ones(world: World) -> None:
    service = await desk(world, votes_per_item=2)
    for name in ("ann", "bob"):
        for place, each in enumerate((await lease(service, name, 6)).tasks):
            said = "dog" if name == "bob" and each.task.item_id == "i2" else "cat"
            await answer(service, name, each, f"{name}{place}", said)
    votes = (await service.run("StartVote", vote_stage(1))).results["votes"]
    posteriors = (await service.run("StartAggregate", aggregate(1, votes))).results["posteriors"]
    request = pb.ListDoubtfulItemsRequest(posteriors_ref=posteriors, limit=2)
    for _ in range(2):  # the second from memory
        found = (await service.inbox.ListDoubtfulItems(request)).items
        assert next(each.item_id for each in found) == "i2"
        assert (found[0].votes, found[0].agreement, len(found)) == (2, 0.5, 2)
    absent = pb.ListDoubtfulItemsRequest(posteriors_ref="rounds/none.json")
    assert (await refused(service.inbox.ListDoubtfulItems(absent)))[0] is grpc.StatusCode.NOT_FOUND
    too_many = pb.ListDoubtfulItemsRequest(posteriors_ref=posteriors, limit=201)
    assert (await refused(service.inbox.ListDoubtfulItems(too_many)))[1] == "InvalidInput"


# -- items ------------------------------------------------------------------------------------------------------------


async def pictures(world: World, time: FakeClock | None = None) -> Service:
    for place, name in enumerate(("a.png", "b.ppm")):
        world.write_image(name, shade=place)
    service = await world.start(time=time)
    await service.run("StartPrepare", prepare(task=image_task()))
    selection = await write_selection(service, 0, ["a.png", "b.ppm"])
    await service.run("StartReview", review(0, selection, task=image_task()))
    return service


async def content(service: Service, ticket: str) -> tuple[str, bytes]:
    pieces = [each async for each in service.inbox.ReadItem(pb.ReadItemRequest(content_ticket=ticket), timeout=30)]
    return pieces[0].media_type, b"".join(each.data for each in pieces)


async def test_images_come_by_ticket_in_formats_that_browsers_show(world: World) -> None:
    service = await pictures(world)
    png, ppm = (await lease(service, "ann", 2)).tasks
    assert await content(service, png.content_ticket) == ("image/png", (world.data / "a.png").read_bytes())
    media_type, data = await content(service, ppm.content_ticket)
    assert (media_type, data[:4]) == ("image/png", b"\x89PNG")


async def test_large_content_comes_in_pieces(world: World) -> None:
    service = await pictures(world)
    ticket = (await service.inbox.SignItem(pb.SignItemRequest(item_id="a.png"))).content_ticket
    whole = (world.data / "a.png").read_bytes() + bytes(700_000)  # what follows a PNG's end is no part of it
    (world.data / "a.png").write_bytes(whole)
    pieces = [each async for each in service.inbox.ReadItem(pb.ReadItemRequest(content_ticket=ticket))]
    assert [len(each.data) for each in pieces[:-1]] == [256 * 1024, 256 * 1024]
    assert b"".join(each.data for each in pieces) == whole


async def test_texts_are_signed_as_they_are(world: World) -> None:
    shown = await (await desk(world)).inbox.SignItem(pb.SignItemRequest(item_id="i3"))
    assert (shown.text, shown.content_ticket) == ("text of i3", "")


async def test_each_ticket_that_cannot_be_read_says_why(world: World) -> None:
    time = FakeClock()
    service = await pictures(world, time)
    ticket = (await service.inbox.SignItem(pb.SignItemRequest(item_id="a.png"))).content_ticket
    leased = (await lease(service, "ann")).tasks[0]
    assert (await refused(content(service, "AAAA")))[:2] == (grpc.StatusCode.INVALID_ARGUMENT, "BadTicket")
    assert (await refused(content(service, leased.lease_id)))[1] == "BadTicket"
    (world.data / "a.png").rename(world.data / "away")
    code, reason, details = await refused(content(service, ticket))
    assert (code, reason) == (grpc.StatusCode.NOT_FOUND, "ItemGone")
    assert "'a.png'" in details
    (world.data / "a.png").write_bytes(b"no image")
    assert (await refused(content(service, ticket)))[1] == "UnsupportedFormat"
    time.advance(3601)
    assert (await refused(content(service, ticket)))[:2] == (grpc.StatusCode.FAILED_PRECONDITION, "TicketExpired")


async def test_unknown_item_and_unprepared_job_are_refused(world: World) -> None:
    service = await world.start()
    sign = service.inbox.SignItem
    assert (await refused(sign(pb.SignItemRequest(item_id="i0"))))[1] == "NotPrepared"
    service = await desk(world)
    code, reason, _ = await refused(service.inbox.SignItem(pb.SignItemRequest(item_id="gone")))
    assert (code, reason) == (grpc.StatusCode.NOT_FOUND, "UnknownItem")


async def test_what_a_connector_says_of_itself_is_told_with_the_counts(world: World) -> None:
    service = await desk(world)
    assert (await service.progress()).connector_address == ""
    await service.inbox.ReportConnector(pb.ReportConnectorRequest(address="https://ls/projects/3", problem="is away"))
    progress = await service.progress()
    assert (progress.connector_address, progress.connector_problem) == ("https://ls/projects/3", "is away")
    await service.inbox.ReportConnector(pb.ReportConnectorRequest(address="https://ls/projects/3"))
    assert (await service.progress()).connector_problem == ""
