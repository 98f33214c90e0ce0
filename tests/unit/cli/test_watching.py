import io

import pytest
from fake_clock import FakeClock
from job_builder import JobBuilder, make_job
from planned_world import PlannedWorld
from rich.console import Console

from labelplane_api.status import LabelingJobStatus, Stage
from labelplane_cli.watching import RunWatcher


class Screen:
    """A console of one's own, on a file or on a terminal, and what was written on it."""

    def __init__(self, *, is_terminal: bool = False) -> None:
        self._sink = io.StringIO()
        self.console = Console(
            file=self._sink,
            force_terminal=is_terminal,
            width=160,
            highlight=False,
            markup=False,
            color_system=None,
            _environ={"TERM": "xterm"},
        )

    @property
    def text(self) -> str:
        return self._sink.getvalue()

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


def job() -> JobBuilder:
    return (
        make_job()
        .with_humans(votes_per_item=3)
        .with_sampling(min_per_class=3, initial_batch_size=20, batch_size=20)
        .with_budget(votes=120)
    )


def play(world: PlannedWorld, screen: Screen, *, quiet: bool = False, most_steps: int = 1000) -> None:
    """Watch a world until nothing is to be done any more, or for some steps."""
    with RunWatcher(screen.console, FakeClock(), quiet=quiet) as watcher:
        for _ in range(most_steps):
            plan = world.step()
            watcher(world.job, plan)
            if plan.requeue_after_seconds is None:
                return


def test_file_gets_one_line_for_the_data_set_and_one_for_each_round() -> None:
    screen = Screen()

    play(PlannedWorld(job().build()), screen)

    assert [line.split("   ")[0].strip() for line in screen.lines[1:]] == ["round  0", "round  1", "round  2"]
    assert screen.lines[0].endswith("10 classes")
    assert len(screen.lines) == 4


def test_fields_that_only_a_cluster_reads_are_named_as_not_read() -> None:
    screen = Screen()
    for_a_cluster = (
        job()
        .having("spec.scheduling", {"queueName": "team-a"})
        .having("spec.podOverrides", {"small": {"labels": {"team": "a"}}})
        .with_output(deletion_policy="Delete")
    )

    play(PlannedWorld(for_a_cluster.build()), screen)

    told = [line for line in screen.lines if "not read" in line]
    fields = "spec.scheduling.queueName, spec.podOverrides.small, spec.output.deletionPolicy"
    assert told == [f"  not read here, as this is no cluster: {fields}"]


def test_quiet_run_prints_nothing() -> None:
    screen = Screen()

    play(PlannedWorld(job().build()), screen, quiet=True)

    assert screen.text == ""


def test_quiet_run_prints_nothing_on_a_terminal() -> None:
    screen = Screen(is_terminal=True)

    play(PlannedWorld(job().build()), screen, quiet=True)

    assert screen.text == ""


def test_run_that_goes_on_says_where_and_repeats_no_round() -> None:
    world = PlannedWorld(job().build())
    while not any(each.round == 1 and Stage.TRAIN in each.stages for each in world.job.status.rounds):
        world.step()
    screen = Screen()

    play(world, screen)

    assert screen.lines[0] == "  goes on in round 1"
    assert [line.split("   ")[0].strip() for line in screen.lines[1:]] == ["round  1", "round  2"]


def test_finished_run_that_is_run_again_shows_nothing() -> None:
    world = PlannedWorld(job().build())
    world.play()
    screen = Screen()

    play(world, screen, most_steps=3)

    assert screen.text == ""


@pytest.mark.parametrize(
    ("builder", "want"),
    [
        pytest.param(job().with_votes_from_files(), ["  waiting for 60 votes of people"], id="of people, once"),
        pytest.param(job(), [], id="never of a crowd, which answers by itself"),
    ],
)
def test_file_says_that_votes_are_waited_for(builder: JobBuilder, want: list[str]) -> None:
    world = PlannedWorld(builder.build(), people_answer=False)
    world.figures[Stage.REVIEW] = lambda _: {"votes_wanted": 60}
    screen = Screen()

    play(world, screen, most_steps=30)

    assert [line for line in screen.lines if "waiting" in line] == want


def test_file_says_that_a_round_goes_on_without_late_votes() -> None:
    screen, world = Screen(), PlannedWorld(job().with_review(deadline_seconds=60).build(), people_answer=False)

    with RunWatcher(screen.console, FakeClock()) as watcher:
        for _ in range(14):
            plan = world.step()
            watcher(world.job, plan)
            world.wait(120 if world.job.status.stage == "Waiting" else 0)

    late = [line for line in screen.lines if "votes are missing" in line]
    assert late[0] == "  60 votes are missing after 60 s: the next round goes on with the votes there are"
    assert len(late) == len(set(late))


def test_suspended_run_does_not_say_that_it_goes_on() -> None:
    world = PlannedWorld(job().build())
    world.reach(Stage.TRAIN, 1)
    world.change(job().suspended())
    screen = Screen()

    play(world, screen)

    assert screen.text == ""


def test_terminal_shows_moving_lines_at_once_and_takes_them_away_at_the_end() -> None:
    screen = Screen(is_terminal=True)

    with RunWatcher(screen.console, FakeClock()):
        at_once = screen.text
    assert "Starting the services" in at_once
    # The last thing that happens is that the line is erased.
    assert screen.text.rindex("\x1b[2K") > screen.text.rindex("Starting the services")


def test_terminal_keeps_the_lines_of_finished_rounds() -> None:
    screen = Screen(is_terminal=True)

    play(PlannedWorld(job().build()), screen)

    assert [number for number in range(4) if f"round  {number} " in screen.text] == [0, 1, 2]


def test_terminal_is_given_back_when_the_run_fails() -> None:
    screen = Screen(is_terminal=True)

    with pytest.raises(ZeroDivisionError), RunWatcher(screen.console, FakeClock()):
        raise ZeroDivisionError

    assert screen.text.rindex("\x1b[?25h") > screen.text.rindex("\x1b[?25l")


def test_words_of_unknown_origin_steer_no_terminal() -> None:
    screen = Screen()
    world = PlannedWorld(job().build())
    plan = world.step()
    while not (ready := [each for each in world.job.status.conditions if each.type == "DatasetReady"]) or (
        ready[0].status != "True"
    ):
        plan = world.step()
    spoiled = tuple(
        each.model_copy(update={"message": "items of \x1b[2Jevil"}) if each.type == "DatasetReady" else each
        for each in world.job.status.conditions
    )
    status: LabelingJobStatus = world.job.status.model_copy(update={"conditions": spoiled, "prepare": None})

    with RunWatcher(screen.console, FakeClock()) as watcher:
        watcher(world.job.with_status(status), plan)

    assert screen.lines == [r"  items of \x1b[2Jevil   10 classes"]


def test_people_at_label_studio_are_told_once_where_to_go_and_of_each_problem() -> None:
    screen = Screen()
    world = PlannedWorld(job().with_label_studio().build(), people_answer=False)
    world.connector_address = "https://ls.example/projects/3"
    play(world, screen, most_steps=40)
    world.connector_problem = "Label Studio does not answer"
    play(world, screen, most_steps=5)

    told = [line for line in screen.lines if "vote at" in line]
    assert told == [
        "  vote at https://ls.example/projects/3",
        "  vote at https://ls.example/projects/3; Label Studio does not answer",
    ]
