"""What every handler needs: the jobs, and who calls."""

from collections.abc import Sequence
from typing import Protocol

from aiohttp import web

from labelplane_api.job import LabelingJob
from labelplane_review.web.jobs import JobAtHand, Jobs
from labelplane_review.web.refusals import Refused
from labelplane_review.web.rights import Deed, Visitor, may_adjudicate

__all__ = ["Access", "Front"]


class Access(Protocol):
    """Tells who calls and what they may do. Jobs go by the names that `Jobs` gives them."""

    @property
    def may_rename(self) -> bool:
        """Whether people choose the names under which they answer."""
        ...

    def routes(self) -> Sequence[web.RouteDef]:
        """Return what is served besides, for people to come in."""
        ...

    async def admit(self, request: web.Request) -> Visitor:
        """Return who calls; `Refused` when they may not come in."""
        ...

    async def may(self, visitor: Visitor, deed: Deed, job: str) -> bool:
        """Whether a visitor may do something to a job, whether there is one of that name or not."""
        ...

    async def seen_by(self, visitor: Visitor, jobs: Sequence[str]) -> Sequence[str]:
        """Return those of the jobs that a visitor may see."""
        ...

    def refusal(self, deed: Deed) -> Refused:
        """Return what a visitor is told who may not do something."""
        ...


class Front:
    """Finds a call's job and person, or refuses it."""

    def __init__(self, jobs: Jobs, access: Access) -> None:
        self._jobs = jobs
        self._access = access

    @property
    def access(self) -> Access:
        """Who may come in."""
        return self._access

    async def visitor(self, request: web.Request) -> Visitor:
        """Return who calls; `Refused` when they may not come in."""
        return await self._access.admit(request)

    async def names(self, visitor: Visitor) -> Sequence[str]:
        """Return the names of the jobs that a visitor may see."""
        return await self._access.seen_by(visitor, self._jobs.names())

    def find(self, name: str) -> JobAtHand | None:
        """Return a job, None when there is none of that name; who asks was let in before."""
        return self._jobs.find(name)

    def look_at(self, name: str) -> LabelingJob | None:
        """Return how a job stands, without reaching for its services."""
        return self._jobs.look_at(name)

    async def job(self, request: web.Request, deed: Deed = Deed.SEE) -> tuple[JobAtHand, Visitor]:
        """Return the job that a call is about, and who calls.

        Raises:
            Refused: the caller may not come in or not do this, or there is no job of that name.
        """
        visitor, name = await self.visitor(request), request.match_info["job"]
        is_allowed = await self._access.may(visitor, deed, name)
        # Who may not even see it is not told whether there is such a job.
        found = self._jobs.find(name) if is_allowed or await self._access.may(visitor, Deed.SEE, name) else None
        if found is not None and not is_allowed:
            is_allowed = deed is Deed.DECIDE and await self._is_adjudicator(visitor, found, name)
        elif found is None and is_allowed:
            raise Refused(404, "UnknownJob", f"there is no job {name[:80]!r} here")
        if found is None or not is_allowed:
            raise self._access.refusal(deed)
        return found, visitor

    async def may_decide(self, visitor: Visitor, at_hand: JobAtHand, name: str) -> bool:
        """Whether a visitor may decide items of a job: by a right of theirs, or because the job names them."""
        is_allowed = await self._access.may(visitor, Deed.DECIDE, name)
        return is_allowed or await self._is_adjudicator(visitor, at_hand, name)

    async def _is_adjudicator(self, visitor: Visitor, at_hand: JobAtHand, name: str) -> bool:
        is_named = may_adjudicate(visitor, at_hand.job.spec.review)
        return is_named and await self._access.may(visitor, Deed.LABEL, name)
