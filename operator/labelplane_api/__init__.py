"""Types of the LabelingJob API: spec, status, conditions, the rules between their fields, and reading job files.

job = parse_job(text, source="job.yaml")     # JobFileError: one line a problem
check_supported(job)                          # NotSupportedError: what is not built yet
"""

from labelplane_api.aggregation import Aggregation, AggregationMethod, ClassPrior, DawidSkeneSettings
from labelplane_api.conditions import (
    Condition,
    ConditionStatus,
    ConditionType,
    Reason,
    find_condition,
    is_true,
    set_condition,
)
from labelplane_api.dataset import Dataset, DatasetFormat, Storage
from labelplane_api.documents import Document, load_documents
from labelplane_api.errors import JobFileError, LabelplaneApiError, NotSupportedError, Problem, SpecInvalidError
from labelplane_api.job import API_GROUP, API_VERSION, KIND, LabelingJob, LabelingJobSpec
from labelplane_api.limits import Acceptance, Budget, Gates, Prices, Quality, Stop
from labelplane_api.load import Manifests, parse_job, parse_manifests, read_manifests
from labelplane_api.metadata import ObjectMeta
from labelplane_api.output import DeletionPolicy, ExportFormat, Output
from labelplane_api.review import OnDeadline, Review
from labelplane_api.rule_files import RuleFile, RuleOrigin, parse_rule_file
from labelplane_api.running import PodOverride, PodOverrides, Profile, RunPolicy, Scheduling
from labelplane_api.sampling import ColdStart, Sampling, Strategy
from labelplane_api.scaling import Scaling, ScalingEngine
from labelplane_api.serving import Serving, ServingMode
from labelplane_api.sources import (
    Connector,
    FilesConnector,
    Humans,
    KnowledgeBaseSource,
    RuleSource,
    SimulatedAnnotators,
    SimulatedCrowd,
    Sources,
)
from labelplane_api.status import (
    CostStatus,
    EarlierRounds,
    LabelingJobStatus,
    ModelStatus,
    OperationStatus,
    PrepareStatus,
    ProgressStatus,
    RoundStatus,
    Stage,
    StageResult,
)
from labelplane_api.support import check_supported, unsupported
from labelplane_api.task import IMAGE_TASKS, TEXT_TASKS, Task, TaskType
from labelplane_api.training import Distillation, Encoder, Network, Student, Teacher, Training, TrainingMode
from labelplane_api.validation import validate_change, validate_job

__all__ = [
    "API_GROUP",
    "API_VERSION",
    "IMAGE_TASKS",
    "KIND",
    "TEXT_TASKS",
    "Acceptance",
    "Aggregation",
    "AggregationMethod",
    "Budget",
    "ClassPrior",
    "ColdStart",
    "Condition",
    "ConditionStatus",
    "ConditionType",
    "Connector",
    "CostStatus",
    "Dataset",
    "DatasetFormat",
    "DawidSkeneSettings",
    "DeletionPolicy",
    "Distillation",
    "Document",
    "EarlierRounds",
    "Encoder",
    "ExportFormat",
    "FilesConnector",
    "Gates",
    "Humans",
    "JobFileError",
    "KnowledgeBaseSource",
    "LabelingJob",
    "LabelingJobSpec",
    "LabelingJobStatus",
    "LabelplaneApiError",
    "Manifests",
    "ModelStatus",
    "Network",
    "NotSupportedError",
    "ObjectMeta",
    "OnDeadline",
    "OperationStatus",
    "Output",
    "PodOverride",
    "PodOverrides",
    "PrepareStatus",
    "Prices",
    "Problem",
    "Profile",
    "ProgressStatus",
    "Quality",
    "Reason",
    "Review",
    "RoundStatus",
    "RuleFile",
    "RuleOrigin",
    "RuleSource",
    "RunPolicy",
    "Sampling",
    "Scaling",
    "ScalingEngine",
    "Scheduling",
    "Serving",
    "ServingMode",
    "SimulatedAnnotators",
    "SimulatedCrowd",
    "Sources",
    "SpecInvalidError",
    "Stage",
    "StageResult",
    "Stop",
    "Storage",
    "Strategy",
    "Student",
    "Task",
    "TaskType",
    "Teacher",
    "Training",
    "TrainingMode",
    "check_supported",
    "find_condition",
    "is_true",
    "load_documents",
    "parse_job",
    "parse_manifests",
    "parse_rule_file",
    "read_manifests",
    "set_condition",
    "unsupported",
    "validate_change",
    "validate_job",
]
