"""The calls that pages make: check, call, answer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import grpc
from aiohttp import web

from labelplane_review.desk_client import Counts, LeasedTask, Shown
from labelplane_review.web.bodies import CommentBody, LeaseBody, SkipBody, VotesBody, read_body
from labelplane_review.web.front import Front
from labelplane_review.web.jobs import JobAtHand
from labelplane_review.web.progress import job_state, newest_posteriors, person_view, stage_words, told_counts
from labelplane_review.web.refusals import Refused
from labelplane_review.web.rights import Deed, part_of

__all__ = ["Calls"]

_DOUBTFUL = 12


class Calls:
    """Answers `/api/...` with JSON."""

    def __init__(self, front: Front, *, now: Callable[[], datetime], segment: str) -> None:
        self._front = front
        self._segment = segment
        self._now = now

    def routes(self) -> list[web.RouteDef]:
        """Return what is called how."""
        job = f"/api/jobs/{self._segment}"
        return [
            web.post(f"{job}/lease", self.lease),
            web.post(f"{job}/votes", self.votes),
            web.post(f"{job}/skip", self.skip),
            web.post(f"{job}/comments", self.comment),
            web.get(f"{job}/comments", self.comments),
            web.get(f"{job}/doubtful", self.doubtful),
            web.get(f"{job}/content/{{ticket}}", self.content),
        ]

    async def _at_desk(self, request: web.Request) -> tuple[JobAtHand, str]:
        """Return a job, and the name of who labels it."""
        at_hand, visitor = await self._front.job(request, Deed.LABEL)
        return at_hand, visitor.name

    async def lease(self, request: web.Request) -> web.Response:
        """Hand tasks out."""
        at_hand, person, body = *await self._at_desk(request), await read_body(request, LeaseBody)
        seconds = _lease_seconds(at_hand)
        part = part_of(person, at_hand.job.spec.review)
        try:
            out = await at_hand.desk.lease(person, count=body.count, seconds=seconds, holding=body.holding, part=part)
        except grpc.aio.AioRpcError as error:
            if not _has_left(at_hand, error):
                raise
            nothing = {"tasks": [], "renewed": {}, "lost": body.holding, "waiting_for_others": 0}
            return web.json_response(nothing | _standing(at_hand, told_counts(at_hand.job)))
        fields = {
            "tasks": [_task(request, each) for each in out.tasks],
            "renewed": out.renewed,
            "lost": out.lost,
            "waiting_for_others": out.waiting_for_others,
        }
        return web.json_response(fields | await _standing_now(at_hand, person))

    async def votes(self, request: web.Request) -> web.Response:
        """Take votes in; they are durable when this answers."""
        at_hand, person, body = *await self._at_desk(request), await read_body(request, VotesBody)
        now = self._now()
        with _ending(at_hand):
            taken = await at_hand.desk.submit(person, [each.answered(now=now) for each in body.votes])
        aside = [{"id": each.vote_id, "reason": each.reason, "message": each.message} for each in taken.set_aside]
        fields = {"accepted": taken.accepted, "duplicates": taken.duplicates, "set_aside": aside}
        return web.json_response(fields | await _standing_now(at_hand, person))

    async def skip(self, request: web.Request) -> web.Response:
        """Take a task back."""
        at_hand, person, body = *await self._at_desk(request), await read_body(request, SkipBody)
        with _ending(at_hand):
            await at_hand.desk.skip(person, body.lease, reason=body.reason, is_undone=body.undo)
        return web.json_response(await _standing_now(at_hand, person))

    async def comment(self, request: web.Request) -> web.Response:
        """Keep a remark."""
        at_hand, person, body = *await self._at_desk(request), await read_body(request, CommentBody)
        with _ending(at_hand):
            await at_hand.desk.comment(person, comment_id=body.id, item_id=body.item, text=body.text)
        return web.json_response({})

    async def comments(self, request: web.Request) -> web.Response:
        """Return the newest remarks."""
        at_hand, _ = await self._front.job(request, Deed.LABEL)
        found = await at_hand.desk.remarks()
        return web.json_response(
            {
                "comments": [
                    {
                        "id": each.comment_id,
                        "name": each.annotator,
                        "item": each.item_id,
                        "text": each.text,
                        "time": each.time.isoformat(),
                    }
                    for each in found
                ]
            }
        )

    async def doubtful(self, request: web.Request) -> web.Response:
        """Return the least certain answers, each with what shows its item."""
        at_hand, _ = await self._front.job(request, Deed.LABEL)
        reference = newest_posteriors(at_hand.job.status)
        found = await at_hand.desk.doubtful(reference, limit=_DOUBTFUL) if reference else []
        items = []
        for each in found:
            shown = await at_hand.desk.sign(each.item_id)
            items.append(
                {
                    "item": each.item_id,
                    "answer": each.answer,
                    "confidence": each.confidence,
                    "votes": each.votes,
                    "agreement": each.agreement,
                    **_shown(request, shown),
                }
            )
        return web.json_response({"items": items})

    async def content(self, request: web.Request) -> web.StreamResponse:
        """Lead to where the bucket shows an item, or stream its content, kept as long as the ticket holds."""
        at_hand, _ = await self._front.job(request, Deed.LABEL)
        shown = await at_hand.desk.sign_again(request.match_info["ticket"])
        if shown.address:
            raise _leads_to(shown, now=self._now())
        response: web.StreamResponse | None = None
        async for media_type, data in at_hand.desk.content(request.match_info["ticket"]):
            if response is None:
                headers = {"Content-Type": media_type, "Cache-Control": "private, max-age=3600, immutable"}
                response = web.StreamResponse(headers=headers)
                await response.prepare(request)
            await response.write(data)
        if response is None:
            raise Refused(404, "ItemGone", "the item has no content")
        await response.write_eof()
        return response


def _leads_to(shown: Shown, *, now: datetime) -> web.HTTPFound:
    """Return the redirection to where the bucket shows an item; asking again gives another address."""
    seconds = 0.0 if shown.address_until is None else (shown.address_until - now).total_seconds()
    kept = max(0, round(seconds / 2))
    return web.HTTPFound(shown.address, headers={"Cache-Control": f"private, max-age={kept}"})


def _lease_seconds(at_hand: JobAtHand) -> int:
    humans = at_hand.job.spec.sources.humans
    return humans.inbox.lease_seconds if humans is not None and humans.inbox is not None else 0


def _has_left(at_hand: JobAtHand, error: grpc.aio.AioRpcError) -> bool:
    """Whether an inbox is away for good: the pods of a job that has ended are gone."""
    return error.code() is grpc.StatusCode.UNAVAILABLE and job_state(at_hand.job) != "running"


@contextmanager
def _ending(at_hand: JobAtHand) -> Iterator[None]:
    """Refuse what comes when the inbox is away for good, so that nobody sends it again and again."""
    try:
        yield
    except grpc.aio.AioRpcError as error:
        if _has_left(at_hand, error):
            words = "the job has ended: nothing that comes now would reach its labels"
            raise Refused(409, "JobIsOver", words) from error
        raise


async def _standing_now(at_hand: JobAtHand, person: str) -> dict[str, Any]:
    """Return where job and person stand, which every answer tells."""
    return _standing(at_hand, await at_hand.desk.counts(person))


def _standing(at_hand: JobAtHand, counts: Counts) -> dict[str, Any]:
    shows_agreement = at_hand.job.spec.review.show_agreement
    return {
        "standing": {
            "state": job_state(at_hand.job),
            "stage": stage_words(at_hand.job),
            "tasks": counts.tasks,
            "tasks_open": counts.tasks_open,
            "votes_missing": counts.votes_missing,
            "person": person_view(counts.person, shows_agreement=shows_agreement) if counts.person else None,
        }
    }


def _task(request: web.Request, leased: LeasedTask) -> dict[str, Any]:
    task = leased.task
    return {
        "number": task.number,
        "item": task.item_id,
        "round": task.round_number,
        "suggestion": task.suggestion,
        "lease": leased.lease_id,
        **_shown(request, Shown(task.text, leased.content_ticket)),
    }


def _shown(request: web.Request, shown: Shown) -> dict[str, str]:
    job = request.match_info["job"]
    return {
        "text": shown.text,
        "image": f"/api/jobs/{job}/content/{shown.content_ticket}" if shown.content_ticket else "",
    }
