"""A shard as a message: where it goes, and what its record says of it."""

import json
from dataclasses import dataclass
from typing import Self

from labelplane_core.queue.queue import DeadLetter
from labelplane_core.shards.shard import Shard, Stage

__all__ = ["QueueAddress", "ShardRecord"]


@dataclass(frozen=True, slots=True)
class QueueAddress:
    """The queue of one stage of one job; a namespace has a stream for its shards and one for its dead letters.

    The operator spells `stream` and `consumer` too (labelplane_operator.queue_depths).

    Attributes:
        namespace: of the job.
        job: its uid, so that a job of the same name that came before leaves nothing.
        stage: whose shards these are.
    """

    namespace: str
    job: str
    stage: Stage

    @property
    def stream(self) -> str:
        """The stream of the namespace's shards."""
        return f"labelplane_{self.namespace}"

    @property
    def dead_stream(self) -> str:
        """The stream of the namespace's dead letters; no namespace has an underscore in its name."""
        return f"labelplane_dead_{self.namespace}"

    @property
    def consumer(self) -> str:
        """The consumer that all workers of the stage share."""
        return f"{self.job}_{self.stage}"

    @property
    def stream_subjects(self) -> str:
        """The subjects of the namespace's shards."""
        return f"labelplane.{self.namespace}.>"

    @property
    def dead_stream_subjects(self) -> str:
        """The subjects of the namespace's dead letters."""
        return f"labelplane-dead.{self.namespace}.>"

    @property
    def subjects(self) -> str:
        """The subjects of this queue's shards."""
        return f"labelplane.{self.namespace}.{self.job}.{self.stage}.>"

    @property
    def dead_subjects(self) -> str:
        """The subjects of this queue's dead letters."""
        return f"labelplane-dead.{self.namespace}.{self.job}.{self.stage}.>"

    def subject(self, shard: Shard) -> str:
        """Return a shard's own subject, on which the stream keeps one message."""
        return self.subjects[:-1] + _tokens(shard)

    def dead_subject(self, shard: Shard) -> str:
        """Return the subject of a shard's dead letter."""
        return self.dead_subjects[:-1] + _tokens(shard)


@dataclass(frozen=True, slots=True)
class ShardRecord:
    """What the message of a shard carries: the shard, and what befell it before this message."""

    shard: Shard
    failures: int = 0
    lost_leases: int = 0
    cause: str = ""

    def to_json(self) -> bytes:
        """Return the message's payload."""
        shard = self.shard
        fields = {
            "stage": shard.stage.value,
            "round": shard.round,
            "first_block": shard.first_block,
            "last_block": shard.last_block,
            "attempt": shard.attempt,
            "failures": self.failures,
            "lost_leases": self.lost_leases,
        }
        return json.dumps(fields | ({"cause": self.cause} if self.cause else {}), ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, payload: bytes) -> Self:
        """Return the record in a payload.

        Raises:
            ValueError: it is none.
        """
        try:
            fields = json.loads(payload)
            shard = Shard(
                Stage(fields["stage"]),
                int(fields["round"]),
                int(fields["first_block"]),
                int(fields["last_block"]),
                int(fields["attempt"]),
            )
            counts = int(fields["failures"]), int(fields["lost_leases"])
            return cls(shard, *counts, cause=str(fields.get("cause", "")))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not the record of a shard: {error!r}") from error

    def to_dead_letter(self) -> DeadLetter:
        """Return what a record on the stream of dead letters says."""
        return DeadLetter(self.shard, self.cause, self.failures, self.lost_leases)


def _tokens(shard: Shard) -> str:
    return f"{shard.round}.{shard.attempt}.{shard.first_block}-{shard.last_block}"
