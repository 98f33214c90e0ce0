"""The aggregation service, a data set of texts that it asks about, and the connector to a real Label Studio."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aggregation_world import (
    Service,
    World,
    aggregation_world,
    image_task,
    prepare,
    review,
    text_task,
    vote_stage,
    write_selection,
)
from label_studio import ANN, TOKENS

from labelplane_core.storage import FolderStore, Layout, ObjectStore
from labelplane_core.tables import VOTES, current_votes
from labelplane_review.desk_client import DeskClient
from labelplane_review.inbox_client import InboxClient
from labelplane_review.label_studio import LabelStudioClient, LabelStudioConnector, ProjectWish
from labelplane_review.label_studio.client import open_http
from labelplane_review.label_studio.contents import Contents, InlineContents
from labelplane_review.label_studio.finding import ItemFinder
from labelplane_review.label_studio.records import Records

CLASSES = ("cat", "dog")
Answers = set[tuple[str, str, str]]
"""(item, annotator, label) of every vote that counts."""


class Asked:
    """Items that people are asked about, and the processes that do it."""

    def __init__(self, world: World, url: str, items: Sequence[str], *, votes_per_item: int) -> None:
        self.world = world
        self.url = url
        self.items = list(items)
        self.votes_per_item = votes_per_item
        self.number = 0
        self.is_image = False
        self.clients: list[LabelStudioClient] = []

    @property
    def service(self) -> Service:
        """The aggregation service's last process."""
        return self.world.services[-1]

    async def begin(self) -> None:
        """Index the items and ask about all of them; those whose names end with `.png` are images."""
        self.is_image = self.items[0].endswith(".png")
        if self.is_image:
            for place, item in enumerate(self.items):
                self.world.write_image(item, shade=place)
        else:
            self.world.write_csv(["id,text", *(f"{item},text of {item}" for item in self.items)])
        task = image_task() if self.is_image else text_task()
        service = await self.world.start()
        await service.run("StartPrepare", prepare(task=task))
        selection = await write_selection(service, 0, self.items)
        await service.run("StartReview", review(0, selection, votes_per_item=self.votes_per_item, task=task))

    def client(self, token: str = TOKENS[ANN], *, url: str = "") -> LabelStudioClient:
        client = LabelStudioClient(open_http(url or self.url), token=token)
        self.clients.append(client)
        return client

    def connector(
        self,
        client: LabelStudioClient | None = None,
        *,
        store: ObjectStore | None = None,
        contents: Contents | None = None,
        **wish: Any,
    ) -> LabelStudioConnector:
        """A process of the connector that has just begun."""
        fields: dict[str, Any] = {
            "title": "our job",
            "classes": CLASSES,
            "is_image": self.is_image,
            "votes_per_item": self.votes_per_item,
        } | wish
        return LabelStudioConnector(
            InboxClient(self.service.channel),
            client or self.client(),
            Records(store or FolderStore(self.world.out), Layout()),
            contents or InlineContents(DeskClient(self.service.channel), is_image=self.is_image),
            wish=ProjectWish(**fields),
            poll_seconds=0.05,
            find_item=ItemFinder(FolderStore(self.world.out), Layout()),
        )

    async def project(self) -> int:
        """The number of the job's project, out of the address that people are told."""
        address = (await self.service.progress()).connector_address
        return int(address.rsplit("/", 1)[-1])

    async def answers(self) -> Answers:
        """The votes that count, as the next stage Vote finds them."""
        self.number += 1
        operation = await self.service.run("StartVote", vote_stage(self.number))
        rows = current_votes(await self.service.tables.read(operation.results["votes"], VOTES)).to_pylist()
        found = [(row["item_id"], row["annotator"], row["answer"]) for row in rows]
        assert len(found) == len(set(found)), "a vote counts twice"
        return set(found)


@asynccontextmanager
async def asked(folder: Path, url: str, items: Sequence[str], *, votes_per_item: int = 2) -> AsyncIterator[Asked]:
    """Ask about items, below a folder."""
    async with aggregation_world(folder) as world:
        one = Asked(world, url, items, votes_per_item=votes_per_item)
        await one.begin()
        try:
            yield one
        finally:
            for client in one.clients:
                await client.close()
