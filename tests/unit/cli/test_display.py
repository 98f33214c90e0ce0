import io
from datetime import UTC, datetime, timedelta

import pytest
from job_builder import JobBuilder, make_job
from planned_world import START, PlannedWorld
from rich.console import Console

from labelplane_api.conditions import Condition, ConditionStatus, ConditionType, Reason
from labelplane_api.job import LabelingJob
from labelplane_api.status import (
    CostStatus,
    LabelingJobStatus,
    ModelStatus,
    OperationStatus,
    PrepareStatus,
    ProgressStatus,
    RoundStatus,
    Stage,
    StageResult,
)
from labelplane_cli.display import (
    Activity,
    RunView,
    duration,
    finished_rounds,
    live_frame,
    money,
    round_line,
    share,
    view_of,
)

PREPARED = PrepareStatus(result=StageResult(request_id="p"), items=1000, gold_gate=50)


def job() -> JobBuilder:
    return make_job().with_stop(max_rounds=6)


def people() -> JobBuilder:
    return job().with_votes_from_files()


def condition(kind: ConditionType, reason: Reason, message: str = "", *, is_true: bool = True) -> Condition:
    status = ConditionStatus.TRUE if is_true else ConditionStatus.FALSE
    return Condition(type=kind, status=status, reason=reason, message=message, observed_generation=1)


COMPLETE = condition(ConditionType.COMPLETE, Reason.BUDGET_SPENT)
WAITING = condition(ConditionType.WAITING_FOR_ANNOTATIONS, Reason.VOTES_MISSING)


def result(**figures: float) -> StageResult:
    return StageResult(request_id="x", figures=figures)


def shown(builder: JobBuilder, status: LabelingJobStatus) -> RunView:
    return view_of(builder.with_status(status).build(), now=START)


@pytest.mark.parametrize(
    ("seconds", "want"),
    [
        pytest.param(0, "0 s", id="nothing"),
        pytest.param(59.4, "59 s", id="under a minute"),
        pytest.param(59.6, "1 min", id="what rounds to a minute"),
        pytest.param(60, "1 min", id="a minute"),
        pytest.param(150.1, "3 min", id="minutes"),
        pytest.param(3599, "1.0 h", id="what rounds to an hour"),
        pytest.param(3600, "1.0 h", id="an hour"),
        pytest.param(9000, "2.5 h", id="hours"),
    ],
)
def test_time_is_told_as_a_person_says_it(seconds: float, want: str) -> None:
    assert duration(seconds) == want


@pytest.mark.parametrize(
    ("amount", "currency", "want"),
    [
        pytest.param(1234.5, "USD", "$1,234.50", id="a currency with a symbol"),
        pytest.param(3, "EUR", "€3.00", id="another one"),
        pytest.param(3, "CHF", "3.00 CHF", id="one without"),
    ],
)
def test_money_is_told_with_its_currency(amount: float, currency: str, want: str) -> None:
    assert money(amount, currency) == want


def test_share_on_gold_is_told_with_half_of_its_interval() -> None:
    # Wilson at 45 of 50: 0.7864 to 0.9565.
    assert share(0.9, of=50) == "90.0 % (gate gold, ± 8.5)"


def test_share_of_an_unknown_number_has_no_interval() -> None:
    assert share(0.9, of=0) == "90.0 % (held-out labels)"


def test_new_job_is_starting() -> None:
    assert shown(job(), LabelingJobStatus()) == RunView(None, 6, Activity("Starting"))


def test_running_operation_is_told_with_its_progress() -> None:
    operation = OperationStatus(request_id="x", stage=Stage.SCORE, done=400, total=1000, unit="items")

    view = shown(job(), LabelingJobStatus(operation=operation, rounds=(RoundStatus(round=2),)))

    assert (view.round, view.max_rounds) == (2, 6)
    assert view.activity == Activity("Score", 400, 1000, "items")


@pytest.mark.parametrize(
    ("builder", "want"),
    [pytest.param(job(), "the simulated crowd", id="a crowd"), pytest.param(people(), "people", id="people")],
)
def test_who_is_waited_for_is_told_with_the_votes_that_came(builder: JobBuilder, want: str) -> None:
    status = LabelingJobStatus(
        conditions=(WAITING,),
        rounds=(RoundStatus(round=1, stages={Stage.REVIEW: result(votes_wanted=60)}),),
        progress=ProgressStatus(votes_wanted=45),
    )

    assert shown(builder, status).activity == Activity(f"Waiting for {want}", 15, 60, "votes")


def test_complete_job_is_full() -> None:
    assert shown(job(), LabelingJobStatus(conditions=(COMPLETE,))).activity == Activity("Complete", 1, 1)


@pytest.mark.parametrize(
    ("builder", "status", "want"),
    [
        pytest.param(job(), LabelingJobStatus(), (), id="nothing is known"),
        pytest.param(job(), LabelingJobStatus(prepare=PREPARED), ("votes 0",), id="votes without a bound"),
        pytest.param(
            job().with_budget(votes=1500),
            LabelingJobStatus(prepare=PREPARED, progress=ProgressStatus(votes=1200)),
            ("votes 1,200/1,500",),
            id="votes of a budget",
        ),
        pytest.param(
            job(),
            LabelingJobStatus(prepare=PREPARED, progress=ProgressStatus(votes=10), cost=CostStatus(votes=12)),
            ("votes 12",),
            id="votes that were paid and not yet counted",
        ),
        pytest.param(
            job(), LabelingJobStatus(cost=CostStatus(money=1.5, currency="EUR")), ("cost €1.50",), id="a cost"
        ),
        pytest.param(
            job().with_humans(price_per_vote=0.1).with_budget(money=20.0),
            LabelingJobStatus(),
            ("cost $0.00 of $20.00",),
            id="a cost that is bounded",
        ),
    ],
)
def test_facts_are(builder: JobBuilder, status: LabelingJobStatus, want: tuple[str, ...]) -> None:
    assert shown(builder, status).facts == want


def model(*rounds: RoundStatus) -> LabelingJobStatus:
    return LabelingJobStatus(
        model=ModelStatus(promoted="d", round=1, accuracy=0.9),
        rounds=rounds,
        prepare=PREPARED.model_copy(update={"gold_gate": 0}),
    )


def test_model_is_told_with_the_gold_that_its_own_round_measured_it_on() -> None:
    status = model(
        RoundStatus(round=1, stages={Stage.TRAIN: result(gate_items=50)}),
        RoundStatus(round=2, stages={Stage.TRAIN: result(gate_items=10)}),
    )

    assert shown(job(), status).facts == ("votes 0", "model right 90.0 % (gate gold, ± 8.5)")


def test_model_whose_round_is_not_kept_any_more_is_told_with_the_gold_of_the_data_set() -> None:
    status = model(RoundStatus(round=9)).model_copy(update={"prepare": PREPARED})

    assert shown(job(), status).facts == ("votes 0", "model right 90.0 % (gate gold, ± 8.5)")


def trained_round(number: int, *, is_finished: bool) -> RoundStatus:
    began = START + timedelta(seconds=60 * number)
    return RoundStatus(
        round=number,
        stages={Stage.TRAIN: result(), Stage.SELECT: result(selected=20)},
        started_at=began,
        finished_at=began + timedelta(seconds=60) if is_finished else None,
    )


@pytest.mark.parametrize(
    ("builder", "want"),
    [
        pytest.param(job().with_stop(max_rounds=3), ("about 3 min left",), id="a crowd answers"),
        pytest.param(people().with_stop(max_rounds=3), (), id="nobody knows how long people take"),
    ],
)
def test_time_that_is_left_is_told_when(builder: JobBuilder, want: tuple[str, ...]) -> None:
    status = LabelingJobStatus(
        rounds=(trained_round(0, is_finished=True), trained_round(1, is_finished=False)),
        progress=ProgressStatus(items=1000),
    )

    view = view_of(builder.with_status(status).build(), now=START + timedelta(seconds=60))

    assert view.facts == want


def test_finished_job_has_no_time_left() -> None:
    status = LabelingJobStatus(
        rounds=(trained_round(0, is_finished=True),), finished_at=datetime(2026, 1, 2, tzinfo=UTC)
    )

    assert shown(job(), status).facts == ()


@pytest.mark.parametrize(
    ("reason", "want"),
    [
        pytest.param(Reason.STAGE_RETRYING, "try 2 of 6", id="a stage is tried again"),
        pytest.param(Reason.DEPENDENCY_UNAVAILABLE, "try 2 of 6", id="a part is away"),
        pytest.param(Reason.STAGE_RUNNING, "", id="all is well"),
    ],
)
def test_note_tells_when(reason: Reason, want: str) -> None:
    status = LabelingJobStatus(conditions=(condition(ConditionType.PROGRESSING, reason, "try 2 of 6"),))

    assert shown(job(), status).note == want


def test_note_of_unknown_origin_is_one_line_and_steers_no_terminal() -> None:
    message = "cannot read \x1b[2Jimage\n  second line"
    status = LabelingJobStatus(conditions=(condition(ConditionType.PROGRESSING, Reason.STAGE_RETRYING, message),))

    assert shown(job(), status).note == r"cannot read \x1b[2Jimage second line"


def frame_text(view: RunView) -> str:
    console = Console(file=io.StringIO(), width=200, highlight=False, markup=False)
    with console.capture() as captured:
        console.print(live_frame(view, seconds=1.5))
    return captured.get()


def test_frame_shows_round_activity_facts_and_note_on_three_lines() -> None:
    view = RunView(2, 6, Activity("Score", 400, 1000, "items"), facts=("votes 12", "cost $1.00"), note="try 2 of 6")

    first, second, third = frame_text(view).splitlines()

    assert first.split() == ["round", "2/6", "Score", first.split()[3], "400/1,000", "items"]
    assert second == "  votes 12   cost $1.00"
    assert third == "  try 2 of 6"


def test_frame_of_what_has_no_known_end_shows_no_count() -> None:
    (line,) = frame_text(RunView(None, 6, Activity("Starting the services"))).splitlines()

    assert line.startswith("  starting")
    assert "0/" not in line


def test_round_is_over_when_it_has_ended_and_the_last_one_with_the_job() -> None:
    world = PlannedWorld(job().with_budget(votes=120).build())
    numbers: list[list[int]] = []
    while not numbers or world.plan is None or world.plan.requeue_after_seconds is not None:
        world.step()
        numbers.append([each.round for each in finished_rounds(world.job)])

    assert [numbers[at] for at in range(len(numbers)) if at == 0 or numbers[at] != numbers[at - 1]] == [
        [],
        [0],
        [0, 1],
        [0, 1, 2],
    ]


def line(finished: RoundStatus, *, status: LabelingJobStatus | None = None) -> str:
    built: LabelingJob = job().with_status(status or LabelingJobStatus(prepare=PREPARED)).build()
    return round_line(built, finished)


@pytest.mark.parametrize(
    ("finished", "want"),
    [
        pytest.param(
            RoundStatus(
                round=0,
                skipped={Stage.TRAIN: "NotEnoughLabels"},
                stages={Stage.SELECT: result(selected=40)},
            ),
            "  round  0        0 votes        0 labelled   no model yet: a class has too few labels"
            "   asks about 40 items",
            id="that had no model",
        ),
        pytest.param(
            RoundStatus(
                round=12,
                votes=1234,
                labelled=410,
                accuracy=0.9,
                stages={Stage.TRAIN: result(gate_items=50), Stage.SELECT: result(selected=1040)},
            ),
            "  round 12    1,234 votes      410 labelled   model right 90.0 % (gate gold, ± 8.5)"
            "   asks about 1,040 items",
            id="that trained one",
        ),
        pytest.param(
            RoundStatus(round=3, votes=60, labelled=20, accuracy=0.9),
            "  round  3       60 votes       20 labelled   model right 90.0 % (gate gold, ± 8.5)",
            id="that asked about nothing",
        ),
        pytest.param(
            RoundStatus(round=3, votes=60, labelled=20, stages={Stage.TRAIN: result()}),
            "  round  3       60 votes       20 labelled",
            id="without gold",
        ),
    ],
)
def test_line_is_kept_of_a_round(finished: RoundStatus, want: str) -> None:
    assert line(finished) == want
