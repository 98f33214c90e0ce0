"""KEDA's ScaledObject of a job's scoring workers: KEDA scales them as the operator's external scaler answers.

It stands while Score runs. Suspended, it is paused, so that KEDA leaves the workers at none. It never restores another
number of replicas when it goes, so that a change of engine takes no worker away.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

from labelplane_api.job import LabelingJob
from labelplane_api.names import part_name
from labelplane_api.parts import Part
from labelplane_api.scaling import ScalingEngine
from labelplane_api.status import Stage
from labelplane_operator.builders.metadata import object_metadata
from labelplane_operator.builders.platform_settings import Platform
from labelplane_operator.policies.keda import ScalerMetadata, queue_subject
from labelplane_operator.policies.scaling import ScalingRules

__all__ = ["PAUSED", "build_scaled_object", "has_scaled_object", "is_scaled_by_keda"]

PAUSED: Final = "autoscaling.keda.sh/paused"
"""Annotation that stops KEDA where the workers are."""

_SCORE: Final = "score"
_POLLING_SECONDS: Final = 10
_FAILURES: Final = 3
"""Questions without an answer after which KEDA falls back to the replicas that stand."""


def is_scaled_by_keda(job: LabelingJob, platform: Platform) -> bool:
    """Whether KEDA scales the scoring workers while they work."""
    return bool(platform.scaler_address) and job.spec.scaling.engine is ScalingEngine.KEDA


def has_scaled_object(job: LabelingJob, parts: frozenset[Part], platform: Platform) -> bool:
    """Whether the ScaledObject should stand: while Score runs, and while it is suspended."""
    if platform.queue is None or not is_scaled_by_keda(job, platform):
        return False
    operation = job.status.operation
    is_in_score = operation is not None and operation.stage is Stage.SCORE
    return Part.SCORING_WORKER in parts or (job.spec.run.suspend and is_in_score)


def build_scaled_object(
    job: LabelingJob, platform: Platform, *, seconds_per_shard: float | None = None
) -> dict[str, Any]:
    """Return the ScaledObject.

    Args:
        job: a job of an API server.
        platform: the installation.
        seconds_per_shard: what a worker needs for a shard; None before one was measured.

    Raises:
        ValueError: the job has no uid.
    """
    name, rules = part_name(job, Part.SCORING_WORKER), ScalingRules.of(job.spec.scaling)
    metadata = object_metadata(job, platform, name=name, component=Part.SCORING_WORKER.value)
    metadata["annotations"] |= {PAUSED: "true"} if job.spec.run.suspend else {}
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": metadata,
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicaCount": rules.min_replicas,
            "maxReplicaCount": rules.max_replicas,
            "pollingInterval": _POLLING_SECONDS,
            "cooldownPeriod": int(rules.down_window_seconds),
            "fallback": {
                "failureThreshold": _FAILURES,
                # KEDA takes 0 for no fallback.
                "replicas": max(1, rules.min_replicas),
                "behavior": "currentReplicasIfHigher",
            },
            "advanced": {
                "restoreToOriginalReplicaCount": False,
                "horizontalPodAutoscalerConfig": {"behavior": _behavior(rules)},
            },
            "triggers": [_trigger(job, platform, rules, seconds_per_shard)],
        },
    }


def _trigger(
    job: LabelingJob, platform: Platform, rules: ScalingRules, seconds_per_shard: float | None
) -> Mapping[str, Any]:
    subject = queue_subject(job.metadata.namespace, job.metadata.uid or "", _SCORE)
    measured = None if not seconds_per_shard else _in_steps(seconds_per_shard)
    texts = ScalerMetadata(subject, rules.target_drain_seconds, measured).texts()
    return {
        "type": "external-push",
        "metricType": "AverageValue",
        "metadata": {"scalerAddress": platform.scaler_address, **texts},
    }


def _in_steps(seconds: float) -> float:
    """Return about the same time: KEDA begins anew at every change, so there are two steps to twice the time."""
    return float(f"{2 ** (round(2 * math.log2(seconds)) / 2):.3g}")


def _behavior(rules: ScalingRules) -> Mapping[str, Any]:
    period = int(rules.step_seconds)
    grown, gone = round(100 * (rules.up_factor - 1)), round(100 * rules.down_share)
    return {
        "scaleUp": {
            "stabilizationWindowSeconds": int(rules.up_window_seconds),
            "selectPolicy": "Max",
            "policies": [
                {"type": "Percent", "value": grown, "periodSeconds": period},
                {"type": "Pods", "value": rules.up_step, "periodSeconds": period},
            ],
        },
        "scaleDown": {
            "stabilizationWindowSeconds": int(rules.down_window_seconds),
            "selectPolicy": "Max",
            "policies": [
                {"type": "Percent", "value": gone, "periodSeconds": period},
                {"type": "Pods", "value": 1, "periodSeconds": period},
            ],
        },
    }
