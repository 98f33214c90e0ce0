import pytest
from job_builder import JobBuilder, make_job
from planned_world import PlannedWorld

from labelplane_api.conditions import ConditionType, is_true
from labelplane_api.errors import SpecInvalidError
from labelplane_api.job import LabelingJob
from labelplane_cli.embedded.play import continued
from labelplane_cli.embedded.run_folder import RunFolder, RunState
from labelplane_operator.observed import OperationError


def rich_job() -> JobBuilder:
    """Begin with a job of many kinds of fields: what is written and read back must equal it."""
    return (
        make_job()
        .with_sampling(strategy="Margin", batch_size=20, initial_batch_size=20)
        .with_crowd({"name": "right", "count": 2, "accuracy": 0.85}, {"name": "random", "random": True}, seed=4)
        .with_humans(price_per_vote=0.05)
        .with_budget(votes=90, money=4.5, currency="EUR")
        .with_stop(max_rounds=6)
        .with_run(seed=11)
    )


def kept(job: LabelingJob, folder: RunFolder) -> RunState:
    """Return what the folder of a run keeps of its job."""
    folder.write_state(job)
    state = folder.read_state()
    assert state is not None
    return state


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    return RunFolder(tmp_path_factory.mktemp("run"))


def begun(folder: RunFolder, builder: JobBuilder) -> RunState:
    """Return what is kept of a job after some steps."""
    world = PlannedWorld(continued(builder.build(), None))
    for _ in range(8):
        world.step()
    return kept(world.job, folder)


def failed(folder: RunFolder, builder: JobBuilder) -> RunState:
    """Return what is kept of a job that has failed."""
    world = PlannedWorld(continued(builder.build(), None))
    error = OperationError(reason="BadItem", message="cannot be read", is_retryable=False)
    world.errors = {"digits/0/vote/1": error}
    world.play()
    assert is_true(world.job.status.conditions, ConditionType.FAILED)
    return kept(world.job, folder)


def test_new_job_gets_an_identity_of_its_own() -> None:
    first, second = (continued(rich_job().build(), None) for _ in range(2))

    assert first.metadata.uid
    assert first.metadata.uid != second.metadata.uid
    assert first.metadata.generation == 1
    assert first.spec == rich_job().build().spec


def test_same_job_goes_on_as_the_same_object_where_it_stood(folder: RunFolder) -> None:
    state = begun(folder, rich_job())

    job = continued(rich_job().build(), state)

    assert job.status == state.status.model_copy(update={"active_since": None})
    assert job.status.prepare is not None
    assert (job.metadata.uid, job.metadata.generation) == (state.uid, 1)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(rich_job().with_budget(votes=200), id="more votes are paid"),
        pytest.param(rich_job().with_stop(max_rounds=9), id="more rounds are allowed"),
        pytest.param(rich_job().with_budget(money=None), id="a bound is taken away"),
    ],
)
def test_generation_rises_when(folder: RunFolder, change: JobBuilder) -> None:
    state = begun(folder, rich_job())

    job = continued(change.build(), state)

    assert job.metadata.generation == 2
    assert job.spec == change.build().spec
    assert job.status == state.status.model_copy(update={"active_since": None})


def test_running_a_failed_job_again_is_asking_again(folder: RunFolder) -> None:
    state = failed(folder, rich_job())

    job = continued(rich_job().build(), state)

    assert job.metadata.generation == 2


def test_changing_a_failed_job_raises_its_generation_once(folder: RunFolder) -> None:
    state = failed(folder, rich_job())

    assert continued(rich_job().with_budget(votes=200).build(), state).metadata.generation == 2


@pytest.mark.parametrize(
    ("change", "want"),
    [
        pytest.param(rich_job().with_classes("0", "1"), r"spec\.task\.classes", id="a class is taken away"),
        pytest.param(rich_job().of_texts(), r"spec\.task\.type", id="the kind of the task"),
    ],
)
def test_change_that_a_begun_job_does_not_allow_is_refused_by_its_field(
    folder: RunFolder, change: JobBuilder, want: str
) -> None:
    state = begun(folder, rich_job())

    with pytest.raises(SpecInvalidError, match=want):
        continued(change.build(), state)


def test_time_between_two_runs_is_no_time_that_the_job_has_worked(folder: RunFolder) -> None:
    state = begun(folder, rich_job())
    assert state.status.active_since is not None

    job = continued(rich_job().build(), state)

    assert job.status.active_since is None
    assert job.status.active_seconds == state.status.active_seconds
