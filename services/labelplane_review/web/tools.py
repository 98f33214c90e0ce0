"""The calls that tools make: each operation of the contract, checked, called and answered by its own types."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel, ValidationError

from labelplane_api.job import LabelingJob
from labelplane_review.desk_client import Shown
from labelplane_review.inbox_client import NewVote, Rejected
from labelplane_review.jury_client import Conflict, GivenVote, RuleFigures
from labelplane_review.web import messages
from labelplane_review.web.contract import JOB_SEGMENT, OPERATIONS, Operation, Right
from labelplane_review.web.front import Front
from labelplane_review.web.jobs import JobAtHand
from labelplane_review.web.progress import job_state, newest_rules, stage_words, standing_message
from labelplane_review.web.refusals import Refused
from labelplane_review.web.rights import Deed, Visitor

__all__ = ["Tools"]

_DEEDS: Final = {
    Right.ANYBODY: Deed.SEE,
    Right.ANNOTATOR: Deed.LABEL,
    Right.ADJUDICATOR: Deed.DECIDE,
    Right.OWNER: Deed.BRING_VOTES,
}
_Handler = Callable[["Call"], Awaitable[BaseModel]]


@dataclass(frozen=True, slots=True)
class Call:
    """One call: who makes it and what they sent, of the operation's own type."""

    visitor: Visitor
    sent: Any
    job: str = ""


class Tools:
    """Answers `/api/v1/...`."""

    def __init__(self, front: Front, *, now: Callable[[], datetime], segment: str) -> None:
        self._front = front
        self._segment = segment
        self._now = now

    def routes(self) -> list[web.RouteDef]:
        """Return what is called how: exactly the contract."""
        return [
            web.route(each.method, each.path.replace(JOB_SEGMENT, self._segment), self._answering(each))
            for each in OPERATIONS
        ]

    def _answering(self, operation: Operation) -> Callable[[web.Request], Awaitable[web.Response]]:
        handler: _Handler = getattr(self, operation.name)

        async def answer(request: web.Request) -> web.Response:
            visitor = await self._admitted(request, operation)
            call = Call(visitor, await _sent(request, operation), request.match_info.get("job", ""))
            return web.json_response(text=(await handler(call)).model_dump_json())

        return answer

    async def _admitted(self, request: web.Request, operation: Operation) -> Visitor:
        if not operation.is_of_a_job:
            return await self._front.visitor(request)
        _, visitor = await self._front.job(request, _DEEDS[operation.right])
        return visitor

    def _at_hand(self, call: Call, *, must_run: bool = False) -> JobAtHand:
        at_hand = self._front.find(call.job)
        assert at_hand is not None
        if must_run and job_state(at_hand.job) != "running":
            raise Refused(409, "JobIsOver", "the job has ended: nothing that comes now would reach its labels")
        return at_hand

    # -- to look at -----------------------------------------------------------------------------------------------

    async def list_jobs(self, call: Call) -> messages.JobList:
        """List the jobs."""
        found = [(name, self._front.look_at(name)) for name in await self._front.names(call.visitor)]
        return messages.JobList(jobs=[messages.JobInList(**_head(name, job)) for name, job in found if job])

    async def get_job(self, call: Call) -> messages.Job:
        """Tell where a job stands."""
        at_hand = self._at_hand(call)
        counts = await at_hand.desk.counts(has_details=True)
        status = at_hand.job.status
        return messages.Job(
            **_head(call.job, at_hand.job),
            uid=at_hand.job.metadata.uid,
            message=standing_message(status),
            classes=list(at_hand.job.spec.task.classes),
            round=status.rounds[-1].round if status.rounds else None,
            tasks=counts.tasks,
            tasks_open=counts.tasks_open,
            votes=counts.votes,
            votes_missing=counts.votes_missing,
            votes_set_aside=counts.votes_set_aside,
            conflicts=counts.conflicts,
        )

    async def list_tasks(self, call: Call) -> messages.TaskPage:
        """List open tasks."""
        query: messages.TaskQuery = call.sent
        tasks, is_end = await self._at_hand(call).jury.tasks(after=query.after, limit=query.limit)
        return messages.TaskPage(
            tasks=[
                messages.Task(
                    number=each.number,
                    item=each.item_id,
                    round=each.round_number,
                    votes_wanted=each.votes_wanted,
                    text=each.text,
                    suggestion=each.suggestion,
                )
                for each in tasks
            ],
            end=is_end,
        )

    async def get_item(self, call: Call) -> messages.Item:
        """Tell how an item is shown."""
        query: messages.ItemQuery = call.sent
        shown = await self._at_hand(call).desk.sign(query.item)
        return messages.Item(item=query.item, **_shown(call.job, shown))

    async def list_rules(self, call: Call) -> messages.RuleList:
        """Tell how rules do."""
        at_hand = self._at_hand(call)
        number, reference = newest_rules(at_hand.job.status)
        found = await at_hand.jury.rules(reference) if reference else []
        items = max(1, at_hand.job.status.progress.items)
        return messages.RuleList(rules=[_rule(each, items) for each in found], round=number)

    # -- votes of others ------------------------------------------------------------------------------------------

    async def push_votes(self, call: Call) -> messages.Receipt:
        """Take votes of others in."""
        body: messages.PushedVotes = call.sent
        at_hand, now = self._at_hand(call, must_run=True), self._now()
        votes = [_vote(each, now=now) for each in body.votes]
        taken = await at_hand.jury.push(call.visitor.name, votes, origin=body.origin or "over HTTP")
        aside = [messages.VoteSetAside(**_aside(each)) for each in taken.set_aside]
        return messages.Receipt(accepted=taken.accepted, duplicates=taken.duplicates, set_aside=aside)

    # -- adjudication ---------------------------------------------------------------------------------------------

    async def list_conflicts(self, call: Call) -> messages.ConflictPage:
        """List the items that wait for a decision, each with what shows it."""
        query: messages.ConflictQuery = call.sent
        at_hand = self._at_hand(call)
        page = await at_hand.jury.conflicts(after=query.after, limit=query.limit)
        shown = [_conflict(call.job, each, await at_hand.desk.sign(each.item_id)) for each in page.conflicts]
        return messages.ConflictPage(conflicts=shown, end=page.is_end, total=page.total)

    async def decide(self, call: Call) -> messages.Decided:
        """Take a decision in."""
        body: messages.Decision = call.sent
        at_hand = self._at_hand(call, must_run=True)
        is_correction = await at_hand.jury.decide(
            call.visitor.name, decision_id=body.id, item_id=body.item, answer=body.label, note=body.note
        )
        return messages.Decided(correction=is_correction)

    async def send_back(self, call: Call) -> messages.SentBack:
        """Ask people about an item anew."""
        body: messages.SendBack = call.sent
        at_hand = self._at_hand(call, must_run=True)
        missing = await at_hand.jury.send_back(call.visitor.name, deed_id=body.id, item_id=body.item, note=body.note)
        return messages.SentBack(votes_missing=missing)

    async def list_audit(self, call: Call) -> messages.AuditPage:
        """List who did what."""
        query: messages.AuditQuery = call.sent
        deeds, is_end = await self._at_hand(call).jury.deeds(before=query.before, limit=query.limit)
        return messages.AuditPage(
            deeds=[
                messages.Deed(
                    number=each.number,
                    did=each.did,
                    annotator=each.annotator,
                    time=each.time,
                    item=each.item_id,
                    label=each.answer,
                    note=each.note,
                    votes=each.votes,
                )
                for each in deeds
            ],
            end=is_end,
        )


async def _sent(request: web.Request, operation: Operation) -> BaseModel:
    try:
        if operation.method == "POST":
            return operation.sent.model_validate_json(await request.read())
        return operation.sent.model_validate(dict(request.query))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"]))
        raise Refused(400, "InvalidInput", f"{where}: {problem['msg']}" if where else problem["msg"]) from error


def _head(name: str, job: LabelingJob) -> dict[str, Any]:
    return {"name": name, "state": job_state(job), "stage": stage_words(job)}


def _vote(vote: messages.PushedVote, *, now: datetime) -> NewVote:
    return NewVote(
        vote_id=vote.vote_id,
        item_id=vote.item,
        annotator=vote.annotator,
        answer=vote.label,
        time=now if vote.time is None else min(vote.time, now),
        lead_time_seconds=vote.lead_time_seconds,
        suggestion_shown=vote.suggestion_shown,
        supersedes=vote.supersedes,
        retracted=vote.retracted,
        origin=vote.origin,
    )


def _shown(job: str, shown: Shown) -> dict[str, Any]:
    image = f"/api/jobs/{job}/content/{shown.content_ticket}" if shown.content_ticket else ""
    return {"text": shown.text, "image": image, "expires": shown.until if image else None}


def _conflict(job: str, conflict: Conflict, shown: Shown) -> messages.Conflict:
    return messages.Conflict(
        item=conflict.item_id,
        **_shown(job, shown),
        disputed=conflict.is_disputed,
        sent_back=conflict.is_sent_back,
        votes_missing=conflict.votes_missing,
        votes=list(map(_given, conflict.votes)),
        comments=[
            messages.Comment(annotator=each.annotator, text=each.text, time=each.time) for each in conflict.comments
        ],
        decision=None if conflict.decision is None else _given(conflict.decision),
    )


def _given(vote: GivenVote) -> messages.GivenVote:
    return messages.GivenVote(annotator=vote.annotator, label=vote.answer, time=vote.time)


def _aside(rejected: Rejected) -> dict[str, Any]:
    return {"vote_id": rejected.vote_id, "reason": rejected.reason, "message": rejected.message}


def _rule(figures: RuleFigures, items: int) -> messages.Rule:
    return messages.Rule(
        name=figures.annotator,
        source=figures.source,
        coverage=figures.hits / items,
        overlap=figures.overlaps / items,
        conflict=figures.conflicts / items,
        estimated_accuracy=figures.estimated_accuracy,
        measured_accuracy=figures.gold_right / figures.gold_hits if figures.gold_hits else None,
        gold_hits=figures.gold_hits,
    )
