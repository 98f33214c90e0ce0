"""What every handler needs: the jobs, and who calls."""

from aiohttp import web

from labelplane_review.web.access import SecretLink, checked_name
from labelplane_review.web.jobs import JobAtHand, Jobs
from labelplane_review.web.refusals import Refused
from labelplane_review.web.rights import Visitor, may_adjudicate

__all__ = ["Front"]


class Front:
    """Finds a call's job and person, or refuses it."""

    def __init__(self, jobs: Jobs, access: SecretLink) -> None:
        self._jobs = jobs
        self._access = access

    @property
    def jobs(self) -> Jobs:
        """All jobs."""
        return self._jobs

    @property
    def access(self) -> SecretLink:
        """Who may come in."""
        return self._access

    def visitor(self, request: web.Request) -> Visitor:
        """Return who calls.

        Raises:
            Refused: the caller may not come in.
        """
        visitor = self._access.visitor(request)
        if visitor is None and "Authorization" in request.headers:
            raise Refused(401, "WrongToken", "the token is not the owner's: it is the last part of the owner's link")
        if visitor is None:
            raise Refused(403, "NoAccess", "open the link that labelplane run prints: it lets this browser in")
        return visitor

    def person(self, request: web.Request) -> str:
        """Return the caller's name.

        Raises:
            Refused: the caller may not come in.
        """
        return self.visitor(request).name

    def owner(self, request: web.Request) -> Visitor:
        """Return who calls.

        Raises:
            Refused: the job is not theirs.
        """
        visitor = self.visitor(request)
        if not visitor.is_owner:
            raise Refused(403, "OwnerOnly", "only who holds the owner's link may bring votes of others")
        return visitor

    def adjudicator(self, request: web.Request, at_hand: JobAtHand) -> Visitor:
        """Return who calls.

        Raises:
            Refused: they may not decide items of the job.
        """
        visitor = self.visitor(request)
        if not may_adjudicate(visitor, at_hand.job.spec.review):
            words = "the owner and people with review.people[].adjudicator see others' votes and decide"
            raise Refused(403, "NotAdjudicator", words)
        return visitor

    def job(self, request: web.Request) -> JobAtHand:
        """Return the job that a call is about.

        Raises:
            Refused: there is none of that name, or the caller may not come in.
        """
        self.person(request)
        name = request.match_info["job"]
        found = self._jobs.find(name)
        if found is None:
            raise Refused(404, "UnknownJob", f"there is no job {name[:80]!r} here")
        return found

    def rename(self, response: web.StreamResponse, name: str) -> None:
        """Give a browser its person's name.

        Raises:
            Refused: the name is none.
        """
        checked = checked_name(name)
        if checked is None:
            raise Refused(400, "InvalidInput", "a name has 1 to 64 printable characters")
        self._access.rename(response, checked)
