"""What KEDA is told: the same wish as the operator's own, as one metric of which each worker stands for one.

KEDA and its HorizontalPodAutoscaler keep bounds, windows and steps themselves; the ScaledObject tells them these. So
the answer follows from the queue and the trigger's metadata alone, and any pod of the operator can give it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from labelplane_operator.policies.scaling import QueueDepth, ScalingRules, wanted_replicas

__all__ = ["WORKERS_METRIC", "ScalerMetadata", "queue_subject", "wanted_workers"]

WORKERS_METRIC: Final = "labelplane-workers"
"""The metric's name; its target is 1."""

_UNBOUNDED: Final = 1_000_000
_SUBJECT: Final = re.compile(r"labelplane\.(?P<namespace>[a-z0-9-]{1,63})\.[A-Za-z0-9-]{1,63}\.[a-z]{1,63}")
_LONGEST_SECONDS: Final = 1_000_000.0


def queue_subject(namespace: str, uid: str, stage: str) -> str:
    """Return the name of the queue of a job's stage."""
    return f"labelplane.{namespace}.{uid}.{stage}"


@dataclass(frozen=True, slots=True)
class ScalerMetadata:
    """The trigger's metadata, as our ScaledObjects have it.

    Attributes:
        subject: the queue, as `queue_subject` names it.
        target_drain_seconds: in which the queue should be empty.
        seconds_per_shard: what a worker needs for a shard; None before one was measured.
    """

    subject: str
    target_drain_seconds: float
    seconds_per_shard: float | None = None

    def texts(self) -> dict[str, str]:
        """Return the metadata as a trigger holds it."""
        texts = {"subject": self.subject, "targetDrainSeconds": f"{self.target_drain_seconds:g}"}
        if self.seconds_per_shard is not None:
            texts["secondsPerShard"] = f"{self.seconds_per_shard:g}"
        return texts

    @classmethod
    def read(cls, texts: Mapping[str, str], *, namespace: str) -> Self:
        """Return the metadata of a ScaledObject in a namespace.

        Raises:
            ValueError: says what is missing or wrong, or that the queue is another namespace's.
        """
        subject = texts.get("subject", "")
        found = _SUBJECT.fullmatch(subject)
        if found is None or found["namespace"] != namespace:
            raise ValueError(f"metadata.subject: {subject[:80]!r} is no queue of namespace {namespace}")
        seconds = _seconds(texts, "targetDrainSeconds")
        if seconds is None:
            raise ValueError("metadata.targetDrainSeconds is missing: give it in seconds")
        return cls(subject, seconds, _seconds(texts, "secondsPerShard"))


def wanted_workers(depth: QueueDepth, metadata: ScalerMetadata) -> int:
    """Return how many workers the queue wants, never fewer than are busy.

    The autoscaler does not know who is busy, so the wish says it.
    """
    rules = ScalingRules(max_replicas=_UNBOUNDED, target_drain_seconds=metadata.target_drain_seconds)
    return max(wanted_replicas(depth, rules, seconds_per_shard=metadata.seconds_per_shard), depth.leased)


def _seconds(texts: Mapping[str, str], name: str) -> float | None:
    if name not in texts:
        return None
    try:
        seconds = float(texts[name])
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise ValueError(f"metadata.{name}: {texts[name][:80]!r} is no number of seconds above 0")
    return seconds
