"""A crowd that is made up: seeded annotators who know the truth and err as they are told to. For demos and tests."""

import asyncio
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import grpc
import numpy as np
import numpy.typing as npt

from labelplane_review.errors import CrowdTooSmall, MissingTruth
from labelplane_review.inbox_client import InboxClient, NewVote, OpenTask
from labelplane_review.passing import passes

__all__ = ["AnnotatorGroup", "SimulatedConnector", "SimulatedCrowd"]

POLL_SECONDS = 0.05
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AnnotatorGroup:
    """Annotators of one kind, named `<name>-1` to `<name>-<count>`.

    Attributes:
        name: how their names begin.
        count: how many they are.
        confusion: (K, K) P(answer | truth), rows are the truth and sum to 1.
        response_seconds: how long an answer takes; told with the vote, not waited for.
    """

    name: str
    count: int
    confusion: npt.NDArray[np.float64]
    response_seconds: float = 0.0

    @staticmethod
    def symmetric(accuracy: float, n_classes: int) -> npt.NDArray[np.float64]:
        """Return the confusion of who is right with `accuracy` and errs evenly over the other classes."""
        wrong = (1 - accuracy) / (n_classes - 1)
        return np.full((n_classes, n_classes), wrong) + (accuracy - wrong) * np.eye(n_classes)


@dataclass(frozen=True, slots=True)
class _Annotator:
    name: str
    confusion: npt.NDArray[np.float64]
    response_seconds: float


class SimulatedCrowd:
    """Says who is asked about an item and what they answer.

    Both are pure: who is asked depends on (seed, item) alone and an answer on (seed, item, annotator) alone. So the
    order of items, the number of rounds and a restart change no vote, and two runs that ask about the same items get
    the same answers.
    """

    def __init__(self, groups: Sequence[AnnotatorGroup], classes: Sequence[str], *, seed: int) -> None:
        self._annotators = [
            _Annotator(f"{group.name}-{number}", group.confusion, group.response_seconds)
            for group in groups
            for number in range(1, group.count + 1)
        ]
        self._classes = tuple(classes)
        self._codes = {name: code for code, name in enumerate(classes)}
        self._seed = seed

    @property
    def size(self) -> int:
        """How many annotators there are."""
        return len(self._annotators)

    def votes(self, item_id: str, truth: str, *, wanted: int) -> list[NewVote]:
        """Return the votes of the item's `wanted` annotators, fewer when the crowd is smaller.

        Args:
            item_id: the item.
            truth: its class, one of the crowd's classes.
            wanted: votes for the item altogether.
        """
        asked = self._generator(item_id).permutation(len(self._annotators))[:wanted]
        return [self._vote(item_id, truth, self._annotators[number]) for number in asked]

    def _vote(self, item_id: str, truth: str, annotator: _Annotator) -> NewVote:
        probabilities = annotator.confusion[self._codes[truth]]
        code = self._generator(item_id, annotator.name).choice(len(self._classes), p=probabilities)
        return NewVote(
            vote_id=self._digest(item_id, annotator.name).hex(),
            item_id=item_id,
            annotator=annotator.name,
            answer=self._classes[code],
            lead_time_seconds=annotator.response_seconds,
        )

    def _generator(self, *words: str) -> np.random.Generator:
        return np.random.default_rng(int.from_bytes(self._digest(*words), "little"))

    def _digest(self, *words: str) -> bytes:
        text = "\0".join((str(self._seed), *words))
        return hashlib.blake2b(text.encode(), digest_size=16, person=b"labelplane-crowd").digest()


class SimulatedConnector:
    """Answers every open task at once."""

    def __init__(
        self,
        inbox: InboxClient,
        crowd: SimulatedCrowd,
        truth: Mapping[str, str],
        *,
        votes_per_item: int,
        max_votes_per_item: int | None = None,
    ) -> None:
        if votes_per_item > crowd.size:
            raise CrowdTooSmall(
                f"{votes_per_item} votes are wanted for each item and the simulated crowd has {crowd.size} annotators: "
                "add annotators or lower sources.humans.votesPerItem"
            )
        self._most = votes_per_item if max_votes_per_item is None else max_votes_per_item
        self._sent: dict[str, int] = {}
        self._inbox = inbox
        self._crowd = crowd
        self._truth = truth
        self._votes_per_item = votes_per_item

    async def run(self, stop: asyncio.Event) -> None:
        """Answer tasks until `stop` is set; an inbox that is away is asked again.

        Raises:
            grpc.aio.AioRpcError: the inbox refuses the calls for good, such as for a wrong token.
            MissingTruth: an item's truth is not known.
        """
        while not stop.is_set():
            try:
                await self.poll_once()
            except grpc.aio.AioRpcError as error:
                if not passes(error):
                    raise
                _log.debug("the inbox is away: %s", error.details())
            await asyncio.sleep(POLL_SECONDS)

    async def poll_once(self) -> int:
        """Answer the tasks that are open now and return how many votes were sent.

        Raises:
            MissingTruth: an item's truth is not known.
        """
        answers = {task.item_id: self._answers(task) async for task in self._inbox.open_tasks()}
        votes = [vote for each in answers.values() for vote in each]
        if votes:
            await self._inbox.submit(votes, origin="simulated crowd")
        self._sent |= {item_id: len(each) for item_id, each in answers.items()}
        return len(votes)

    def _answers(self, task: OpenTask) -> list[NewVote]:
        truth = self._truth.get(task.item_id)
        if truth is None:
            raise MissingTruth(
                f"item {task.item_id} has no truth, which the simulated crowd needs: "
                "fill the column named by dataset.truthField"
            )
        return self._crowd.votes(task.item_id, truth, wanted=self._wanted(task))

    def _wanted(self, task: OpenTask) -> int:
        """Return how many votes to send for an item altogether; those that were sent before count once.

        An item that is still open when its votes are sent lacks some more. After a restart what was sent is not known:
        it is sent again, look by look, until the item lacks nothing.
        """
        sent = self._sent.get(task.item_id, 0)
        return min(self._most, sent + task.votes_wanted) if sent else self._votes_per_item
