import re

import pytest
from job_builder import JobBuilder, make_job

from labelplane_api import NotSupportedError, check_supported, unsupported
from labelplane_api.support import ON_ONE_MACHINE, Unbuilt, unread_on_one_machine, unsupported_on_clusters

JOB = make_job()
HUMANS = "spec.sources.humans"
RULE = {"name": "r", "label": "1", "regex": "one"}


@pytest.mark.parametrize(
    "job",
    [
        pytest.param(JOB, id="images and a simulated crowd"),
        pytest.param(JOB.of_texts().with_votes_from_files(), id="texts and votes from files"),
        pytest.param(JOB.having("spec.profile", "Distributed"), id="any profile"),
        pytest.param(JOB.having("spec.scheduling", {"queueName": "q", "priorityClassName": "p"}), id="a queue"),
        pytest.param(
            JOB.having("spec.podOverrides", {"small": {"labels": {"a": "b"}}, "scoring": {}}), id="pod overrides"
        ),
        pytest.param(JOB.with_storage(uri="s3://labels", endpoint="https://minio:9000", path_style=True), id="S3"),
        *(
            pytest.param(JOB.with_aggregation(method=method), id=f"aggregation {method}")
            for method in (
                "MajorityVote",
                "WeightedMajorityVote",
                "DawidSkene",
                "OneCoin",
                "Auto",
                "VariationalBayes",
                "Glad",
                "Mace",
                "MinimaxEntropy",
                "LabelModel",
            )
        ),
        pytest.param(JOB.with_teacher(encoder="Torchvision", architecture="resnet18"), id="torchvision"),
        pytest.param(JOB.having("spec.sources.rules", [RULE]), id="rules"),
        pytest.param(JOB.having("spec.sources.rules", [{**RULE, "reviewShare": 0.1}]), id="a rule people look at"),
        pytest.param(
            JOB.having("spec.sources.knowledgeBases", [{"name": "k", "gazetteer": {"uri": "terms.csv"}}]),
            id="knowledge bases",
        ),
        pytest.param(JOB.deterministic(seed=3), id="a deterministic run"),
        pytest.param(JOB.suspended(), id="suspending"),
        pytest.param(JOB.with_run(active_deadline_seconds=60, ttl_seconds_after_finished=60), id="bounds on its time"),
        pytest.param(JOB.with_review(deadline_seconds=60, on_deadline="Fail"), id="a deadline for people"),
        pytest.param(JOB.with_output(formats=["Jsonl"], adopt=True), id="another format"),
        pytest.param(JOB.with_gates(minimum_alpha=0.8, minimum_class_accuracy={"1": 0.9}), id="quality gates"),
        pytest.param(JOB.with_stop(target_accuracy=0.97).with_budget(votes=1347), id="a target and a budget"),
        *(
            pytest.param(JOB.with_sampling(strategy=strategy), id=f"strategy {strategy}")
            for strategy in (
                "Random",
                "Entropy",
                "LeastConfidence",
                "Margin",
                "DensityWeighted",
                "CoreSet",
                "ExpectedGradientLength",
                "Bald",
                "Badge",
            )
        ),
    ],
)
def test_what_is_built_is_accepted(job: JobBuilder) -> None:
    check_supported(job.build())


def test_defaults_that_the_api_server_writes_are_accepted() -> None:
    written = JobBuilder(JOB.build().to_manifest()).build()

    assert written.spec.scaling.model_fields_set
    assert unsupported(written) == ()


NOT_BUILT = [
    pytest.param(JOB.having("spec.task.type", "ObjectDetection"), "spec.task.type: ObjectDetection", id="boxes"),
    pytest.param(JOB.with_dataset(uri="gs://bucket/data"), "spec.dataset.uri: gs://bucket/data", id="items in GCS"),
    pytest.param(JOB.with_storage(uri="az://bucket/run"), "spec.storage.uri: az://bucket/run", id="results in Azure"),
    pytest.param(
        JOB.with_votes_from_files("gs://b/v"), "spec.sources.humans.files.uri: gs://b/v", id="votes from files in GCS"
    ),
    pytest.param(
        JOB.having("spec.sources.rules", [RULE, {"name": "all", "configMap": {"name": "team"}}]),
        "spec.sources.rules[1].configMap",
        id="a ConfigMap of rules that is not in the job file",
    ),
    *(
        pytest.param(
            JOB.having("spec.sources.knowledgeBases", [{"name": "k", kind: {"uri": "gs://b/x", **extra}}]),
            f"spec.sources.knowledgeBases[0].{kind}.uri: gs://b/x",
            id=f"a {kind} in GCS",
        )
        for kind, extra in (
            ("gazetteer", {}),
            ("wordNet", {"synsets": {"1": "one.n.01"}}),
            ("wikipedia", {"categories": {"1": "One"}}),
        )
    ),
    pytest.param(
        JOB.having("spec.sources.models", [{"name": "m", "student": True}]), "spec.sources.models", id="models"
    ),
    pytest.param(JOB.with_aggregation(workers=2), "spec.aggregation.workers", id="inference in two processes"),
    pytest.param(
        JOB.with_teacher(weights="gs://b/w"), "spec.model.teacher.weights: gs://b/w", id="a teacher's weights in GCS"
    ),
    pytest.param(
        JOB.with_student(weights="az://b/w"), "spec.model.student.weights: az://b/w", id="a student's weights in Azure"
    ),
    pytest.param(JOB.having("spec.model.image", "me/train:1"), "spec.model.image", id="an own training image"),
    pytest.param(JOB.with_serving(mode="Shared"), "spec.serving.mode: Shared", id="a shared Triton"),
    pytest.param(
        JOB.with_scaling(scale_down_delay_seconds=5), "spec.scaling.scaleDownDelaySeconds", id="how long a GPU stays"
    ),
    pytest.param(JOB.with_output(formats=["Csv", "Coco"]), "spec.output.formats: Coco", id="a format of boxes"),
    pytest.param(
        JOB.having("spec.podOverrides", {"triton": {}}),
        "spec.podOverrides.triton",
        id="overrides of a Triton of its own",
    ),
]


@pytest.mark.parametrize(("job", "want_field"), NOT_BUILT)
def test_what_is_not_built_is_refused_by_name(job: JobBuilder, want_field: str) -> None:
    assert unsupported(job.build()) == (want_field,)
    with pytest.raises(NotSupportedError) as caught:
        check_supported(job.build())
    assert str(caught.value) == f"not supported yet: {want_field}"


def test_a_config_map_of_rules_is_built_on_clusters() -> None:
    rules = [{"name": "all", "configMap": {"name": "team"}}]

    assert unsupported_on_clusters(JOB.having("spec.sources.rules", rules).build(), has_front=False) == ()


def test_the_review_page_is_built_on_a_cluster_that_serves_it() -> None:
    job = JOB.having("spec.sources.humans", {"inbox": {}}).build()

    assert unsupported_on_clusters(job, has_front=True) == ()
    assert unsupported_on_clusters(job, has_front=False) == ("spec.sources.humans.inbox",)


def test_every_row_of_the_table_is_tried() -> None:
    tried = [str(row.values[1]) for row in NOT_BUILT]

    assert [row.path for row in ON_ONE_MACHINE if not any(_plain(field).startswith(row.path) for field in tried)] == []


def _plain(field: str) -> str:
    """Return a field without the places in lists."""
    return re.sub(r"\[\d+\]", "", field)


def test_all_refused_fields_are_told_together() -> None:
    job = JOB.with_output(formats=["Coco"]).with_serving(mode="Shared").with_scaling(scale_down_delay_seconds=5).build()

    with pytest.raises(NotSupportedError) as caught:
        check_supported(job)
    assert caught.value.fields == (
        "spec.serving.mode: Shared",
        "spec.scaling.scaleDownDelaySeconds",
        "spec.output.formats: Coco",
    )
    assert not caught.value.retryable


def test_scaling_is_read_on_a_cluster_alone() -> None:
    job = JOB.with_scaling(min_replicas=1, max_replicas=3).build()

    assert unsupported(job) == unsupported_on_clusters(job, has_front=False) == ()
    assert unread_on_one_machine(job) == ("spec.scaling.minReplicas", "spec.scaling.maxReplicas")


def test_an_own_training_image_is_built_where_something_runs_containers() -> None:
    job = JOB.having("spec.model.image", "me/train:1").build()

    assert unsupported_on_clusters(job, has_front=False) == ()
    assert unsupported(job) == ("spec.model.image",)


def test_a_row_that_names_no_field_is_a_fault_of_ours() -> None:
    with pytest.raises(KeyError, match="LabelingJobSpec has no field magic"):
        unsupported(JOB.build(), table=[Unbuilt("spec.magic")])
