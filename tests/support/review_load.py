"""Simulated people who label through the review page's calls, as browsers make them, and never give an answer up."""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientError, ClientSession, ClientTimeout, CookieJar, TCPConnector

RETRY_SECONDS = 0.1
IDLE_SECONDS = 0.3


@dataclass
class LoadPerson:
    """One person with a browser: `acknowledged` is what the server has confirmed, item and name by vote id."""

    name: str
    link: Callable[[], str]
    job: str
    answer: Callable[[str], str]
    pause: Callable[[], float]
    acknowledged: dict[str, tuple[str, str]] = field(default_factory=dict)
    set_aside: list[str] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)
    lease_seconds: list[float] = field(default_factory=list)
    vote_seconds: list[float] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._session = ClientSession(
            cookie_jar=CookieJar(unsafe=True), timeout=ClientTimeout(total=30), connector=TCPConnector(limit=4)
        )
        await self._enter()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def work(self, stop: asyncio.Event) -> None:
        """Take a task, think, answer it until it is confirmed, and begin again, until `stop`."""
        while not stop.is_set():
            tasks = (await self._until_answered("lease", {"count": 1}, self.lease_seconds))["tasks"]
            if not tasks:
                await asyncio.sleep(IDLE_SECONDS)
                continue
            task = tasks[0]
            self.seen.append(task["item"])
            await asyncio.sleep(pause := self.pause())
            vote_id, said = uuid.uuid4().hex, self.answer(task["item"])
            vote = {
                "id": vote_id,
                "item": task["item"],
                "answer": said,
                "lease": task["lease"],
                "lead_seconds": pause,
            }
            answer = await self._until_answered("votes", {"votes": [vote]}, self.vote_seconds)
            if answer["set_aside"]:
                self.set_aside.append(vote_id)
            else:
                self.acknowledged[vote_id] = (task["item"], self.name)

    async def comment(self, item: str, text: str) -> None:
        """Leave a remark on an item."""
        await self._until_answered("comments", {"id": uuid.uuid4().hex, "item": item, "text": text}, [])

    async def _enter(self) -> None:
        async with self._session.get(self.link()) as response:
            assert response.status == 200
        async with self._session.post(f"{self._address}/api/name", json={"name": self.name}) as response:
            assert response.status == 200

    @property
    def _address(self) -> str:
        return self.link().split("/enter/")[0]

    async def _until_answered(self, what: str, body: Any, seconds: list[float]) -> Any:
        """Call again and again until the server answers; only the call that was answered is timed."""
        while True:
            began = time.perf_counter()
            try:
                async with self._session.post(f"{self._address}/api/jobs/{self.job}/{what}", json=body) as response:
                    answer = await response.json()
                    if response.status == 200:
                        seconds.append(time.perf_counter() - began)
                        return answer
                    assert response.status >= 500, answer
            except (ClientError, TimeoutError, ValueError):
                pass  # it is dead, or died in the middle of its answer
            await asyncio.sleep(RETRY_SECONDS)
