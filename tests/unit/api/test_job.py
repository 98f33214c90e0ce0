import pytest
from hypothesis import HealthCheck, given, settings
from job_builder import make_job
from job_strategies import manifests
from pydantic import ValidationError

import labelplane_api
from labelplane_api import (
    Connector,
    LabelingJob,
    LabelingJobStatus,
    ProgressStatus,
    RunPolicy,
    Sampling,
    SpecInvalidError,
    Strategy,
    validate_job,
)


def test_a_short_job_has_the_documented_defaults() -> None:
    job = make_job().build()

    assert job.spec.sampling.strategy is Strategy.MARGIN
    assert job.spec.sampling.candidate_pool == 200_000
    assert job.spec.sources.humans is not None
    assert job.spec.sources.humans.votes_per_item == 3
    assert job.spec.aggregation.dawid_skene.shrinkage_mass == 2
    assert job.spec.model.distillation.temperature == 2
    assert job.spec.model.distillation.lambda_ == 0.5
    assert job.spec.quality.acceptance.maximum_risk == 0.05
    assert job.spec.scaling.scale_down_delay_seconds == 600
    assert job.status == LabelingJobStatus()


@pytest.mark.parametrize(
    ("most", "studio", "why"),
    [
        pytest.param(2, None, r"votesPerItem \(3\) is above maxVotesPerItem \(2\)", id="fewer at most"),
        pytest.param(
            5, "https://ls.example", "maxVotesPerItem does not go with labelStudio", id="projects have one overlap"
        ),
    ],
)
def test_an_overlap_that_cannot_be_is_refused(most: int, studio: str | None, why: str) -> None:
    job = make_job().with_votes_from_files() if studio is None else make_job().with_label_studio(studio)
    with pytest.raises(SpecInvalidError, match=why):
        job.with_humans(votes_per_item=3, max_votes_per_item=most).build()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(manifests())
def test_a_job_written_and_read_again_is_the_same(manifest: dict[str, object]) -> None:
    job = validate_job(manifest)

    assert validate_job(job.to_manifest()) == job
    assert LabelingJob.model_validate_json(job.model_dump_json(by_alias=True)) == job


def test_an_object_as_the_api_server_returns_it_is_read() -> None:
    manifest = make_job().as_manifest()
    manifest["metadata"] |= {
        "creationTimestamp": "2026-01-31T09:30:00Z",
        "managedFields": [{"manager": "kubectl"}],
        "resourceVersion": "7",
        "uid": "0d9a",
    }
    manifest["status"] = None

    job = validate_job(manifest)

    assert job.metadata.uid == "0d9a"
    assert job.status == LabelingJobStatus()
    assert "managedFields" not in job.to_manifest()["metadata"]


def test_null_stands_for_absent_as_on_the_api_server() -> None:
    manifest = make_job().with_stop(target_accuracy=0.9).as_manifest()
    manifest["spec"]["run"] = None
    manifest["spec"]["dataset"]["metadataFields"] = None

    manifest["spec"]["quality"] = {"gates": {"minimumClassAccuracy": {"0": None, "1": 0.5}}}

    job = validate_job(manifest)

    assert job.spec.run == RunPolicy()
    assert job.spec.quality.gates.minimum_class_accuracy == {"1": 0.5}
    assert job.spec.dataset.metadata_fields == ()


@pytest.mark.parametrize("space", ["\xa0", "\u2003", "\u3000", "\x85", "\v"])
def test_a_class_ends_in_no_space_of_any_script(space: str) -> None:
    with pytest.raises(SpecInvalidError, match="remove the space"):
        make_job().with_classes("cat", f"dog{space}").build()


def test_a_whole_number_may_have_a_point() -> None:
    assert make_job().with_run(seed=3.0).build().spec.run.seed == 3


def test_null_for_an_unknown_field_is_still_unknown() -> None:
    manifest = make_job().as_manifest()
    manifest["spec"]["rum"] = None

    with pytest.raises(SpecInvalidError, match=r"spec\.rum: unknown field"):
        validate_job(manifest)


def test_python_names_are_refused_where_json_names_belong() -> None:
    manifest = make_job().having("spec.scaling", {"min_replicas": 1}).as_manifest()

    with pytest.raises(
        SpecInvalidError, match=r"spec\.scaling\.min_replicas: unknown field: did you mean minReplicas\?"
    ):
        validate_job(manifest)


@pytest.mark.parametrize(
    ("path", "value", "want_message"),
    [
        pytest.param(
            "status",
            {"startedAt": "yesterday"},
            'status.startedAt: "yesterday" is no time: write it as 2026-01-31T09:30:00Z',
            id="a time in words",
        ),
        pytest.param(
            "spec.task.classes",
            ["\ud800", "1"],
            "spec.task.classes[0]: Input should be a valid string, unable to parse raw data as a unicode string",
            id="half a character, told in pydantic's words",
        ),
    ],
)
def test_an_object_that_no_file_can_hold_is_told_too(path: str, value: object, want_message: str) -> None:
    with pytest.raises(SpecInvalidError) as caught:
        make_job().having(path, value).build()

    assert [problem.message for problem in caught.value.problems] == [want_message]


def test_something_that_is_no_object_is_told() -> None:
    with pytest.raises(SpecInvalidError, match="the document: a list stands where fields belong: write an object with"):
        validate_job([])  # type: ignore[arg-type]


def test_a_job_cannot_be_changed_in_place() -> None:
    job = make_job().build()

    with pytest.raises(ValidationError, match="frozen"):
        job.spec = job.spec  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "prefix", "want_prefix"),
    [
        pytest.param("digits", None, "team/digits", id="namespace and name by default"),
        pytest.param("digits", "results/2026", "results/2026", id="the stated prefix"),
    ],
)
def test_results_lie_below_the_prefix(name: str, prefix: str | None, want_prefix: str) -> None:
    job = make_job().named(name, namespace="team").with_output(prefix=prefix).build()

    assert job.prefix == want_prefix
    assert job.key == "team/digits"


def test_a_new_status_leaves_the_old_job_as_it_was() -> None:
    job = make_job().build()

    counted = job.with_status(LabelingJobStatus(progress=ProgressStatus(items=5)))

    assert (job.status.progress.items, counted.status.progress.items) == (0, 5)
    assert counted.spec is job.spec


@pytest.mark.parametrize(
    ("member", "fields", "want"),
    [
        pytest.param("simulated", {"annotators": [{"name": "a", "random": True}]}, Connector.SIMULATED, id="simulated"),
        pytest.param("files", {"uri": "votes"}, Connector.FILES, id="files"),
        pytest.param("labelStudio", {"url": "https://ls:80", "tokenSecret": "t"}, Connector.LABEL_STUDIO, id="ls"),
        pytest.param("inbox", {}, Connector.INBOX, id="inbox"),
    ],
)
def test_the_connector_is_the_member_that_is_set(member: str, fields: dict[str, object], want: Connector) -> None:
    job = make_job().having("spec.sources.humans", {member: fields}).build()

    assert job.spec.sources.humans is not None
    assert job.spec.sources.humans.connector is want


def test_simulated_annotators_are_numbered_from_one() -> None:
    job = make_job().with_crowd({"name": "a", "count": 2, "accuracy": 1}, {"name": "a-1", "random": True}).build()

    assert job.spec.sources.humans is not None
    crowd = job.spec.sources.humans.simulated
    assert crowd is not None
    names = [name for group in crowd.annotators for name in group.names]
    assert names == ["a-1", "a-2", "a-1-1"]


def test_a_type_tells_its_broken_rule_by_itself() -> None:
    with pytest.raises(ValidationError, match=r"batchSize \(9\) is above candidatePool \(5\)"):
        Sampling(initial_batch_size=1, batch_size=9, candidate_pool=5)


def test_every_exported_name_is_there() -> None:
    assert [name for name in labelplane_api.__all__ if not hasattr(labelplane_api, name)] == []
