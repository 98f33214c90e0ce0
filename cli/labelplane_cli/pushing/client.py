"""Calls of the HTTP contract: what passes by itself is tried again, what does not ends the command with one line."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import httpx

from labelplane_cli.errors import BadUsage, CliError
from labelplane_cli.pushing.target import Target
from labelplane_review.inbox_client import NewVote

__all__ = ["ReviewClient", "RunningJob", "Sent"]

_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 10.0
_TIMEOUT_SECONDS: Final = 60.0
_SERVER_ERROR: Final = 500


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that takes votes."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a batch; `aside` gives votes that cannot count their message, by id."""

    accepted: int
    duplicates: int
    aside: dict[str, str]


class ReviewClient:
    """Calls one front; closes with the block. `patience_seconds` is how long it waits for one that is away."""

    def __init__(
        self,
        target: Target,
        *,
        patience_seconds: float,
        transport: httpx.BaseTransport | None = None,
        sleep: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = target.address
        self._patience = patience_seconds
        self._sleep, self._monotonic = sleep, monotonic
        self._http = httpx.Client(
            base_url=target.address,
            headers={"Authorization": f"Bearer {target.token}"},
            timeout=_TIMEOUT_SECONDS,
            transport=transport,
            trust_env=False,  # a proxy of the environment must not see the token
        )

    def __enter__(self) -> Self:
        """Return the client."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close its connections."""
        self._http.close()

    def job(self, name: str) -> RunningJob:
        """Return the job of a name, or the only one when the name is empty.

        Raises:
            BadUsage: there is no such job, or there are several.
            CliError: the front refuses the token or does not answer.
        """
        names = [each["name"] for each in self._call("GET", "/api/v1/jobs")["jobs"]]
        if name and name not in names:
            raise BadUsage(
                f"--job {name}: there is no such job at {self._address}: there is {', '.join(names) or 'none'}"
            )
        if not name and len(names) != 1:
            raise BadUsage(f"--job: say which of {', '.join(names) or 'no job'} at {self._address}")
        name = name or names[0]
        return RunningJob(name, self._call("GET", f"/api/v1/jobs/{name}")["uid"])

    def push(self, job: RunningJob, votes: Sequence[NewVote], *, origin: str) -> Sent:
        """Send votes; they are durable when this returns.

        Raises:
            CliError: the front refuses them or does not answer.
        """
        body = {"origin": origin, "votes": [vote_body(each) for each in votes]}
        answer = self._call("POST", f"/api/v1/jobs/{job.name}/votes", json=body)
        aside = {each["vote_id"]: each["message"] for each in answer["set_aside"]}
        return Sent(answer["accepted"], answer["duplicates"], aside)

    def _call(self, method: str, path: str, **body: Any) -> Any:
        began, pause = self._monotonic(), _FIRST_PAUSE_SECONDS
        while True:
            problem, answer = self._try(method, path, **body)
            if not problem:
                return answer
            if self._monotonic() - began + pause > self._patience:
                raise CliError(f"{self._address}: {problem}: run the same command again, it goes on from where it was")
            self._sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _try(self, method: str, path: str, **body: Any) -> tuple[str, Any]:
        """Return why the call is to be made again, empty when it is answered, and the answer."""
        try:
            response = self._http.request(method, path, **body)
        except httpx.TransportError as error:
            return f"does not answer ({type(error).__name__})", None
        try:
            answer = response.json()
        except ValueError:
            answer = {}
        if response.status_code < httpx.codes.BAD_REQUEST and answer:
            return "", answer
        found = answer.get("error", {}) if isinstance(answer, dict) else {}
        message = str(found.get("message", f"answers {response.status_code}: it is no review page of labelplane"))
        if response.status_code >= _SERVER_ERROR:
            return message, None
        raise CliError(f"{self._address}: {message}")


def vote_body(vote: NewVote) -> dict[str, Any]:
    """Return a vote as the contract has it; what is empty is left out."""
    fields = {
        "vote_id": vote.vote_id,
        "item": vote.item_id,
        "label": vote.answer,
        "annotator": vote.annotator,
        "suggestion_shown": vote.suggestion_shown,
        "supersedes": vote.supersedes,
        "origin": vote.origin,
    }
    return {name: value for name, value in fields.items() if value or name in ("item", "vote_id", "annotator")}
