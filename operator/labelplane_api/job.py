"""`LabelingJob`: the whole object, and the rules between the groups of its spec."""

from typing import Any, ClassVar, Final, Literal, Self

from labelplane_api.aggregation import Aggregation
from labelplane_api.dataset import Dataset, Storage
from labelplane_api.limits import Budget, Quality, Stop
from labelplane_api.metadata import ObjectMeta
from labelplane_api.output import Output
from labelplane_api.review import Review
from labelplane_api.rules import Rule, TransitionRule, immutable
from labelplane_api.running import PodOverrides, Profile, RunPolicy, Scheduling
from labelplane_api.sampling import Sampling
from labelplane_api.scaling import Scaling
from labelplane_api.schema import ApiModel, Change, group, option
from labelplane_api.serving import Serving, ServingMode
from labelplane_api.sources import Sources
from labelplane_api.status import LabelingJobStatus
from labelplane_api.task import IMAGE_TASKS, TEXT_TASKS, Task
from labelplane_api.training import Encoder, Network, Training

API_GROUP: Final = "labelplane.io"
API_VERSION: Final = "labelplane.io/v1alpha1"
KIND: Final = "LabelingJob"


_TASKS_OF_ENCODER: Final = {
    Encoder.SMALL_CNN: IMAGE_TASKS,
    Encoder.TORCHVISION: IMAGE_TASKS,
    Encoder.HASHED_NGRAMS: TEXT_TASKS,
}


def _encoder_reads_the_task(role: str) -> Rule:
    def check(spec: Any) -> str | None:
        network: Network = getattr(spec.model, role)
        tasks = _TASKS_OF_ENCODER.get(network.encoder)
        if tasks is None or spec.task.type in tasks:
            return None
        items = "images" if tasks is IMAGE_TASKS else "texts"
        return f" ({network.encoder}) reads {items}, task.type is {spec.task.type}: take Auto"

    encoder = f"self.model.{role}.encoder"
    return Rule(
        field=f"model.{role}.encoder",
        message="SmallCnn and Torchvision read images, HashedNgrams reads texts: take Auto",
        check=check,
        cel=f"({encoder} != 'HashedNgrams' || self.task.type in ['TextClassification', 'TokenClassification']) && "
        f"(!({encoder} in ['SmallCnn', 'Torchvision']) || "
        "self.task.type in ['ImageClassification', 'ObjectDetection', 'VideoClassification'])",
    )


def _confusion_of_other_size(spec: Any) -> str | None:
    crowd = spec.sources.humans.simulated if spec.sources.humans else None
    for number, annotators in enumerate(crowd.annotators if crowd else ()):
        rows = len(annotators.confusion or spec.task.classes)
        if rows != len(spec.task.classes):
            return (
                f"[{number}].confusion: has {rows} rows for {len(spec.task.classes)} task.classes: give one row a class"
            )
    return None


def _money_without_a_price(spec: Any) -> str | None:
    prices = spec.budget.prices
    vote_price = spec.sources.humans.price_per_vote if spec.sources.humans else 0
    if spec.budget.money is None or vote_price or prices.cpu_second or prices.gpu_second:
        return None
    return (
        f" ({spec.budget.money:g}) is never used up, as nothing has a price: "
        "set sources.humans.pricePerVote or budget.prices"
    )


def _determinism_outside_the_process(spec: Any) -> str | None:
    if not spec.run.deterministic or spec.serving.mode is ServingMode.IN_PROCESS:
        return None
    return f" cannot hold with serving.mode {spec.serving.mode}: take InProcess"


_LONGEST_LABEL: Final = 63


def _name_is_no_label(job: Any) -> str | None:
    name = job.metadata.name
    if len(name) <= _LONGEST_LABEL and "." not in name:
        return None
    return f' ("{name}") is no DNS label: use at most {_LONGEST_LABEL} small letters, digits and -'


class LabelingJobSpec(ApiModel):
    """What the user wants: labels of this quality for these items at this cost."""

    profile: Profile = option(
        "profile is the topology on a cluster: Small (one pod), Distributed (a Deployment a service), or Auto (by the "
        "number of items); a run on one machine has none.",
        Profile.AUTO,
        change=Change.NEVER,
    )
    task: Task = option("task is the question and its possible answers.", change=Change.NONE)
    dataset: Dataset = option("dataset is the items.", change=Change.NONE)
    storage: Storage = option("storage is where the job keeps everything.", change=Change.NONE)
    sources: Sources = option("sources are everything that votes.", change=Change.NONE)
    sampling: Sampling = group(Sampling, "sampling is the choice of the items that people are asked about.")
    aggregation: Aggregation = group(Aggregation, "aggregation is the inference from votes to labels.")
    model: Training = group(Training, "model is the teacher, the student and the distillation between them.")
    serving: Serving = group(Serving, "serving is where inference runs.")
    stop: Stop = group(Stop, "stop is when the rounds end.")
    budget: Budget = group(Budget, "budget is what the job may use up.")
    quality: Quality = group(Quality, "quality is what is accepted and what holds the results back.")
    scaling: Scaling = group(Scaling, "scaling is how the number of scoring workers follows the queue.")
    review: Review = group(Review, "review is what people see and how long the job waits for them.")
    output: Output = group(Output, "output is where results lie and in which formats.")
    run: RunPolicy = group(RunPolicy, "run is how the job runs, repeats and ends.")
    scheduling: Scheduling = group(
        Scheduling,
        "scheduling is how the job's pods are queued and ranked; a run on one machine has no pods and "
        "says that it does not read it.",
    )
    pod_overrides: PodOverrides = group(
        PodOverrides,
        "podOverrides is what may be changed in the pods, by service; a run on one machine has no pods "
        "and says that it does not read it.",
    )

    checks: ClassVar[tuple[Rule, ...]] = (
        _encoder_reads_the_task("teacher"),
        _encoder_reads_the_task("student"),
        Rule(
            field="sources.humans.simulated.annotators",
            message="confusion needs one row for each of task.classes",
            check=_confusion_of_other_size,
            cel="!has(self.sources.humans) || !has(self.sources.humans.simulated) || "
            "self.sources.humans.simulated.annotators.all(group, !has(group.confusion) || "
            "group.confusion.size() == self.task.classes.size())",
        ),
        Rule(
            field="budget.money",
            message="money is never used up, as nothing has a price: set sources.humans.pricePerVote or budget.prices",
            check=_money_without_a_price,
            cel="!has(self.budget.money) || self.budget.prices.cpuSecond > 0.0 || "
            "self.budget.prices.gpuSecond > 0.0 || "
            "(has(self.sources.humans) && self.sources.humans.pricePerVote > 0.0)",
        ),
        Rule(
            field="run.deterministic",
            message="deterministic needs serving.mode InProcess",
            check=_determinism_outside_the_process,
            cel="!self.run.deterministic || self.serving.mode == 'InProcess'",
        ),
    )
    transitions: ClassVar[tuple[TransitionRule, ...]] = (immutable("profile"),)


class LabelingJob(ApiModel):
    """A data set to be labelled, and how far that is."""

    api_version: Literal["labelplane.io/v1alpha1"] = option(
        "apiVersion is labelplane.io/v1alpha1.", API_VERSION, change=Change.NEVER
    )
    kind: Literal["LabelingJob"] = option("kind is LabelingJob.", KIND, change=Change.NEVER)
    metadata: ObjectMeta = option("metadata is the object's name and labels.", change=Change.NONE)
    spec: LabelingJobSpec = option("spec is what is wanted.", change=Change.NONE)
    status: LabelingJobStatus = group(LabelingJobStatus, "status is what is the case; labelplane writes it.")

    checks: ClassVar[tuple[Rule, ...]] = (
        Rule(
            field="metadata.name",
            message="metadata.name must be a DNS label of at most 63 characters: Services and labels carry it",
            check=_name_is_no_label,
            cel="self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",
        ),
    )

    @property
    def key(self) -> str:
        """namespace/name, unique on a cluster and the default prefix of the job's results."""
        return f"{self.metadata.namespace}/{self.metadata.name}"

    @property
    def prefix(self) -> str:
        """The folder below `spec.storage.uri` that belongs to this job."""
        return self.spec.output.prefix or self.key

    def address_below(self, storage_uri: str) -> str:
        """Return the address of that folder in a bucket."""
        return f"{storage_uri.rstrip('/')}/{self.prefix}"

    def with_status(self, status: LabelingJobStatus) -> Self:
        """Return the same job with another status."""
        return self.model_copy(update={"status": status})
