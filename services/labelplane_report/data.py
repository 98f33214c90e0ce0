"""Everything that the report shows, and nothing else: frozen values without a table, a file or a clock."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from labelplane_report.errors import BadReportData

__all__ = [
    "Accuracy",
    "AnnotatorRow",
    "Bias",
    "ClassCount",
    "ConfidenceBin",
    "Confusion",
    "ConfusionBasis",
    "Cost",
    "Curve",
    "HardItem",
    "Interval",
    "ItemError",
    "JobFacts",
    "LabelState",
    "LabelSummary",
    "Preview",
    "Proportion",
    "Provenance",
    "ReportData",
    "RoundPoint",
    "RuleRow",
    "StageRow",
    "Stop",
    "Suspicion",
    "VoteShown",
]


class LabelState(StrEnum):
    """Who stands behind a label, strongest first."""

    HUMAN = "human"
    ACCEPTED = "accepted"
    PREDICTED = "predicted"


class ConfusionBasis(StrEnum):
    """What the rows of the confusion matrix are."""

    TRUTH = "truth"
    AUDIT_GOLD = "audit gold"
    EXPECTED = "posterior-expected"


class Suspicion(StrEnum):
    """What an annotator's reliability gives reason to ask."""

    RANDOM = "answers at random"
    WORSE_THAN_RANDOM = "worse than random"
    TOO_FEW_VOTES = "too few votes to tell"


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval of a share, 0 <= low <= high <= 1."""

    low: float
    high: float

    def __post_init__(self) -> None:
        """Refuse bounds that are no shares."""
        if not 0 <= self.low <= self.high <= 1:
            raise BadReportData(f"an interval needs 0 <= low <= high <= 1, got {self.low} to {self.high}")


@dataclass(frozen=True, slots=True)
class Proportion:
    """`right` of `total` items, with the interval of the share; `total` is above 0."""

    right: int
    total: int
    interval: Interval

    @property
    def share(self) -> float:
        """The share that was right, 0 to 1."""
        return self.right / self.total


@dataclass(frozen=True, slots=True)
class JobFacts:
    """What was asked.

    Attributes:
        name: The job's name.
        task_type: The task kind's name, such as "ImageClassification".
        classes: The task's classes, in the order of every probability vector.
        created: When the report's labels were made; with a time zone.
        target: The accuracy that the job asked for, 0 to 1; None when it asked for none.
        panels: Names of the panels to draw, in order: the task kind's `report_panels`. Empty: all standard panels.
    """

    name: str
    task_type: str
    classes: tuple[str, ...]
    created: datetime
    target: float | None = None
    panels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoundPoint:
    """How things stood in one round, after its aggregation and scoring.

    Attributes:
        number: The round; the labels that the job ends with are one more than the last.
        votes: Votes that had been given by then.
        labelled: Items with a label, from votes or from the model.
        mean_confidence: Of those labels, 0 to 1; None without labels.
        truth: Items outside gold whose label was right, of all that have truth (an item without a label is not right).
        gate: Gate gold that the model alone had right; None while no model scored it.
        strategy: How the round drew its review batch; empty when not known or in the last round.
    """

    number: int
    votes: int
    labelled: int
    mean_confidence: float | None
    truth: Proportion | None = None
    gate: Proportion | None = None
    strategy: str = ""


@dataclass(frozen=True, slots=True)
class Curve:
    """Accuracy (0 to 1) over votes of another way to draw the items, such as random selection."""

    name: str
    votes: tuple[int, ...]
    accuracy: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse points without a partner."""
        if len(self.votes) != len(self.accuracy):
            raise BadReportData(f"curve {self.name!r} has {len(self.votes)} votes for {len(self.accuracy)} accuracies")


@dataclass(frozen=True, slots=True)
class ClassCount:
    """How many labels say the class, and how many items are of it by truth and gold (None without truth)."""

    name: str
    labels: int
    truth: int | None = None


@dataclass(frozen=True, slots=True)
class ConfidenceBin:
    """Labels with low <= confidence < high (the last bin holds 1.0, too); `right` is measured where truth is known."""

    low: float
    high: float
    counts: Mapping[LabelState, int]
    right: Proportion | None = None


@dataclass(frozen=True, slots=True)
class LabelSummary:
    """Counts over all labels; `by_state` has every state."""

    total: int
    by_state: Mapping[LabelState, int]
    by_class: tuple[ClassCount, ...]
    bins: tuple[ConfidenceBin, ...]
    mean_confidence: float | None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Labels that are right, of those whose answer is known; states without one are left out."""

    overall: Proportion
    by_state: Mapping[LabelState, Proportion]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Items by what they are (rows) and what their label says (columns), in the order of the classes.

    Counts are whole numbers against truth or gold, expected numbers when posteriors are all there is.
    """

    basis: ConfusionBasis
    classes: tuple[str, ...]
    counts: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Bias:
    """The class that an annotator gives more often than there is reason to, by `excess` (share of all answers)."""

    class_name: str
    excess: float


@dataclass(frozen=True, slots=True)
class AnnotatorRow:
    """What aggregation learned about one annotator; `chance` is what answers at random would reach on these classes."""

    annotator: str
    source: str
    votes: int
    accuracy: float
    chance: float
    interval: Interval | None = None
    bias: Bias | None = None
    suspicion: Suspicion | None = None


@dataclass(frozen=True, slots=True)
class RuleRow:
    """How one rule or knowledge base does.

    Attributes:
        rule: Its name.
        source: "rules" or "knowledge-bases".
        answers: Classes that it votes, the most frequent first; at most three.
        hits: Items that it votes on.
        coverage: Of all items, 0 to 1.
        overlap: Share of its hits on which another votes, too; None without hits.
        conflict: Share of its hits on which another says something else; None without hits.
        outvoted: Items on which a rule of higher priority votes in its place.
        estimated: How often it is right by the posteriors; None where nothing counts.
        measured: How often it is right on gate gold; None where it votes on none.
    """

    rule: str
    source: str
    answers: tuple[str, ...]
    hits: int
    coverage: float
    overlap: float | None = None
    conflict: float | None = None
    outvoted: int = 0
    estimated: float | None = None
    measured: Proportion | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What shows an item: a picture as a `data:image/` address, or its text.

    `alt` describes the picture for those who do not see it; `width` and `height` are its pixels, 0 when not known.
    """

    picture: str = ""
    text: str = ""
    alt: str = ""
    width: int = 0
    height: int = 0

    def __post_init__(self) -> None:
        """Refuse a picture that would be fetched: the report asks nothing of the network."""
        if self.picture and not self.picture.startswith("data:image/"):
            raise BadReportData(f"a preview's picture must be a data:image/ address, got {self.picture[:40]!r}")


@dataclass(frozen=True, slots=True)
class VoteShown:
    """One vote on an item that is shown."""

    annotator: str
    answer: str


@dataclass(frozen=True, slots=True)
class HardItem:
    """An item whose label is little sure; `truth` is None where it is not known."""

    item_id: str
    label: str
    confidence: float
    state: LabelState
    votes: tuple[VoteShown, ...]
    truth: str | None = None
    preview: Preview = field(default_factory=Preview)


@dataclass(frozen=True, slots=True)
class ItemError:
    """An item that could not be used, and why."""

    item_id: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What the labels cost: votes, processor seconds, and money in `currency` (votes and machines together).

    `prices` are the job's prices, per unit in the name ("vote", "CPU hour").
    """

    votes: int
    money: float = 0.0
    currency: str = ""
    cpu_seconds: float = 0.0
    gpu_seconds: float = 0.0
    prices: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the rounds ended: the stop rule's constant and its sentence."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class StageRow:
    """One operation whose result the labels rest on; `seconds` is its wall time, None when not known."""

    round_number: int
    stage: str
    request_id: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """What it takes to make the labels again."""

    job_yaml: str = ""
    data_hash: str = ""
    model_digest: str = ""
    seeds: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    stages: tuple[StageRow, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportData:
    """The whole report.

    Attributes:
        job: What was asked.
        labels: Counts over the labels.
        rounds: How things stood in each round, by votes; the last is the labels themselves.
        stop: Why the rounds ended.
        cost: What it took.
        accuracy: Against truth, outside gold; None without truth.
        audit: Audit gold whose label is right; None without audit gold.
        confusion: Of truth, audit gold or posteriors, the first that is known; None without labels.
        annotators: Least accurate first; rules and knowledge bases are not among them.
        rules: In the order of the job.
        hard_items: Least sure first.
        item_errors: The first of the items that could not be used.
        item_error_count: All of them.
        baseline: Accuracy of random selection, when somebody measured it.
        choice: Which model of annotators weighed most and why; empty where one alone was asked for.
        provenance: How to make the labels again.
    """

    job: JobFacts
    labels: LabelSummary
    rounds: tuple[RoundPoint, ...]
    stop: Stop
    cost: Cost
    accuracy: Accuracy | None = None
    audit: Proportion | None = None
    confusion: Confusion | None = None
    annotators: tuple[AnnotatorRow, ...] = ()
    rules: tuple[RuleRow, ...] = ()
    hard_items: tuple[HardItem, ...] = ()
    item_errors: tuple[ItemError, ...] = ()
    item_error_count: int = 0
    baseline: Curve | None = None
    choice: str = ""
    provenance: Provenance = field(default_factory=Provenance)
