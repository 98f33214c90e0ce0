"""Calls of Label Studio's HTTP API, as far as the connector needs them (community edition, seen on version 1.23.2)."""

import json
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar

import httpx

from labelplane_core.errors import InvalidInput
from labelplane_review.errors import LabelStudioAway, LabelStudioError, NotFoundThere, RequestRefused, TokenRefused

__all__ = ["Json", "LabelStudioClient", "Project", "open_http"]

Json = dict[str, Any]
_Result = TypeVar("_Result")

PAGE: Final = 500
"""Tasks a page of a listing; what is written into the address stays short."""
BATCH: Final = 1000
"""Tasks an import."""
_CALL_SECONDS: Final = 60.0
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_TAG: Final = re.compile(r"<[^>]*>|\s+")
_PERSONAL_TOKEN_DOTS: Final = 2


@dataclass(frozen=True, slots=True)
class Project:
    """A project as the server describes it."""

    number: int
    title: str
    description: str
    label_config: str
    tasks: int

    @classmethod
    def of(cls, fields: Json) -> "Project":
        """Return the project of an answer."""
        return cls(
            int(fields["id"]),
            fields.get("title") or "",
            fields.get("description") or "",
            fields.get("label_config") or "",
            int(fields.get("task_number") or 0),
        )


def open_http(url: str, *, ca_certificates: str = "", seconds: float = _CALL_SECONDS) -> httpx.AsyncClient:
    """Return a client of one server; `ca_certificates` are certificates to trust as PEM, besides the system's.

    Raises:
        InvalidInput: they are no certificates.
    """
    verify = httpx.create_ssl_context()
    if ca_certificates:
        try:
            verify.load_verify_locations(cadata=ca_certificates)
        except (ssl.SSLError, ValueError) as error:
            raise InvalidInput(
                f"the certificates for {url} are no PEM ({error}): check the ConfigMap's ca.crt"
            ) from error
    return httpx.AsyncClient(base_url=url.rstrip("/"), timeout=seconds, verify=verify, follow_redirects=True)


class LabelStudioClient:
    """Calls one server with one token, legacy or personal.

    A personal token is a JWT that gives access tokens of five minutes; one is asked for at the first call and again
    whenever the server refuses it. Every error is a `LabelStudioError` whose message is for people.
    """

    def __init__(self, http: httpx.AsyncClient, *, token: str) -> None:
        self._http = http
        self._token = token.strip()
        self._is_personal = self._token.count(".") == _PERSONAL_TOKEN_DOTS
        self._access = "" if self._is_personal else self._token
        self.answered_at: datetime | None = None

    @property
    def url(self) -> str:
        """The server's address."""
        return str(self._http.base_url).rstrip("/")

    def address(self, project: int) -> str:
        """Return where people open a project in their browser."""
        return f"{self.url}/projects/{project}"

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    # -- projects -------------------------------------------------------------------------------------------------

    async def project(self, number: int) -> Project:
        """Return a project; `NotFoundThere` when it is gone, or is none that the token's owner may see."""
        return _read(Project.of, await self._call("GET", f"/api/projects/{number}/"))

    async def find_project(self, marker: str) -> Project | None:
        """Return the oldest project whose description holds `marker`; None when there is none."""
        found: list[Project] = []
        page = 1
        while True:
            parameters = {"page": page, "page_size": 100, "include": "id,title,description"}
            answer = await self._call("GET", "/api/projects/", parameters=parameters)
            found += _read(lambda each: [Project.of(fields) for fields in each["results"]], answer)
            if not answer.get("next"):
                break
            page += 1
        ours = [each.number for each in found if marker in each.description]
        return await self.project(min(ours)) if ours else None

    async def create_project(self, fields: Json) -> Project:
        """Make a project."""
        return _read(Project.of, await self._call("POST", "/api/projects/", body=fields))

    async def change_project(self, number: int, fields: Json) -> None:
        """Change a project."""
        await self._call("PATCH", f"/api/projects/{number}/", body=fields)

    async def people(self) -> dict[int, str]:
        """Return the e-mail address, else the user name, of everybody on the server, by number."""
        answer = await self._call("GET", "/api/users/")
        return _read(
            lambda users: {
                int(user["id"]): str(user.get("email") or user.get("username") or f"user-{user['id']}")
                for user in users
            },
            answer,
        )

    # -- tasks ----------------------------------------------------------------------------------------------------

    async def import_tasks(self, project: int, tasks: Sequence[Json]) -> list[int]:
        """Add tasks and return their numbers, in their order; at most `BATCH`.

        The list is empty where the server adds them later by itself, as other editions do.
        """
        path = f"/api/projects/{project}/import"
        answer = await self._call("POST", path, parameters={"return_task_ids": "true"}, body=tasks)
        numbers = [int(number) for number in answer.get("task_ids") or ()]
        return numbers if len(numbers) == len(tasks) else []

    async def change_data(self, task: int, data: Json) -> None:
        """Put other data into a task."""
        await self._call("PATCH", f"/api/tasks/{task}/", body={"data": data})

    async def tasks(
        self, project: int, *, since: datetime | None = None, page_size: int = PAGE
    ) -> AsyncIterator[list[Json]]:
        """Yield tasks with their annotations page by page, those alone that changed at `since` or later.

        Pages go by the task's number, so that no task is passed over while others change or are added.
        """
        last = 0
        while True:
            parameters = {
                "project": project,
                "page_size": page_size,
                "fields": "all",
                "resolve_uri": "false",
                "query": json.dumps(_query(after=last, since=since)),
            }
            try:
                answer = await self._call("GET", "/api/tasks", parameters=parameters)
            except NotFoundThere:
                await self.project(project)  # a page past the end is not found either; a project that is gone is told
                return
            tasks: list[Json] = _read(lambda each: list(each["tasks"]), answer)
            if not tasks:
                return
            yield tasks
            last = _read(lambda each: max(int(task["id"]) for task in each), tasks)
            if len(tasks) < page_size:
                return

    # -- parts ----------------------------------------------------------------------------------------------------

    async def _call(
        self, method: str, path: str, *, parameters: Mapping[str, Any] | None = None, body: Any = None
    ) -> Any:
        """Return the answer of one call; an access token that has run out is taken anew once."""
        if not self._access:
            await self._refresh()
        response = await self._send(method, path, parameters, body)
        if response.status_code == httpx.codes.UNAUTHORIZED and self._is_personal:
            await self._refresh()
            response = await self._send(method, path, parameters, body)
        self._check(response, f"{method} {path}")
        return _json(response, f"{self.url}{path}")

    async def _refresh(self) -> None:
        response = await self._post_refresh()
        if response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.BAD_REQUEST, httpx.codes.FORBIDDEN}:
            raise TokenRefused(
                f"{self.url} does not take the personal token (HTTP {response.status_code}): it has run out or was "
                "revoked: make another under Account & Settings, and put it into the Secret"
            )
        self._check(response, "POST /api/token/refresh/")
        self._access = _read(lambda each: str(each["access"]), _json(response, f"{self.url}/api/token/refresh/"))

    async def _post_refresh(self) -> httpx.Response:
        try:
            return await self._http.post("/api/token/refresh/", json={"refresh": self._token})
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._away(error) from error

    async def _send(self, method: str, path: str, parameters: Mapping[str, Any] | None, body: Any) -> httpx.Response:
        kind = "Bearer" if self._is_personal else "Token"
        headers = {"Authorization": f"{kind} {self._access}"}
        try:
            response = await self._http.request(method, path, params=parameters, json=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeEncodeError) as error:
            raise self._away(error) from error
        self._note_time(response)
        return response

    def _note_time(self, response: httpx.Response) -> None:
        """Keep the time that the server says it is: what changed when is told by its clock and not by ours."""
        try:
            self.answered_at = parsedate_to_datetime(response.headers["Date"]).astimezone(UTC)
        except (KeyError, ValueError):
            self.answered_at = None

    def _away(self, error: Exception) -> LabelStudioError:
        if isinstance(error, UnicodeEncodeError):
            return TokenRefused(f"the token for {self.url} holds characters that no token has: copy it again")
        return LabelStudioAway(f"Label Studio at {self.url} does not answer ({_words(error)}): tried again")

    def _check(self, response: httpx.Response, what: str) -> None:
        code = response.status_code
        if code < httpx.codes.BAD_REQUEST:
            return
        said = f"HTTP {code}: {_said(response)}"
        if code in _AGAIN:
            raise LabelStudioAway(f"Label Studio at {self.url} cannot answer {what} now ({said}): tried again")
        if code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            hint = "" if self._is_personal else "; a legacy token also has to be enabled by the organisation"
            raise TokenRefused(f"{self.url} refuses the token ({said}): put a valid one into the Secret{hint}")
        if code == httpx.codes.NOT_FOUND:
            raise NotFoundThere(f"{self.url} does not know {what.split(' ', 1)[1]} ({said})")
        raise RequestRefused(f"Label Studio at {self.url} refuses {what} ({said})")


def _query(*, after: int, since: datetime | None) -> Json:
    """Return the data manager's query: tasks by number above `after`, changed at `since` or later."""
    items = [{"filter": "filter:tasks:id", "operator": "greater", "type": "Number", "value": after}]
    if since is not None:
        # A value without a fraction or without the Z is answered with a 500.
        value = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        field = "filter:tasks:updated_at"
        items.append({"filter": field, "operator": "greater_or_equal", "type": "Datetime", "value": value})
    return {"filters": {"conjunction": "and", "items": items}, "ordering": ["tasks:id"]}


def _json(response: httpx.Response, what: str) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise RequestRefused(
            f"{what} answers with something else than JSON: is that address a Label Studio?"
        ) from error


def _read(read: Callable[[Any], _Result], answer: Any) -> _Result:
    """Return what `read` takes from an answer; an answer of another form is told, as after an upgrade of the server."""
    try:
        return read(answer)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RequestRefused(
            f"Label Studio answers in a form that is not known here ({type(error).__name__}: {error}): "
            "docs/label-studio.md names the versions that are"
        ) from error


def _said(response: httpx.Response) -> str:
    """Return the first words of a refusal, without markup."""
    try:
        answer = response.json()
        text = str(answer.get("detail") or answer) if isinstance(answer, dict) else str(answer)
    except ValueError:
        text = response.text
    return _TAG.sub(" ", text).strip()[:200] or response.reason_phrase


def _words(error: Exception) -> str:
    return str(error).strip() or type(error).__name__
