import io
from datetime import timedelta
from pathlib import Path

import pytest
from job_builder import JobBuilder, make_job
from planned_world import START
from rich.console import Console

from labelplane_api.conditions import Condition, ConditionStatus, ConditionType, Reason
from labelplane_api.status import CostStatus, LabelingJobStatus, RoundStatus, Stage, StageResult
from labelplane_cli.concluding import conclusion, next_steps, print_conclusion
from labelplane_cli.errors import JobHasFailed, JobIsSuspended

ARTIFACTS = {
    "report": "report/index.html",
    "export_jsonl": "export/labels.jsonl",
    "export_csv": "export/labels.csv",
}
FIGURES = {"human": 400.0, "accepted": 500.0, "predicted": 100.0}


def condition(kind: ConditionType, reason: str, message: str = "", *, is_true: bool = True) -> Condition:
    status = ConditionStatus.TRUE if is_true else ConditionStatus.FALSE
    return Condition(type=kind, status=status, reason=reason, message=message, observed_generation=1)


def complete(*, cost: CostStatus | None = None, message: str = "", **figures: float) -> JobBuilder:
    """Return a job that is complete after five minutes, with figures of its last stage."""
    return make_job().with_status(
        LabelingJobStatus(
            started_at=START,
            finished_at=START + timedelta(minutes=5),
            conditions=(condition(ConditionType.COMPLETE, Reason.BUDGET_SPENT, message),),
            finalize=StageResult(request_id="f", figures=FIGURES | figures),
            cost=cost or CostStatus(votes=1200),
            artifacts=ARTIFACTS,
        )
    )


def test_conclusion_tells_time_labels_votes_and_states() -> None:
    assert conclusion(complete(message="the budget of 1,200 votes is used up").build()) == [
        "done in 5 min: 1,000 labels from 1,200 votes of people (the budget of 1,200 votes is used up)",
        "400 decided by people, 500 accepted from the model, 100 predicted only",
        "no audit gold: how many labels are right is not known; set dataset.goldField for some items",
    ]


@pytest.mark.parametrize(
    ("builder", "want"),
    [
        pytest.param(
            complete(cost=CostStatus(votes=1200, money=60.0)),
            "done in 5 min: 1,000 labels from 1,200 votes of people for $60.00",
            id="what they cost",
        ),
        pytest.param(
            complete(risk_bound=0.05),
            "400 decided by people, 500 accepted from the model (error at most 5.0 %), 100 predicted only",
            id="the bound on the error of accepted labels",
        ),
        pytest.param(
            complete(risk_bound=0.05, accepted=0.0),
            "400 decided by people, 0 accepted from the model, 100 predicted only",
            id="no bound where none was accepted",
        ),
        pytest.param(
            complete(audit_accuracy=0.925, audit_low=0.8, audit_high=0.975),
            "labels right on audit gold: 92.5 % (80.0 to 97.5 %)",
            id="how many are right on audit gold",
        ),
        pytest.param(
            complete(truth_accuracy=0.931),
            "labels right outside gold: 93.1 % (by dataset.truthField)",
            id="how many are right where the truth is known",
        ),
    ],
)
def test_conclusion_tells(builder: JobBuilder, want: str) -> None:
    assert want in conclusion(builder.build())


def gated(status: ConditionStatus, reason: Reason, message: str) -> JobBuilder:
    done = condition(ConditionType.COMPLETE, Reason.BUDGET_SPENT)
    gate = Condition(
        type=ConditionType.QUALITY_GATE_PASSED, status=status, reason=reason, message=message, observed_generation=1
    )
    return make_job().with_gates(minimum_alpha=0.8).with_status(LabelingJobStatus(conditions=(done, gate)))


@pytest.mark.parametrize(
    ("builder", "want"),
    [
        pytest.param(
            gated(ConditionStatus.FALSE, Reason.GATE_MISSED, "alpha is 0.5"),
            ["quality gate missed, nothing is accepted from the model or exported: alpha is 0.5"],
            id="a missed gate",
        ),
        pytest.param(
            gated(ConditionStatus.UNKNOWN, Reason.NOT_MEASURED, "minimumAlpha: not defined yet"),
            ["quality gate not known, nothing is accepted from the model: minimumAlpha: not defined yet"],
            id="a gate that is not known",
        ),
        pytest.param(gated(ConditionStatus.TRUE, Reason.GATES_MET, "fine"), [], id="nothing when all are met"),
    ],
)
def test_conclusion_tells_what_a_quality_gate_holds_back(builder: JobBuilder, want: list[str]) -> None:
    assert [line for line in conclusion(builder.build()) if "quality gate" in line] == want


def test_complete_job_without_times_or_figures_is_told_all_the_same() -> None:
    status = LabelingJobStatus(conditions=(condition(ConditionType.COMPLETE, Reason.BUDGET_SPENT),))

    assert conclusion(make_job().with_status(status).build())[0] == "done: 0 labels from 0 votes of people"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path.cwd()


def test_results_in_a_folder_are_told_by_path(here: Path) -> None:
    assert next_steps(complete().build(), f"file://{here}/my%20out") == [
        ("open the report", "my out/report/index.html"),
        ("use the labels", "my out/export/labels.csv"),
        ("ask why", "labelplane explain 'my out' ITEM"),
    ]


def test_results_in_a_bucket_are_told_by_address_and_no_command_is_told_that_needs_a_folder(here: Path) -> None:
    assert next_steps(complete().build(), "s3://bucket/default/digits") == [
        ("open the report", "s3://bucket/default/digits/report/index.html"),
        ("use the labels", "s3://bucket/default/digits/export/labels.csv"),
    ]


def printed(builder: JobBuilder, store_uri: str = "s3://bucket") -> list[str]:
    sink = io.StringIO()
    print_conclusion(Console(file=sink, width=200, highlight=False, markup=False), builder.build(), store_uri)
    return sink.getvalue().splitlines()


def test_conclusion_is_printed_with_what_to_do_next_and_steers_no_terminal() -> None:
    lines = printed(complete(message="evil \x1b[2J"))

    assert lines[0].endswith(r"(evil \x1b[2J)")
    assert lines[-2:] == [
        "  Next: open the report  s3://bucket/report/index.html",
        "        use the labels   s3://bucket/export/labels.csv",
    ]


def test_job_that_exports_nothing_has_nothing_to_open() -> None:
    status = LabelingJobStatus(conditions=(condition(ConditionType.COMPLETE, Reason.BUDGET_SPENT),))

    assert not any("Next" in line for line in printed(make_job().with_status(status)))


@pytest.mark.parametrize(
    ("conditions", "want", "want_code"),
    [
        pytest.param(
            [condition(ConditionType.ACCEPTED, Reason.NOT_SUPPORTED, "spec.serving: not yet", is_true=False)],
            "spec.serving: not yet",
            2,
            id="a job that is refused",
        ),
        pytest.param(
            [condition(ConditionType.FAILED, "EmptyDataset", "digits holds no image")],
            "digits holds no image",
            2,
            id="a job that was given what is wrong",
        ),
        pytest.param(
            [condition(ConditionType.FAILED, "ObjectNotFound", "index.csv is not there")],
            "index.csv is not there",
            2,
            id="a job that was not given what it needs",
        ),
        pytest.param(
            [condition(ConditionType.FAILED, Reason.BACKOFF_LIMIT_EXCEEDED, "Train failed 7 times")],
            "Train failed 7 times",
            1,
            id="a job that could not go on",
        ),
    ],
)
def test_no_conclusion_is_printed_for(conditions: list[Condition], want: str, want_code: int) -> None:
    with pytest.raises(JobHasFailed, match=want) as caught:
        printed(make_job().with_status(LabelingJobStatus(conditions=tuple(conditions))))

    assert caught.value.exit_code == want_code


def test_failure_that_is_over_does_not_count() -> None:
    builder = complete()
    assert builder.status is not None
    over = condition(ConditionType.FAILED, "EmptyDataset", "it was empty", is_true=False)
    status = builder.status.model_copy(update={"conditions": (*builder.status.conditions, over)})

    assert printed(builder.with_status(status))[0].startswith("  done in 5 min")


def test_suspended_job_is_told_with_what_to_change() -> None:
    status = LabelingJobStatus(conditions=(condition(ConditionType.SUSPENDED, Reason.SUSPENDED_BY_USER),))

    with pytest.raises(JobIsSuspended, match=r"spec\.run\.suspend is true, so nothing runs: set it to false") as caught:
        print_conclusion(Console(file=io.StringIO()), make_job().with_status(status).build(), "out")

    assert caught.value.exit_code == 2


def test_rules_that_never_voted_are_told() -> None:
    job = complete().build()
    aggregate = StageResult(request_id="a", results={"silent": "birds, bees"})
    rounds = (RoundStatus(round=0, stages={Stage.AGGREGATE: aggregate}),)

    lines = conclusion(job.with_status(job.status.model_copy(update={"rounds": rounds})))

    assert lines[-1] == "never voted, correct them or take them out: birds, bees"


def test_the_model_of_annotators_that_weighed_most_is_told() -> None:
    job = complete().build()
    aggregate = StageResult(request_id="a", results={"choice": "even: a held-out vote has mean log-likelihood -0.4"})
    rounds = (RoundStatus(round=0, stages={Stage.AGGREGATE: aggregate}),)

    lines = conclusion(job.with_status(job.status.model_copy(update={"rounds": rounds})))

    assert lines[-1] == "model of annotators: even: a held-out vote has mean log-likelihood -0.4"
