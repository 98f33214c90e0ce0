"""The front as an aiohttp application."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime
from typing import Final

import grpc
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from labelplane_review.web.calls import Calls
from labelplane_review.web.contract import JOB_SEGMENT
from labelplane_review.web.events import Events
from labelplane_review.web.front import Access, Front
from labelplane_review.web.jobs import Jobs
from labelplane_review.web.pages import Pages
from labelplane_review.web.policy import content_policy
from labelplane_review.web.refusals import Refused, of_rpc, to_response
from labelplane_review.web.tools import Tools

__all__ = ["make_app"]

MAX_BODY_BYTES: Final = 1 << 20

_HEADERS: Final = {
    "Content-Security-Policy": content_policy(),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_FROM_HERE: Final = frozenset({"same-origin", "none", ""})
"""What `Sec-Fetch-Site` says of a call that no other page made."""

_log = logging.getLogger(__name__)


def make_app(
    jobs: Jobs,
    access: Access,
    *,
    now: Callable[[], datetime],
    closing: asyncio.Event | None = None,
    job_segment: str = JOB_SEGMENT,
) -> web.Application:
    """Return the application; setting `closing` ends its event streams after one last view.

    `job_segment` is how paths name a job: the pattern of aiohttp for `{job}`.
    """
    front = Front(jobs, access)
    pages = Pages(front, segment=job_segment)
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_answer_refusals(pages), _refuse_foreign_calls])
    app.add_routes([*access.routes(), *pages.routes()])
    app.add_routes(Calls(front, now=now, segment=job_segment).routes())
    app.add_routes(Tools(front, now=now, segment=job_segment).routes())
    app.add_routes(Events(front, closing=closing or asyncio.Event(), segment=job_segment).routes())
    app.on_response_prepare.append(_add_headers)
    return app


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    del request
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)


def _answer_refusals(pages: Pages) -> Middleware:
    """Return the middleware that gives every error its answer: JSON to calls, a page to people."""

    @web.middleware
    async def answer(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except Refused as error:
            refused = error
        except grpc.aio.AioRpcError as error:
            refused = of_rpc(error)
        except web.HTTPRequestEntityTooLarge:
            refused = Refused(413, "TooLarge", f"more than {MAX_BODY_BYTES >> 20} MB in one call: send less at once")
        except web.HTTPNotFound:
            refused = Refused(404, "NotFound", "there is no such page")
        except web.HTTPMethodNotAllowed as error:
            refused = Refused(405, "MethodNotAllowed", f"call this by {' or '.join(sorted(error.allowed_methods))}")
        except (web.HTTPException, ConnectionResetError):
            raise
        except Exception:  # noqa: BLE001 - the last place that can answer a defect with a code
            _log.exception("unexpected error in %s %s", request.method, request.path)
            refused = Refused(500, "Unexpected", "unexpected error: the log has the details")
        return to_response(refused) if request.path.startswith("/api/") else pages.refusal(refused)

    return answer


@web.middleware
async def _refuse_foreign_calls(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse what another site's page asks a person's browser to do: no form can send JSON under this type."""
    if request.method == "POST":
        is_ours = request.headers.get("Sec-Fetch-Site", "") in _FROM_HERE
        if not is_ours or request.content_type != "application/json":
            raise Refused(403, "ForeignCall", "calls come from these pages alone, as application/json")
    return await handler(request)
