"""Jobs on a cluster, with the parts that are up: the cases for which the objects of a job are looked at."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from job_builder import JobBuilder, make_job

from labelplane_api import LabelingJob
from labelplane_api.parts import Part
from labelplane_api.running import Profile
from labelplane_operator.builders import Child, Images, Platform, Queue, build_children, build_cleanup
from labelplane_operator.training_run import TrainingRun

UID = "6b0e5a55-3d4c-4a37-9c0e-2f8d3b1f4a10"
TOKEN = "the-job-s-token"
ALL_PARTS = frozenset(Part)

PLATFORM = Platform(
    images=Images(
        small="registry.example.com/labelplane/small:1",
        aggregation="registry.example.com/labelplane/aggregation:1",
        scoring="registry.example.com/labelplane/scoring:1",
        distillation="registry.example.com/labelplane/distillation:1",
        review="registry.example.com/labelplane/review:1",
        pull_secrets=("registry",),
    ),
    installation="tests",
    namespace="labelplane-system",
    queue=Queue("tls://nats-0.queue.svc:4222,tls://nats-1.queue.svc:4222", credentials_secret="queue", replicas=3),
)


@dataclass(frozen=True, slots=True)
class ClusterJob:
    """A job, the parts that are up, and the try of a training image that works."""

    job: JobBuilder
    parts: frozenset[Part] = ALL_PARTS
    profile: Profile = Profile.SMALL
    workers: int | None = 2
    training: TrainingRun | None = None

    def build(self) -> LabelingJob:
        job = self.job.build()
        return job.with_status(job.status.model_copy(update={"profile": self.profile}))

    def children(self) -> tuple[Child, ...]:
        return build_children(
            self.build(), self.parts, PLATFORM, token=TOKEN, workers=self.workers, training=self.training
        )

    def cleanup(self) -> tuple[Child, ...]:
        """Return what is left while the results of the deleted job are removed."""
        return build_cleanup(self.build(), PLATFORM)


def in_bucket(name: str = "digits") -> JobBuilder:
    """Begin with a job in a bucket of the cloud, whose votes come as files."""
    return (
        make_job()
        .named(name, namespace="team-a")
        .with_uid(UID)
        .with_dataset(uri="s3://items/digits")
        .with_storage(uri="s3://labels/runs", region="eu-central-1")
        .with_votes_from_files("s3://labels/votes")
    )


def in_own_store() -> JobBuilder:
    """Begin with a job on an S3 server in the cluster, with keys, certificates and a simulated crowd."""
    return (
        in_bucket()
        .with_storage(
            uri="s3://labels",
            region=None,
            endpoint="https://minio.storage.svc:9443",
            path_style=True,
            credentials_secret="s3-keys",
            ca_bundle_config_map="s3-ca",
        )
        .with_output(prefix="team-a/pilot")
        .with_run(seed=7)
        .with_crowd(
            {"name": "right", "count": 3, "accuracy": 0.85, "responseSeconds": 4.0}, {"name": "guess", "random": True}
        )
    )


GPU_POD = {
    "resources": {"requests": {"memory": "16Gi"}, "limits": {"nvidia.com/gpu": "1"}},
    "nodeSelector": {"example.com/pool": "gpu"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["a"]}]}
                ]
            }
        }
    },
    "labels": {"team": "vision"},
    "env": [{"name": "OMP_NUM_THREADS", "value": "2"}, {"name": "HF_HUB_OFFLINE", "value": "1"}],
    "priorityClassName": "gpu-first",
    "runtimeClassName": "nvidia",
}


def with_overrides() -> JobBuilder:
    """Begin with a job that a queue admits and that changes its pods."""
    return (
        in_bucket()
        .having("spec.scheduling", {"queueName": "team-a", "priorityClassName": "labels"})
        .having("spec.podOverrides", {"small": GPU_POD, "distillation": GPU_POD})
    )


def with_image() -> JobBuilder:
    """Begin with a job whose model an image of the user's trains, on a GPU."""
    return (
        in_own_store()
        .having("spec.model.image", "registry.example.com/me/train:1")
        .having("spec.scheduling", {"queueName": "team-a"})
        .having("spec.podOverrides", {"distillation": GPU_POD})
    )


TRAINING = TrainingRun(
    image="registry.example.com/me/train:1",
    round=2,
    attempt=1,
    seed=7,
    request='{"task": {"classes": ["$5", "z\\u00fc"]}}',
)


def with_rules() -> JobBuilder:
    """Begin with a job whose rules stand in two ConfigMaps, one of them twice, and in the job itself."""
    return in_bucket().having(
        "spec.sources.rules",
        [
            {"name": "own", "label": "1", "regex": "one"},
            {"name": "team", "configMap": {"name": "team-rules"}},
            {"name": "more", "configMap": {"name": "team-rules", "key": "more.yaml"}},
            {"name": "shared", "configMap": {"name": "shared.rules"}},
        ],
    )


CASES: Mapping[str, ClusterJob] = {
    "small": ClusterJob(in_bucket()),
    "small-with-a-crowd": ClusterJob(in_own_store()),
    "small-with-overrides": ClusterJob(with_overrides()),
    "small-with-rules": ClusterJob(with_rules()),
    "small-suspended": ClusterJob(in_bucket(), frozenset()),
    "small-with-long-names": ClusterJob(in_bucket("d" * 63)),
    "small-whose-name-begins-with-a-digit": ClusterJob(in_bucket("2nd-try")),
    "distributed-while-it-scores": ClusterJob(
        in_own_store(), frozenset({Part.AGGREGATION, Part.SCORING, Part.SCORING_WORKER}), Profile.DISTRIBUTED
    ),
    "distributed-while-it-trains": ClusterJob(
        in_bucket(), frozenset({Part.AGGREGATION, Part.DISTILLATION}), Profile.DISTRIBUTED
    ),
    "distributed-while-people-vote": ClusterJob(in_bucket(), frozenset({Part.AGGREGATION}), Profile.DISTRIBUTED),
    "distributed-with-rules": ClusterJob(with_rules(), ALL_PARTS, Profile.DISTRIBUTED),
    "small-while-an-image-trains": ClusterJob(with_image(), frozenset({Part.AGGREGATION}), training=TRAINING),
    "distributed-while-an-image-trains": ClusterJob(
        with_image(), frozenset({Part.AGGREGATION}), Profile.DISTRIBUTED, training=TRAINING
    ),
    "distributed-suspended": ClusterJob(in_bucket(), frozenset(), Profile.DISTRIBUTED),
    "distributed-with-overrides": ClusterJob(with_overrides(), ALL_PARTS, Profile.DISTRIBUTED),
    "distributed-with-long-names": ClusterJob(in_bucket("d" * 63), ALL_PARTS, Profile.DISTRIBUTED),
}
"""By a name that says what is special."""


def of_kind(children: tuple[Child, ...], kind: str) -> Iterator[dict[str, Any]]:
    """Yield the manifests of a kind, in their order."""
    yield from (dict(child.manifest) for child in children if child.manifest["kind"] == kind)


def pod_specs(children: tuple[Child, ...]) -> Iterator[dict[str, Any]]:
    """Yield the specs of all pods."""
    for kind in ("Deployment", "Job"):
        yield from (each["spec"]["template"]["spec"] for each in of_kind(children, kind))
