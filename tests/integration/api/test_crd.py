"""The CRD on a real API server: it takes and refuses what the types take and refuse, and writes the same defaults."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from api_server import ApiError, ApiServer
from hypothesis import HealthCheck, event, example, given, settings
from job_builder import JobBuilder, make_job
from job_mutations import nearly_valid_manifests
from pydantic import ValidationError
from rule_cases import CHANGES, RULES

from labelplane_api import (
    Condition,
    ConditionStatus,
    CostStatus,
    EarlierRounds,
    LabelingJob,
    LabelingJobStatus,
    OperationStatus,
    ProgressStatus,
    RoundStatus,
    SpecInvalidError,
    Stage,
    StageResult,
    validate_change,
    validate_job,
)
from labelplane_api.crd import build_crd
from labelplane_api.errors import path_text

SAMPLES = Path(__file__).resolve().parents[3] / "manifests" / "samples"
CRD = f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{build_crd()['metadata']['name']}"


def _object(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a job as it is sent: its namespace is in the path."""
    metadata = {key: value for key, value in manifest["metadata"].items() if key != "namespace"}
    return {**manifest, "metadata": metadata}


def _try(server: ApiServer, jobs: str, manifest: dict[str, Any]) -> dict[str, Any]:
    """Let the server default and check a job without keeping it."""
    return server.create(jobs, _object(manifest), fieldValidation="Strict", dryRun="All")


@pytest.fixture
def kept(crd_server: ApiServer, jobs: str) -> Iterator[dict[str, Any]]:
    """The default job, created; deleted after the test."""
    yield crd_server.create(jobs, make_job().as_manifest())
    crd_server.delete(f"{jobs}/digits")


def test_the_schema_is_structural_and_established(crd_server: ApiServer) -> None:
    conditions = {found["type"]: found for found in crd_server.get(CRD)["status"]["conditions"]}

    assert conditions["Established"]["status"] == "True"
    assert conditions["NamesAccepted"]["status"] == "True"
    assert "NonStructuralSchema" not in conditions


def test_the_kind_has_its_short_name_and_category(crd_server: ApiServer) -> None:
    resources = crd_server.get("/apis/labelplane.io/v1alpha1")["resources"]
    jobs = next(resource for resource in resources if resource["name"] == "labelingjobs")

    assert jobs["shortNames"] == ["lpj"]
    assert jobs["categories"] == ["labelplane"]
    assert "labelingjobs/status" in [resource["name"] for resource in resources]


@pytest.mark.parametrize("sample", sorted(SAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_sample_can_be_applied(crd_server: ApiServer, jobs: str, sample: Path) -> None:
    manifests = list(yaml.safe_load_all(sample.read_text(encoding="utf-8")))
    # Beside the job a sample may bring the ConfigMaps of its rules.
    config_maps = jobs.replace("/apis/labelplane.io/v1alpha1/", "/api/v1/").replace("/labelingjobs", "/configmaps")
    paths = {"LabelingJob": jobs, "ConfigMap": config_maps}
    assert [manifest["kind"] for manifest in manifests].count("LabelingJob") == 1
    for manifest in manifests:
        path = f"{paths[manifest['kind']]}/{manifest['metadata']['name']}"
        applied = crd_server.apply(path, manifest, fieldValidation="Strict")
        assert applied["metadata"]["resourceVersion"]
        crd_server.delete(path)


def _rule_text(refused: JobBuilder) -> dict[str, str]:
    """Return what the API server is to say of each broken rule, by the path of its field."""
    with pytest.raises(SpecInvalidError) as caught:
        refused.build()
    cause = caught.value.__cause__
    assert isinstance(cause, ValidationError)
    contexts = (details.get("ctx", {}) for details in cause.errors())
    rules = [violation.rule for context in contexts for violation in context.get("violations", ())]
    texts = [rule.message if rule.cel is not None else "Duplicate value" for rule in rules]
    paths = [path_text(problem.path) for problem in caught.value.problems]
    return dict(zip(paths, texts, strict=True))


@pytest.mark.parametrize(("accepted", "refused", "_message"), RULES)
def test_a_rule_accepts_and_refuses(
    crd_server: ApiServer, jobs: str, accepted: JobBuilder, refused: JobBuilder, _message: str
) -> None:
    _try(crd_server, jobs, accepted.as_manifest())
    want = _rule_text(refused)
    if any("podOverrides" in path for path in want):
        # One open field of the CRD; the operator refuses what is wrong in it.
        _try(crd_server, jobs, refused.as_manifest())
        return

    with pytest.raises(ApiError) as caught:
        _try(crd_server, jobs, refused.as_manifest())

    assert caught.value.reason == "Invalid"
    for path, text in want.items():
        assert any(field.startswith(path) and text in message for field, message in caught.value.causes), (
            caught.value.causes
        )


@pytest.mark.parametrize(("old", "new", "_message"), CHANGES)
def test_what_cannot_change_is_refused(
    crd_server: ApiServer, jobs: str, old: JobBuilder, new: JobBuilder, _message: str
) -> None:
    with pytest.raises(SpecInvalidError) as told:
        validate_change(old.build(), new.build())
    path = f"{jobs}/changed"
    manifest = crd_server.create(jobs, _object(old.named("changed").as_manifest()))
    changed = _object(new.named("changed").as_manifest())
    changed["metadata"]["resourceVersion"] = manifest["metadata"]["resourceVersion"]

    try:
        with pytest.raises(ApiError) as caught:
            crd_server.replace(path, changed)
    finally:
        crd_server.delete(path)

    assert caught.value.reason == "Invalid"
    assert {field for field, _ in caught.value.causes} == {path_text(problem.path) for problem in told.value.problems}


def test_classes_may_grow_and_settings_may_change(crd_server: ApiServer, jobs: str, kept: dict[str, Any]) -> None:
    grown = make_job().with_classes(*"0123456789", "none").with_sampling(strategy="Entropy").as_manifest()

    changed = crd_server.apply(f"{jobs}/digits", _object(grown))

    assert changed["metadata"]["generation"] == kept["metadata"]["generation"] + 1
    assert changed["spec"]["task"]["classes"][-1] == "none"


def test_a_thousand_long_classes_may_grow_and_not_shrink(crd_server: ApiServer, jobs: str) -> None:
    names = [f"{number:0128d}" for number in range(999)]
    job = make_job().named("many")
    crd_server.create(jobs, _object(job.with_classes(*names).as_manifest()))

    grown = crd_server.apply(f"{jobs}/many", _object(job.with_classes(*names, "new").as_manifest()))
    with pytest.raises(ApiError, match="may grow, never shrink"):
        crd_server.replace(f"{jobs}/many", {**grown, "spec": job.with_classes(*names).as_manifest()["spec"]})

    assert len(grown["spec"]["task"]["classes"]) == 1000
    crd_server.delete(f"{jobs}/many")


def test_defaults_are_written_into_the_object(kept: dict[str, Any]) -> None:
    spec = kept["spec"]

    assert spec["profile"] == "Auto"
    assert spec["model"]["teacher"]["epochs"] == 100
    assert spec["output"]["formats"] == ["Csv", "Parquet"]
    assert spec["quality"]["acceptance"] == {"enabled": True, "maximumRisk": 0.05, "confidence": 0.95}
    assert validate_job(kept).spec == make_job().build().spec


def test_an_unknown_field_is_refused_by_name(crd_server: ApiServer, jobs: str) -> None:
    with pytest.raises(ApiError, match=r'unknown field "spec.sampling.batchSice"') as caught:
        _try(crd_server, jobs, make_job().with_sampling(batch_sice=1).as_manifest())
    assert caught.value.reason == "BadRequest"


def test_a_status_is_written_apart_and_shown_in_the_columns(
    crd_server: ApiServer, jobs: str, kept: dict[str, Any]
) -> None:
    status = LabelingJobStatus(
        observed_generation=1,
        stage="Train",
        active_seconds=90,
        active_since=datetime(2026, 1, 31, 9, 30, tzinfo=UTC),
        conditions=(
            Condition(
                type="QualityGatePassed",
                status=ConditionStatus.UNKNOWN,
                reason="NoGold",
                observed_generation=1,
            ),
        ),
        rounds=(
            RoundStatus(
                round=3,
                stages={Stage.VOTE: StageResult(request_id="digits/3/Vote/1", figures={"cpuSeconds": 1.5, "votes": 3})},
                skipped={Stage.TRAIN: "NotEnoughLabels"},
                accuracy=0.5,
            ),
            RoundStatus(round=4),
        ),
        earlier=EarlierRounds(
            rounds=3,
            batches=3,
            asked=60,
            accuracy=0.4,
            stages={Stage.TRAIN: StageResult(request_id="digits/2/Train/1")},
        ),
        failures={Stage.SCORE: 2},
        artifacts={"report": "s3://labels/digits/report.html"},
        operation=OperationStatus(request_id="digits/4/Train/1", stage=Stage.TRAIN, round=4),
        cost=CostStatus(votes=300, money=4.5),
        progress=ProgressStatus(items=1797, labelled=120),
    ).to_manifest()

    written = crd_server.replace(f"{jobs}/digits/status", {**kept, "spec": {}, "status": status})
    table = crd_server.get(f"{jobs}/digits", accept="application/json;as=Table;v=v1;g=meta.k8s.io")

    assert validate_job(written) == LabelingJob.model_validate({**kept, "status": status})
    names = [column["name"] for column in table["columnDefinitions"]]
    cells = dict(zip(names, table["rows"][0]["cells"], strict=True))
    assert cells.pop("Age")
    assert cells == {
        "Name": "digits",
        "Stage": "Train",
        "Round": 4,
        "Labelled": 120,
        "Quality": "Unknown",
        "Cost": 4.5,
    }


@example(manifest=make_job().with_gates(minimum_class_accuracy={"0": None, "1": 0.5}).as_manifest())
@example(manifest=make_job().with_gates(minimum_class_accuracy={"": 0.5}).as_manifest())
@example(manifest=make_job().with_run(seed=1.0).as_manifest())
@example(manifest=make_job().with_classes("cat", "dog\xa0").as_manifest())
@settings(deadline=None, suppress_health_check=list(HealthCheck))
@given(manifest=nearly_valid_manifests())
def test_the_types_and_the_api_server_agree(crd_server: ApiServer, jobs: str, manifest: dict[str, Any]) -> None:
    job, want = _judged(lambda: validate_job(manifest))
    taken, told = _judged(lambda: _try(crd_server, jobs, manifest))

    event("accepted" if want is None else "refused")
    assert (want is None) == (told is None), f"the types say: {want}; the server says: {told}"
    if want is None:
        # What the server made of it, defaults written in, means the same job.
        assert validate_job(taken).spec == job.spec


def _judged(judge: Callable[[], Any]) -> tuple[Any, str | None]:
    try:
        return judge(), None
    except (SpecInvalidError, ApiError) as error:
        return None, str(error)
