from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from labelplane_api import (
    LabelingJobStatus,
    ModelStatus,
    OperationStatus,
    PrepareStatus,
    Profile,
    ProgressStatus,
    RoundStatus,
    Stage,
    StageResult,
)

START = datetime(2026, 1, 31, 9, 30, tzinfo=UTC)


def _result(stage: str) -> StageResult:
    return StageResult(
        request_id=f"digits/0/{stage}/0",
        results={"posteriors": "rounds/0000/aggregate/0/manifest.json"},
        figures={"cpuSeconds": 1.5},
        started_at=START,
        finished_at=START,
    )


def test_a_full_status_written_and_read_again_is_the_same() -> None:
    status = LabelingJobStatus(
        observed_generation=2,
        profile=Profile.SMALL,
        started_at=START,
        prepare=PrepareStatus(result=_result("prepare"), items=1797, attempts={Stage.VOTE: 1}),
        rounds=(
            RoundStatus(
                round=0,
                stages={Stage.VOTE: _result("vote")},
                skipped={Stage.TRAIN: "NotEnoughLabels"},
                accuracy=0.9,
            ),
        ),
        operation=OperationStatus(request_id="digits/1/score/0", stage=Stage.SCORE, round=1, not_before=START),
        failures={Stage.SCORE: 1},
        model=ModelStatus(promoted="sha256:3f2a", round=0),
        progress=ProgressStatus(items=1797),
    )

    manifest = status.to_manifest()

    assert LabelingJobStatus.model_validate(manifest, by_alias=True, by_name=False) == status
    assert manifest["rounds"][0]["stages"]["Vote"]["startedAt"] == "2026-01-31T09:30:00Z"
    assert manifest["operation"]["notBefore"] == "2026-01-31T09:30:00Z"


def test_a_status_of_a_newer_version_is_read_without_what_it_adds() -> None:
    status = LabelingJobStatus.model_validate({"observedGeneration": 3, "invention": {"x": 1}})

    assert status == LabelingJobStatus(observed_generation=3)


def test_stages_stand_in_the_order_of_a_round() -> None:
    assert [stage.value for stage in Stage] == [
        "Prepare",
        "Vote",
        "Aggregate",
        "Train",
        "Score",
        "Select",
        "Review",
        "Finalize",
    ]


@pytest.mark.parametrize(
    "figures",
    [
        pytest.param({"loss": float("nan")}, id="not a number"),
        pytest.param({f"figure{number}": 1.0 for number in range(65)}, id="more than 64"),
    ],
)
def test_figures_are_bounded_and_finite(figures: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        StageResult(request_id="digits/0/train/0", figures=figures)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        LabelingJobStatus.model_validate({"startedAt": "2026-01-31T09:30:00"})
