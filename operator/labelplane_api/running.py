"""`spec.run`, `spec.scheduling` and `spec.podOverrides`: how the job runs and what its pods look like."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, StringConstraints
from pydantic.alias_generators import to_camel

from labelplane_api.rules import Rule, TransitionRule, immutable, unique_items
from labelplane_api.schema import ApiModel, Bool, Change, Int, ObjectName, Quantity, Text, mapping, option

_Qualified = Annotated[str, StringConstraints(min_length=1, max_length=317)]
_LabelValue = Annotated[str, StringConstraints(max_length=63)]
_EnvName = Annotated[str, StringConstraints(max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Profile(StrEnum):
    """The topology that a job runs in."""

    AUTO = "Auto"
    SMALL = "Small"
    DISTRIBUTED = "Distributed"


class RunPolicy(ApiModel):
    """How the job runs, repeats and ends."""

    suspend: Bool = option(
        "suspend, when true, frees every pod; the job goes on where it stood when it is false again.",
        default=False,
        change=Change.AT_ONCE,
    )
    active_deadline_seconds: Int | None = option(
        "activeDeadlineSeconds is how long the job may work, in seconds, waiting for people not counted.",
        None,
        otherwise="no bound",
        ge=1,
        le=31_536_000,
        change=Change.AT_ONCE,
    )
    backoff_limit: Int = option(
        "backoffLimit is how often a failed stage is tried again before the job fails.",
        6,
        ge=0,
        le=100,
        change=Change.AT_ONCE,
    )
    ttl_seconds_after_finished: Int | None = option(
        "ttlSecondsAfterFinished is how long the finished job stays before it is deleted, in seconds; results stay by "
        "output.deletionPolicy.",
        None,
        otherwise="for good",
        ge=0,
        le=31_536_000,
        change=Change.AT_ONCE,
    )
    deterministic: Bool = option(
        "deterministic makes two runs bit-equal: fixed batches, one thread, CPU, in process; slower.",
        default=False,
        change=Change.NEVER,
    )
    seed: Int = option("seed fixes everything random in the job.", 0, ge=0, le=2_147_483_647, change=Change.NEVER)

    transitions: ClassVar[tuple[TransitionRule, ...]] = (immutable("deterministic"), immutable("seed"))


class Scheduling(ApiModel):
    """How the job's pods are queued and ranked."""

    queue_name: ObjectName | None = option(
        "queueName is the Kueue LocalQueue that admits the job's pods; it is their label kueue.x-k8s.io/queue-name.",
        None,
        otherwise="no queue",
        change=Change.AT_ONCE,
    )
    priority_class_name: ObjectName | None = option(
        "priorityClassName is the PriorityClass of the job's pods; that of podOverrides goes before it.",
        None,
        otherwise="the cluster's default",
        change=Change.AT_ONCE,
    )


class ResourceRequirements(ApiModel):
    """Requests and limits of a container."""

    requests: dict[_Qualified, Quantity] = mapping(
        "requests are what the container is given at least.", max_length=16, change=Change.AT_ONCE
    )
    limits: dict[_Qualified, Quantity] = mapping(
        "limits are what the container gets at most.", max_length=16, change=Change.AT_ONCE
    )


class TolerationOperator(StrEnum):
    """How a toleration compares with a taint."""

    EXISTS = "Exists"
    EQUAL = "Equal"


class TaintEffect(StrEnum):
    """What a taint does to pods."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class Toleration(ApiModel):
    """A toleration of the pod, as in Kubernetes."""

    key: Annotated[str, StringConstraints(max_length=317)] | None = option(
        "key is the taint's key.", None, change=Change.AT_ONCE
    )
    operator: TolerationOperator = option(
        "operator is Exists or Equal.", TolerationOperator.EQUAL, change=Change.AT_ONCE
    )
    value: _LabelValue | None = option("value is the taint's value.", None, change=Change.AT_ONCE)
    effect: TaintEffect | None = option(
        "effect is NoSchedule, PreferNoSchedule or NoExecute.", None, otherwise="all effects", change=Change.AT_ONCE
    )
    toleration_seconds: Int | None = option(
        "tolerationSeconds is how long NoExecute is tolerated, in seconds.",
        None,
        otherwise="for good",
        change=Change.AT_ONCE,
    )


class EnvVar(ApiModel):
    """A plain environment variable; values from Secrets are not allowed here."""

    name: _EnvName = option("name is the variable's name.", change=Change.AT_ONCE)
    value: Text = option("value is its value.", change=Change.AT_ONCE)


class PodOverride(ApiModel):
    """What may be changed in the pods of one service; everything else is refused."""

    resources: ResourceRequirements | None = option(
        "resources are the container's requests and limits, those it names; a GPU is nvidia.com/gpu.",
        None,
        change=Change.AT_ONCE,
    )
    node_selector: dict[_Qualified, _LabelValue] = mapping(
        "nodeSelector is the labels of the nodes.", max_length=32, change=Change.AT_ONCE
    )
    tolerations: tuple[Toleration, ...] = option(
        "tolerations are the taints that the pods bear.", (), max_length=32, change=Change.AT_ONCE
    )
    affinity: dict[Text, Any] = mapping(
        "affinity is the pods' affinity, as in Kubernetes.", max_length=3, change=Change.AT_ONCE
    )
    labels: dict[_Qualified, _LabelValue] = mapping(
        "labels are added to the pods; not those of labelplane.io and app.kubernetes.io.",
        max_length=32,
        change=Change.AT_ONCE,
    )
    env: tuple[EnvVar, ...] = option(
        "env are plain environment variables; not those of labelplane, LABELPLANE_*.",
        (),
        max_length=64,
        change=Change.AT_ONCE,
    )
    priority_class_name: ObjectName | None = option(
        "priorityClassName is the PriorityClass of these pods.", None, change=Change.AT_ONCE
    )
    runtime_class_name: ObjectName | None = option(
        "runtimeClassName is the RuntimeClass of these pods.", None, change=Change.AT_ONCE
    )

    checks: ClassVar[tuple[Rule, ...]] = (unique_items("env", key="name"),)


class PodOverrides(ApiModel):
    """What may be changed in the pods, by service; one field of the CRD that keeps unknown fields, checked here."""

    model_config = ConfigDict(
        alias_generator=to_camel, json_schema_extra={"x-kubernetes-preserve-unknown-fields": True}
    )

    small: PodOverride | None = option(
        "small changes the pod of profile Small, which is all services, so that the other entries are not read there "
        "(but distillation with model.image); every job begins in it, as Prepare counts the items.",
        None,
        change=Change.AT_ONCE,
    )
    scoring: PodOverride | None = option(
        "scoring changes the scoring service's pod in profile Distributed.", None, change=Change.AT_ONCE
    )
    scoring_worker: PodOverride | None = option(
        "scoringWorker changes the scoring workers' pods in profile Distributed.", None, change=Change.AT_ONCE
    )
    aggregation: PodOverride | None = option(
        "aggregation changes the aggregation service's pod in profile Distributed.", None, change=Change.AT_ONCE
    )
    distillation: PodOverride | None = option(
        "distillation changes the training pod in profile Distributed, and with model.image that of the Job which "
        "trains, in every profile.",
        None,
        change=Change.AT_ONCE,
    )
    triton: PodOverride | None = option("triton changes the pods of a dedicated Triton.", None, change=Change.AT_ONCE)
