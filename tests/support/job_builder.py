"""Jobs for tests: a valid one by default, changed by what the test is about.

make_job().with_sampling(strategy="Entropy").with_budget(votes=300).build()
"""

import copy
from dataclasses import dataclass
from typing import Any, Self

import yaml
from pydantic.alias_generators import to_camel

from labelplane_api import LabelingJob, LabelingJobStatus, validate_job

DIGITS = tuple(str(digit) for digit in range(10))


@dataclass(frozen=True, slots=True)
class JobBuilder:
    """A job in the making; every method gives a new builder and leaves this one as it is."""

    manifest: dict[str, Any]
    status: LabelingJobStatus | None = None

    def having(self, path: str, value: Any) -> Self:
        """Set any field by its path of JSON names (`spec.run.seed`); None removes it."""
        manifest = copy.deepcopy(self.manifest)
        *parents, last = path.split(".")
        holder = manifest
        for name in parents:
            holder = holder.setdefault(name, {})
        if value is None:
            holder.pop(last, None)
        else:
            holder[last] = value
        return type(self)(manifest, self.status)

    def _with_group(self, path: str, fields: dict[str, Any]) -> Self:
        builder = self
        for name, value in fields.items():
            builder = builder.having(f"{path}.{to_camel(name).rstrip('_')}", value)
        return builder

    def named(self, name: str, *, namespace: str = "default") -> Self:
        return self.having("metadata.name", name).having("metadata.namespace", namespace)

    def of_generation(self, generation: int) -> Self:
        return self.having("metadata.generation", generation)

    def with_uid(self, uid: str) -> Self:
        return self.having("metadata.uid", uid)

    def with_classes(self, *classes: str) -> Self:
        return self.having("spec.task.classes", list(classes))

    def of_texts(self) -> Self:
        return self.having("spec.task.type", "TextClassification")

    def without_gold(self) -> Self:
        return self.having("spec.dataset.goldField", None)

    def with_dataset(self, **fields: Any) -> Self:
        return self._with_group("spec.dataset", fields)

    def with_storage(self, **fields: Any) -> Self:
        return self._with_group("spec.storage", fields)

    def with_humans(self, **fields: Any) -> Self:
        return self._with_group("spec.sources.humans", fields)

    def with_crowd(self, *annotators: dict[str, Any], seed: int | None = None) -> Self:
        """Let these groups of simulated annotators answer, `{"name": "right", "count": 12, "accuracy": 0.85}`."""
        crowd: dict[str, Any] = {"annotators": list(annotators)}
        if seed is not None:
            crowd["seed"] = seed
        return self._without_connector().having("spec.sources.humans.simulated", crowd)

    def with_votes_from_files(self, uri: str = "votes") -> Self:
        return self._without_connector().having("spec.sources.humans.files", {"uri": uri})

    def with_label_studio(self, url: str = "https://ls.example", **fields: Any) -> Self:
        server = {"url": url, "tokenSecret": "ls", **fields}
        return self._without_connector().having("spec.sources.humans.labelStudio", server)

    def _without_connector(self) -> Self:
        builder = self
        for connector in ("simulated", "files", "labelStudio", "inbox"):
            builder = builder.having(f"spec.sources.humans.{connector}", None)
        return builder

    def with_sampling(self, **fields: Any) -> Self:
        return self._with_group("spec.sampling", fields)

    def with_aggregation(self, **fields: Any) -> Self:
        return self._with_group("spec.aggregation", fields)

    def with_teacher(self, **fields: Any) -> Self:
        return self._with_group("spec.model.teacher", fields)

    def with_student(self, **fields: Any) -> Self:
        return self._with_group("spec.model.student", fields)

    def with_distillation(self, **fields: Any) -> Self:
        return self._with_group("spec.model.distillation", fields)

    def with_serving(self, **fields: Any) -> Self:
        return self._with_group("spec.serving", fields)

    def with_stop(self, **fields: Any) -> Self:
        return self._with_group("spec.stop", fields)

    def with_budget(self, **fields: Any) -> Self:
        return self._with_group("spec.budget", fields)

    def with_acceptance(self, **fields: Any) -> Self:
        return self._with_group("spec.quality.acceptance", fields)

    def with_gates(self, **fields: Any) -> Self:
        return self._with_group("spec.quality.gates", fields)

    def with_scaling(self, **fields: Any) -> Self:
        return self._with_group("spec.scaling", fields)

    def with_review(self, **fields: Any) -> Self:
        return self._with_group("spec.review", fields)

    def with_output(self, **fields: Any) -> Self:
        return self._with_group("spec.output", fields)

    def with_run(self, **fields: Any) -> Self:
        return self._with_group("spec.run", fields)

    def suspended(self) -> Self:
        return self.with_run(suspend=True)

    def deterministic(self, *, seed: int = 0) -> Self:
        return self.with_run(deterministic=True, seed=seed)

    def with_status(self, status: LabelingJobStatus) -> Self:
        return type(self)(self.manifest, status)

    def as_manifest(self) -> dict[str, Any]:
        """Return the object as a job file holds it; need not be valid."""
        return copy.deepcopy(self.manifest)

    def as_yaml(self) -> str:
        """Return the text of a job file; need not be valid."""
        return yaml.safe_dump(self.manifest, sort_keys=False)

    def build(self) -> LabelingJob:
        """Return the job; raises SpecInvalidError when it is not valid."""
        job = validate_job(self.manifest)
        return job if self.status is None else job.with_status(self.status)


def make_job() -> JobBuilder:
    """Begin with scanned digits, a column of gold and one of truth, and a crowd of three that is right at 0.85."""
    return JobBuilder(
        {
            "apiVersion": "labelplane.io/v1alpha1",
            "kind": "LabelingJob",
            "metadata": {"name": "digits"},
            "spec": {
                "task": {"type": "ImageClassification", "classes": list(DIGITS)},
                "dataset": {
                    "uri": "digits",
                    "format": "Csv",
                    "index": "index.csv",
                    "idField": "id",
                    "itemField": "path",
                    "goldField": "gold",
                    "truthField": "truth",
                },
                "storage": {"uri": "out"},
                "sources": {
                    "humans": {"simulated": {"annotators": [{"name": "right", "count": 3, "accuracy": 0.85}]}},
                },
            },
        }
    )


def make_cluster_job() -> JobBuilder:
    """Begin with a job whose data and results pods can reach, of two batches that three people each vote on."""
    return (
        make_job()
        .with_dataset(uri="s3://data/digits")
        .with_storage(uri="s3://labels/runs")
        .with_humans(votes_per_item=3)
        .with_sampling(min_per_class=3, initial_batch_size=20, batch_size=20)
        .with_budget(votes=120)
        .with_uid("u1")
    )
