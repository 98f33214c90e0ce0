"""The connector: open tasks to a project on a Label Studio server, its annotations back as votes."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import grpc

from labelplane_core.errors import AlreadyExists, StoreError
from labelplane_review.errors import LabelStudioAway, LabelStudioError, NotFoundThere, RequestRefused
from labelplane_review.inbox_client import InboxClient, NewVote, OpenTask, Rejected
from labelplane_review.label_studio.answers import ITEM_FIELD, TaskAnswers, read_task
from labelplane_review.label_studio.client import BATCH, Json, LabelStudioClient, Project
from labelplane_review.label_studio.contents import SIGNED_SECONDS, Contents, expires_at
from labelplane_review.label_studio.finding import ItemFinder, named_item
from labelplane_review.label_studio.forms import Form, label_config, read_form
from labelplane_review.label_studio.records import Mark, Records
from labelplane_review.label_studio.standing import Standing, VoteRecord, bad_vote
from labelplane_review.passing import passes

__all__ = ["LabelStudioConnector", "ProjectWish"]

MODEL_VERSION: Final = "labelplane"
"""One for all rounds: Label Studio orders, and shows suggestions of, the tasks of one version alone."""
OVERLAP: Final = timedelta(seconds=30)
"""How far a look goes back behind the one before: what was written by a slow transaction is seen with the next."""
LOOKS_BETWEEN_SCANS: Final = 200
"""After so many looks at what has changed, one at everything."""
LONGEST_PAUSE_SECONDS: Final = 300.0
IMPORT_BYTES: Final = 20_000_000
"""Bytes of data an import; servers take 250 MB of JSON by default, proxies before them less."""
_TITLE_CHARACTERS: Final = 50
_LEAST_TITLE: Final = 3
_SCORE_TASKS: Final = 1_000_000

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectWish:
    """The project that a job wants.

    Attributes:
        title: its name; that of the job.
        classes: the classes, in the job's order.
        is_image: whether items are images; else texts.
        votes_per_item: how many people answer an item.
        number: a project that is there already; None makes one.
    """

    title: str
    classes: tuple[str, ...]
    is_image: bool
    votes_per_item: int
    number: int | None = None

    def has_grown(self, config: str) -> bool:
        """Whether an interface is the one that was made when the job had fewer classes; they are added at the end."""
        fewer = range(1, len(self.classes))
        return any(config == label_config(self.classes[:count], is_image=self.is_image) for count in fewer)

    def fields(self, marker: str) -> Json:
        """Return what the server is told to make."""
        return {
            "title": self.title[:_TITLE_CHARACTERS].ljust(_LEAST_TITLE, "_"),
            "description": f"Made by labelplane. Its mark: {marker}. Leave this line as it is.",
            "label_config": label_config(self.classes, is_image=self.is_image),
            "sampling": "Uncertainty sampling",
            "model_version": MODEL_VERSION,
            "show_collab_predictions": True,
            "maximum_annotations": self.votes_per_item,
            "enable_empty_annotation": False,
        }


class LabelStudioConnector:
    """Brings open tasks to a project and what people annotate there back, edits and deletions with it.

    It reads the whole project at its start, and then what changed since the look before, by the server's own clock.
    What it has sent it keeps in the job's store, each vote before it is sent: so a crash at any point neither loses
    nor doubles one. A task is added when the project, as it was read, has none of its item.

    A server that is away, a wrong token, a project that is gone or was changed by hand end nothing: each is told, to
    the log once and to the inbox at every look, and tried again; votes stay where they are.
    """

    def __init__(
        self,
        inbox: InboxClient,
        client: LabelStudioClient,
        records: Records,
        contents: Contents,
        *,
        wish: ProjectWish,
        poll_seconds: float,
        find_item: ItemFinder,
        draw: Callable[[], str] = lambda: secrets.token_hex(8),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._inbox = inbox
        self._client = client
        self._records = records
        self._contents = contents
        self._wish = wish
        self._poll_seconds = poll_seconds
        self._find_item = find_item
        self._draw = draw
        self._sleep = sleep
        self._project: int | None = None
        self._standing: Standing | None = None
        self._unsent: list[VoteRecord] = []
        self._tasks: dict[str, int] = {}
        self._numbers: set[int] = set()
        self._ending: dict[str, datetime] = {}
        self._people: dict[int, str] = {}
        self._cursor: datetime | None = None
        self._looks = 0
        self._told: set[str] = set()
        self._sent_bad: set[str] = set()
        self._problem = ""

    async def run(self, stop: asyncio.Event) -> None:
        """Look at the project until `stop` is set.

        Raises:
            grpc.aio.AioRpcError: the inbox refuses the calls for good, such as for a wrong token.
            StoreError: the job's store can never be read or written so, such as for missing rights.
        """
        pause = self._poll_seconds
        while not stop.is_set():
            try:
                await self.poll_once()
                pause = self._poll_seconds
            except LabelStudioError as error:
                await self._report(str(error))
                pause = min(2 * pause, max(LONGEST_PAUSE_SECONDS, self._poll_seconds))
            except (grpc.aio.AioRpcError, StoreError) as error:
                if not passes(error):
                    raise
                _log.debug("looked at later: %s", error)
            await self._sleep(pause)

    async def poll_once(self) -> int:
        """Take in what people have done, add the tasks that are open, and return how many votes were new.

        Raises:
            LabelStudioError: the server does not let us; the message says what to do.
        """
        standing = await self._remembered()
        await self._send_rest()
        project = await self._found(standing)
        form = read_form(await self._config(project), where=self._where)
        if self._wish.number is not None:
            await self._find_item.ready()
        sent = await self._take_votes(project, self._standing or standing)
        await self._add_tasks(form)
        await self._sign_again(form)
        await self._report(self._complaint(form))
        return sent

    # -- the project ----------------------------------------------------------------------------------------------

    async def _remembered(self) -> Standing:
        """Return the votes that stand, read from the store at first; the last batch is sent again then."""
        if self._standing is None:
            mark = await self._mark()
            batches = await self._records.load()
            self._standing = Standing(mark.marker, (record for batch in batches for record in batch))
            self._unsent = batches[-1] if batches else []
            self._forget_project()
        return self._standing

    async def _mark(self) -> Mark:
        """Return the mark of the project, and make one where there is none, or one of another server or project."""
        mark, number, url = await self._records.mark(), self._wish.number, self._client.url
        if number is not None:
            wanted = Mark(url, f"project {number} of {url}")
        elif mark is not None and (mark.url == url or await self._client.find_project(mark.marker)):
            wanted = replace(mark, url=url)
        else:
            wanted = Mark(url, f"labelplane-{self._draw()}")
        if wanted != mark:
            await self._records.set_mark(wanted)
        return wanted

    def _forget_project(self) -> None:
        self._project, self._cursor = None, None
        self._tasks, self._numbers, self._ending = {}, set(), {}

    async def _found(self, standing: Standing) -> Project:
        """Return the project as it is now; one that is gone is made again, unless the job names it."""
        if self._wish.number is not None:
            project = await self._client.project(self._wish.number)
        elif self._project is None:
            project = await self._find_or_make(standing.project)
        else:
            try:
                project = await self._client.project(self._project)
            except NotFoundThere:
                await self._gone(self._project)
                project = await self._find_or_make((await self._remembered()).project)
        self._project = project.number
        return project

    async def _find_or_make(self, marker: str) -> Project:
        project = await self._client.find_project(marker)
        return project or await self._client.create_project(self._wish.fields(marker))

    async def _config(self, project: Project) -> str:
        """Return the project's labelling interface, with the classes that the job has got since it was made."""
        if self._wish.number is not None or not self._wish.has_grown(project.label_config):
            return project.label_config
        config = label_config(self._wish.classes, is_image=self._wish.is_image)
        await self._client.change_project(project.number, {"label_config": config})
        return config

    async def _gone(self, number: int) -> None:
        """Take leave of a project that was deleted there; its votes stay, and another is made under another mark."""
        standing = await self._remembered()
        if await self._client.find_project(standing.project) is not None:
            raise LabelStudioAway(f"{self._where} was not found for a moment: tried again")
        self._tell_once(f"project {number} at {self._client.url} was deleted: its votes are kept, and another is made")
        await self._records.set_mark(Mark(self._client.url, f"labelplane-{self._draw()}"))
        self._standing = None

    @property
    def _where(self) -> str:
        return f"Label Studio project {self._project or self._wish.number or ''} at {self._client.url}"

    # -- votes ----------------------------------------------------------------------------------------------------

    async def _take_votes(self, project: Project, standing: Standing) -> int:
        """Send what is new, from everything or from what has changed, and return how many votes that were."""
        is_scan = self._cursor is None or project.tasks != len(self._numbers) or self._looks >= LOOKS_BETWEEN_SCANS
        since = None if is_scan or self._cursor is None else self._cursor - OVERLAP
        if is_scan:
            self._looks, seen, tasks = 0, set[int](), dict[str, int]()
        else:
            seen, tasks = self._numbers, self._tasks
        began, sent = None, 0
        async for page in self._client.tasks(project.number, since=since, page_size=self._contents.tasks_a_page):
            began = began or self._client.answered_at
            answers = [await self._read(task) for task in page]
            seen.update(each.task for each in answers)
            tasks.update({each.item: each.task for each in answers if each.item is not None})
            self._note_endings(page)
            sent += await self._send(standing, answers)
        self._numbers, self._tasks = seen, tasks
        self._cursor, self._looks = began or self._client.answered_at or self._cursor, self._looks + 1
        return sent

    async def _read(self, task: Json) -> TaskAnswers:
        try:
            authors = {each.get("updated_by") for each in task.get("annotations") or ()}
            if any(isinstance(author, int) and author not in self._people for author in authors):
                self._people = await self._client.people()
                self._people |= {each: f"user-{each}" for each in authors if isinstance(each, int)} | self._people
            return read_task(task, people=self._people, classes=self._wish.classes, find_item=self._find_item)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RequestRefused(
                f"{self._where}: task {task.get('id')} has a form that is not known here ({error!r}): "
                "docs/label-studio.md names the versions that are"
            ) from error

    async def _send(self, standing: Standing, answers: Sequence[TaskAnswers]) -> int:
        records: list[VoteRecord] = []
        for task in answers:
            changes = standing.changes(task)
            standing.take(changes)
            records += changes
        if records:
            await self._note(records)
            self._unsent = records
        await self._send_bad(standing.project, answers)
        await self._send_rest()
        return len(records)

    async def _note(self, records: Sequence[VoteRecord]) -> None:
        """Write votes down before they are sent; where that fails, what stands is read anew."""
        try:
            await self._records.append(records)
        except AlreadyExists as error:
            self._standing = None
            raise LabelStudioAway(f"{self._where} is read by another process of this job too: read again") from error
        except StoreError:
            self._standing = None
            raise

    async def _send_rest(self) -> None:
        """Send the last batch, unless it was; it is in the store already."""
        if self._unsent:
            votes = [record.vote(origin=self._origin) for record in self._unsent]
            self._tell(await self._inbox.submit(votes, origin=self._origin))
            self._unsent = []

    async def _send_bad(self, marker: str, answers: Sequence[TaskAnswers]) -> None:
        bad = [bad_vote(marker, task, each, origin=self._origin) for task in answers for each in task.bad]
        new = [vote for vote in bad if vote.vote_id not in self._sent_bad]
        if new:
            await self._inbox.submit(new, origin=self._origin)
            self._sent_bad.update(vote.vote_id for vote in new)
            for vote in new:
                self._tell_once(f"vote set aside: {_words(vote)}")

    @property
    def _origin(self) -> str:
        return f"Label Studio project {self._project or self._wish.number or ''}".strip()

    # -- tasks ----------------------------------------------------------------------------------------------------

    async def _add_tasks(self, form: Form) -> None:
        """Add a task for every open item that the project has none of."""
        batch: list[tuple[OpenTask, Json]] = []
        size, added = 0, set[str]()
        async for task in self._inbox.open_tasks():
            if task.item_id in self._tasks or task.item_id in added:
                continue
            added.add(task.item_id)
            content = await self._contents.show(task)
            if content is None:
                self._tell_once(
                    f"item {task.item_id} cannot be shown and is not asked about: its file is gone or damaged"
                )
                continue
            batch.append((task, _new_task(task, content, form)))
            size += len(content)
            if len(batch) >= BATCH or size >= IMPORT_BYTES:
                await self._import(batch)
                batch, size = [], 0
        if batch:
            await self._import(batch)

    async def _import(self, batch: Sequence[tuple[OpenTask, Json]]) -> None:
        assert self._project is not None
        try:
            numbers = await self._client.import_tasks(self._project, [fields for _, fields in batch])
        except BaseException:
            self._cursor = None  # it may have them: everything is read before any is added again
            raise
        if not numbers:
            self._cursor = None
            raise LabelStudioAway(f"{self._where} adds the tasks by and by: looked at again")
        self._numbers.update(numbers)
        self._tasks.update({task.item_id: number for (task, _), number in zip(batch, numbers, strict=True)})
        self._note_endings([{"data": fields["data"]} for _, fields in batch])

    def _note_endings(self, tasks: Sequence[Json]) -> None:
        """Note until when the addresses of images work."""
        for task in tasks:
            data = task.get("data") or {}
            item = named_item(data)
            for value in data.values():
                end = expires_at(value) if isinstance(value, str) and value.startswith("http") else None
                if item is not None and end is not None:
                    self._ending[item] = end

    async def _sign_again(self, form: Form) -> None:
        """Give open tasks new addresses when theirs have less than half of their time left."""
        now = self._client.answered_at
        if not self._ending or now is None:
            return
        soon = {item for item, end in self._ending.items() if end - now < timedelta(seconds=SIGNED_SECONDS / 2)}
        if not soon:
            return
        async for task in self._inbox.open_tasks():
            number = self._tasks.get(task.item_id)
            if task.item_id in soon and number is not None and (content := await self._contents.show(task)):
                data = {form.field: content, ITEM_FIELD: task.item_id}
                with suppress(NotFoundThere):  # removed by hand since
                    await self._client.change_data(number, data)
                self._note_endings([{"data": data}])
                soon.discard(task.item_id)
        for item in soon:
            del self._ending[item]  # nobody is asked about it any more

    # -- telling --------------------------------------------------------------------------------------------------

    def _complaint(self, form: Form) -> str:
        missing = form.missing(self._wish.classes)
        if not missing:
            return ""
        names = ", ".join(map(repr, missing[:5]))
        return (
            f"{self._where}: its labelling interface was changed by hand: {names} cannot be chosen: put it back there"
        )

    async def _report(self, problem: str) -> None:
        """Tell the inbox where people answer and what is wrong; the log when that has changed."""
        if problem and problem != self._problem:
            _log.warning("%s", problem)
        elif self._problem and not problem:
            _log.warning("%s: works again", self._where)
        self._problem = problem
        address = "" if self._project is None else self._client.address(self._project)
        with suppress(grpc.aio.AioRpcError):  # said again at the next look
            await self._inbox.report(address or self._client.url, problem=problem)

    def _tell(self, rejected: Sequence[Rejected]) -> None:
        for each in rejected:
            self._tell_once(f"vote set aside: {each.message}")

    def _tell_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            _log.warning("%s", text)


def _new_task(task: OpenTask, content: str, form: Form) -> Json:
    """Return a task to add: what is shown, its item, and a prediction whose score is its place in the order of asking.

    A task without a suggestion has a prediction that says nothing, so that it keeps its place too.
    """
    result = form.result(task.suggestion) if task.suggestion in form.choices else []
    score = min(task.number / _SCORE_TASKS, 1.0)
    return {
        "data": {form.field: content, ITEM_FIELD: task.item_id},
        "predictions": [{"model_version": MODEL_VERSION, "score": score, "result": result}],
    }


def _words(vote: NewVote) -> str:
    return f"{vote.origin} (by {vote.annotator})"
