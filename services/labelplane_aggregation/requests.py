"""What the aggregation service is asked, as its algorithms see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from labelplane_aggregation.sources import KnowledgeBaseSpec, RuleSpec
from labelplane_core.tasks import TaskKind

__all__ = [
    "Acceptance",
    "AggregateRequest",
    "Dataset",
    "DatasetFormat",
    "FinalizeRequest",
    "FurtherVotes",
    "Inference",
    "Ownership",
    "Predictions",
    "PrepareRequest",
    "Provenance",
    "ReviewRequest",
    "RoundRefs",
    "StageRef",
    "Task",
    "VoteRequest",
]


class DatasetFormat(StrEnum):
    """How items are listed, as jobs spell it."""

    AUTO = "Auto"
    CLASS_FOLDERS = "ClassFolders"
    CSV = "Csv"
    JSONL = "Jsonl"
    PARQUET = "Parquet"


@dataclass(frozen=True, slots=True)
class Task:
    """What is asked of every item."""

    kind: TaskKind
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """How the items lie under the data address; empty names mean none, or the default."""

    format: DatasetFormat = DatasetFormat.AUTO
    index: str = ""
    id_field: str = ""
    item_field: str = ""
    gold_field: str = ""
    gold_gate_share: float = 0.5
    metadata_fields: tuple[str, ...] = ()
    max_item_errors: int = 0


@dataclass(frozen=True, slots=True)
class Ownership:
    """Which job claims the output prefix."""

    installation: str
    namespace: str
    name: str
    adopt: bool = False

    @property
    def words(self) -> str:
        """The job as a message names it."""
        return f"{self.namespace}/{self.name} of installation {self.installation}"


@dataclass(frozen=True, slots=True)
class PrepareRequest:
    """Index the data set."""

    task: Task
    dataset: Dataset
    ownership: Ownership
    seed: int


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A file of rules, mounted from a key of a ConfigMap."""

    config_map: str
    key: str

    @property
    def words(self) -> str:
        """The file as a message names it."""
        return f"ConfigMap {self.config_map}, {self.key}"


@dataclass(frozen=True, slots=True)
class VoteRequest:
    """Collect the votes that have come, and let the sources vote."""

    round_number: int
    attempt: int
    task: Task
    index_ref: str
    previous_votes_ref: str
    rules: tuple[RuleSpec | RuleFile, ...] = ()
    knowledge_bases: tuple[KnowledgeBaseSpec, ...] = ()
    metadata_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Inference:
    """How votes become posteriors: a method of `labelplane_aggregation.models`, its parameters and the ties' seed."""

    method: str
    parameters: Mapping[str, object]
    seed: int


@dataclass(frozen=True, slots=True)
class Predictions:
    """Where the standing model's probabilities lie; either may be empty."""

    out_of_fold_ref: str
    scores_ref: str


@dataclass(frozen=True, slots=True)
class AggregateRequest:
    """Infer posteriors and reliabilities."""

    round_number: int
    attempt: int
    task: Task
    index_ref: str
    votes_ref: str
    inference: Inference
    predictions: Predictions | None
    class_minimums: Mapping[str, float] = field(default_factory=dict)
    """The accuracy on gate gold that is wanted of single classes."""


@dataclass(frozen=True, slots=True)
class StageRef:
    """The operation that gave a stage's result."""

    stage: str
    request_id: str


@dataclass(frozen=True, slots=True)
class FurtherVotes:
    """When an item that has its votes is worth another, and what that is judged by."""

    posteriors_ref: str
    reliabilities_ref: str
    votes_ref: str
    most_votes_per_item: int
    least_gain: float
    at_most: int


@dataclass(frozen=True, slots=True)
class ReviewRequest:
    """Make a round's tasks and close the round."""

    round_number: int
    attempt: int
    task: Task
    index_ref: str
    selection_ref: str
    votes_per_item: int
    suggestion_hidden_share: float
    seed: int
    stages: tuple[StageRef, ...]
    further: FurtherVotes | None = None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The bound on the risk of labels that no person has seen."""

    is_enabled: bool
    maximum_risk: float
    confidence: float


@dataclass(frozen=True, slots=True)
class RoundRefs:
    """What the report reads of one round; empty references are of stages that did not run."""

    number: int
    votes: int
    posteriors_ref: str
    scores_ref: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """What the report says of how the labels came to be."""

    job_yaml: str = ""
    truth_field: str = ""
    currency: str = ""
    price_per_vote: float = 0.0
    cpu_seconds: float = 0.0
    gpu_seconds: float = 0.0
    money: float = 0.0
    stop_reason: str = ""
    stop_message: str = ""


@dataclass(frozen=True, slots=True)
class FinalizeRequest:
    """Conclude: labels, acceptance, export, report."""

    round_number: int
    attempt: int
    task: Task
    dataset: Dataset
    index_ref: str
    votes_ref: str
    inference: Inference
    predictions: Predictions | None
    model_ref: str
    acceptance: Acceptance
    formats: tuple[str, ...]
    rounds: tuple[RoundRefs, ...]
    provenance: Provenance
    stages: tuple[StageRef, ...]
