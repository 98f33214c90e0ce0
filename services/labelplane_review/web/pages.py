"""The pages themselves, and their script and style."""

import hashlib
from importlib.resources import files
from typing import Any, Final
from urllib.parse import quote

import grpc
from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from labelplane_review.web.contract import JOB_SEGMENT
from labelplane_review.web.front import Front
from labelplane_review.web.guidelines import guidelines_html
from labelplane_review.web.jobs import JobAtHand
from labelplane_review.web.openapi import openapi_document
from labelplane_review.web.policy import content_policy
from labelplane_review.web.reading import contract_tables
from labelplane_review.web.refusals import Refused
from labelplane_review.web.rights import NOBODY, Deed, Visitor

__all__ = ["Pages"]

_PACKAGE: Final = "labelplane_review.web"
_ASSETS: Final = {
    "page.css": "text/css",
    "review.js": "text/javascript",
    "outbox.js": "text/javascript",
    "viewer.js": "text/javascript",
    "jobs.js": "text/javascript",
    "joblist.js": "text/javascript",
    "conflicts.js": "text/javascript",
    "audit.js": "text/javascript",
    "keys.js": "text/javascript",
    "icon.svg": "image/svg+xml",
}


class Pages:
    """Serves HTML and assets; these are read once and carry their hash in their address."""

    def __init__(self, front: Front, *, segment: str) -> None:
        self._front = front
        self._segment = segment
        self._openapi = openapi_document()
        self._assets = {name: files(_PACKAGE).joinpath("assets", name).read_bytes() for name in _ASSETS}
        digest = hashlib.sha256(b"".join(self._assets.values())).hexdigest()[:12]
        self._environment = Environment(
            loader=PackageLoader(_PACKAGE),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.globals["asset"] = lambda name: f"/assets/{digest}/{name}"

    def routes(self) -> list[web.RouteDef]:
        """Return what is served where."""
        job = self._segment
        return [
            web.get("/", self.home),
            web.get(f"/t/{job}", self.review),
            web.get("/jobs", self.jobs),
            web.get(f"/jobs/{job}", self.job),
            web.get(f"/jobs/{job}/conflicts", self.conflicts),
            web.get(f"/jobs/{job}/audit", self.audit),
            web.get("/api", self.contract),
            web.get("/openapi.json", self.openapi),
            web.get("/assets/{digest}/{name}", self.asset),
        ]

    async def home(self, request: web.Request) -> web.Response:
        """Lead to the only job's tasks, or to all jobs."""
        names = await self._front.names(await self._front.visitor(request))
        raise web.HTTPSeeOther(f"/t/{names[0]}" if len(names) == 1 else "/jobs")

    async def review(self, request: web.Request) -> web.Response:
        """Serve the page on which people label."""
        at_hand, visitor = await self._front.job(request, Deed.LABEL)
        guidelines = guidelines_html(at_hand.job.spec.review.guidelines)
        config = _config(request.match_info["job"], at_hand, visitor.name)
        config["may_rename"] = self._front.access.may_rename
        config["asks_name"] = self._front.access.may_rename and visitor.name == NOBODY
        response = self._page("review.html.j2", config=config, person=visitor.name, guidelines=guidelines)
        return await _showing_items(response, at_hand)

    async def jobs(self, request: web.Request) -> web.Response:
        """Serve the list of jobs, or the only one."""
        visitor = await self._front.visitor(request)
        names = await self._front.names(visitor)
        if len(names) == 1 and self._segment == JOB_SEGMENT:
            return await self._job_page(names[0], visitor)
        return self._page("jobs.html.j2", names=names, person=visitor.name)

    async def job(self, request: web.Request) -> web.Response:
        """Serve the page of one job."""
        _, visitor = await self._front.job(request)
        return await self._job_page(request.match_info["job"], visitor)

    async def conflicts(self, request: web.Request) -> web.Response:
        """Serve the page on which items are decided."""
        at_hand, visitor = await self._front.job(request, Deed.DECIDE)
        config = _config(request.match_info["job"], at_hand, visitor.name)
        return await _showing_items(self._page("conflicts.html.j2", config=config), at_hand)

    async def audit(self, request: web.Request) -> web.Response:
        """Serve the page of the audit log."""
        at_hand, visitor = await self._front.job(request, Deed.DECIDE)
        return self._page("audit.html.j2", config=_config(request.match_info["job"], at_hand, visitor.name))

    async def contract(self, request: web.Request) -> web.Response:
        """Serve the HTTP contract as a page; nothing secret is in it."""
        del request
        return self._page("contract.html.j2", **contract_tables(self._openapi))

    async def openapi(self, request: web.Request) -> web.Response:
        """Serve the HTTP contract as OpenAPI."""
        del request
        return web.json_response(self._openapi)

    async def asset(self, request: web.Request) -> web.Response:
        """Serve a script, style or picture of ours; nothing secret is in it."""
        name = request.match_info["name"]
        if name not in self._assets:
            raise Refused(404, "NotFound", "there is no such file")
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return web.Response(body=self._assets[name], content_type=_ASSETS[name], charset="utf-8", headers=headers)

    def refusal(self, refused: Refused) -> web.Response:
        """Return the page of a refusal."""
        response = self._page("refused.html.j2", refused=refused)
        response.set_status(refused.status)
        return response

    async def _job_page(self, name: str, visitor: Visitor) -> web.Response:
        at_hand = self._front.find(name)
        assert at_hand is not None
        config = _config(name, at_hand, visitor.name)
        config["may_adjudicate"] = await self._front.may_decide(visitor, at_hand, name)
        return await _showing_items(self._page("job.html.j2", config=config, person=visitor.name), at_hand)

    def _page(self, template: str, **values: Any) -> web.Response:
        text = self._environment.get_template(template).render(**values)
        return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})


async def _showing_items(response: web.Response, at_hand: JobAtHand) -> web.Response:
    """Let a page load pictures from the job's bucket as well, where browsers may."""
    try:
        origin = (await at_hand.desk.counts(has_details=True)).content_origin
    except grpc.aio.AioRpcError:
        origin = ""  # away: the page says so itself
    if origin:
        response.headers["Content-Security-Policy"] = content_policy(origin)
    return response


def _config(name: str, at_hand: JobAtHand, person: str) -> dict[str, Any]:
    """Return what a page's script needs to know."""
    job = at_hand.job
    humans = job.spec.sources.humans
    return {
        "job": name,
        "path": quote(name),
        "uid": job.metadata.uid,
        "person": person,
        "classes": list(job.spec.task.classes),
        "votes_per_item": humans.votes_per_item if humans is not None else 1,
        "shows_agreement": job.spec.review.show_agreement,
        "has_guidelines": bool(job.spec.review.guidelines.strip()),
    }
