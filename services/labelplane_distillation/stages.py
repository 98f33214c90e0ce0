"""Teaching and distilling: who learns from what, who is held out, and what is calibrated on whom."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from labelplane_core.features import InputSpec
from labelplane_distillation.calibration import average_members, fit_temperature
from labelplane_distillation.folds import Folds, assign_folds, draw_validation
from labelplane_distillation.items import MAX_WINDOW_BYTES, MAX_WINDOW_ITEMS, StreamedWindows, most_items
from labelplane_distillation.learning import Examples, Hooks, Inputs, Learner, Problem, Rows, Training, Window
from labelplane_distillation.losses import Floats
from labelplane_distillation.requests import TrainRequest
from labelplane_distillation.selection import TrainingItems

__all__ = ["Course", "ItemSource", "Taught", "distil", "teach"]

MIN_CALIBRATION_ITEMS = 20
"""Held-out items below which a student is calibrated on its teacher instead."""

_TEACHER, _STUDENT, _WINDOWS = 1, 2, 3


class ItemSource(Protocol):
    """Encodes items by their row in the index."""

    async def encode(self, rows: Rows, spec: InputSpec) -> Inputs:
        """Return the encoded items."""
        ...

    def encode_blocking(self, rows: Rows, spec: InputSpec) -> Inputs:
        """Do the same, from another thread than the loop's."""
        ...


@dataclass(frozen=True, slots=True)
class Taught:
    """A trained network with its temperature.

    Attributes:
        training: the ensemble and how long it took.
        temperature: what its logits are divided by.
        out_of_fold_rows: rows of labelled items that some member has not seen; empty for a student.
        out_of_fold: (n, K) their log-probabilities by those members alone.
        labelled: (N, K) log-probabilities of all labelled items by the whole ensemble; empty for a student.
    """

    training: Training
    temperature: float
    out_of_fold_rows: Rows
    out_of_fold: Floats
    labelled: Floats

    def predict(self, inputs: Inputs) -> Floats:
        """Return the (N, K) log-probabilities of the whole ensemble."""
        return average_members(self.training.ensemble.predict(inputs), self.temperature)


@dataclass(frozen=True, slots=True)
class Course:
    """Everything that both trainings share.

    Attributes:
        request: what was asked.
        items: which items are for what.
        item_ids: of the labelled items.
        inputs: labelled items as each network sees them.
        teacher_spec: how items are encoded for the teacher.
        student_spec: how items are encoded for the student.
        folds: of the labelled items, for the teacher.
        source: where other items come from.
    """

    request: TrainRequest
    items: TrainingItems
    item_ids: list[str]
    inputs: Mapping[InputSpec, Inputs]
    teacher_spec: InputSpec
    student_spec: InputSpec
    folds: Folds
    source: ItemSource

    @classmethod
    def plan(
        cls,
        request: TrainRequest,
        items: TrainingItems,
        *,
        item_ids: list[str],
        inputs: Mapping[InputSpec, Inputs],
        specs: tuple[InputSpec, InputSpec],
        source: ItemSource,
        rng: np.random.Generator,
    ) -> "Course":
        """Draw validation items and folds."""
        is_validation = draw_validation(item_ids, request.validation_share, seed=request.seed) & ~items.is_gold
        members = request.teacher.members
        folds = assign_folds(
            items.targets.argmax(axis=1), is_validation, members=members, held_out=_held_out(members), generator=rng
        )
        return cls(request, items, item_ids, inputs, *specs, folds, source)

    @property
    def validation_rows(self) -> Rows:
        """Labelled items that nobody is trained on."""
        return np.flatnonzero(self.folds.fold < 0)

    @property
    def uses_unlabelled(self) -> bool:
        """Whether the student sees items without votes."""
        request = self.request
        return request.uses_unlabelled and request.mixing.share > 0 and len(self.items.unlabelled) > 0

    def measured_items(self) -> tuple[Rows, Rows, bool]:
        """Return index rows and classes to measure on, and whether they are gate gold."""
        return self.items.measured(self.validation_rows, trains_on_gold=self.request.trains_on_gold)

    def seed(self, purpose: int) -> tuple[int, ...]:
        """Return the entropy of one purpose's draws."""
        return (self.request.seed, self.request.round_number, purpose)


def teach(course: Course, learner: Learner, hooks: Hooks) -> Taught:
    """Train the cross-fitted teacher, and calibrate it on what its members say of items that they have not seen."""
    examples = Examples(course.inputs[course.teacher_spec], course.items.targets, course.items.weights)
    problem = Problem(
        examples,
        member_rows=tuple(course.folds.rows_of(member) for member in range(course.folds.members)),
        validation_rows=course.validation_rows,
        seed=course.seed(_TEACHER),
    )
    training = learner.fit(problem, hooks)
    logits = training.ensemble.predict(examples.inputs)
    rows, honest = course.folds.pick_out_of_fold(logits)
    temperature = fit_temperature(honest, examples.targets[rows], examples.weights[rows])
    return Taught(
        training,
        temperature,
        out_of_fold_rows=rows,
        out_of_fold=average_members(honest, temperature),
        labelled=average_members(logits, temperature),
    )


def distil(course: Course, teacher: Taught, learner: Learner, hooks: Hooks) -> Taught:
    """Train the student on posteriors and teacher, and calibrate it on validation items, or else on its teacher."""
    examples = Examples(
        course.inputs[course.student_spec],
        course.items.targets,
        course.items.weights,
        teacher=teacher.labelled,
    )
    windows = _open_windows(course, teacher) if course.uses_unlabelled else None
    problem = Problem(
        examples,
        member_rows=(np.flatnonzero(course.folds.fold >= 0),) * course.request.student.members,
        validation_rows=course.validation_rows,
        mixing=course.request.mixing,
        unlabelled=windows,
        seed=course.seed(_STUDENT),
    )
    training = learner.fit(problem, hooks)
    temperature = _calibrate_student(training, problem)
    nothing = np.zeros((0, len(course.request.classes)))
    return Taught(
        training, temperature, out_of_fold_rows=np.zeros(0, dtype=np.int64), out_of_fold=nothing, labelled=nothing
    )


def _calibrate_student(training: Training, problem: Problem) -> float:
    rows, examples = problem.validation_rows, problem.examples
    if len(rows) >= MIN_CALIBRATION_ITEMS:
        logits = training.ensemble.predict(examples.inputs[rows])
        return fit_temperature(logits, examples.targets[rows], examples.weights[rows])
    if problem.unlabelled is None:
        return 1.0
    # The teacher is calibrated, and neither has seen a label of these items.
    window = problem.unlabelled.window(0)
    logits = training.ensemble.predict(window.inputs)
    return fit_temperature(logits, np.exp(window.teacher), np.ones(len(window.inputs)))


def _open_windows(course: Course, teacher: Taught) -> StreamedWindows:
    student_limit = most_items(course.student_spec, bytes_at_most=MAX_WINDOW_BYTES)
    teacher_limit = most_items(course.teacher_spec, bytes_at_most=MAX_WINDOW_BYTES)
    return StreamedWindows(
        course.items.unlabelled,
        read=partial(_read_window, course, teacher),
        limit=min(MAX_WINDOW_ITEMS, student_limit, teacher_limit),
        seed=course.seed(_WINDOWS),
    )


def _read_window(course: Course, teacher: Taught, rows: Rows) -> Window:
    """Items are read from the store one by one, so what both networks see alike is read and encoded once."""
    encode = course.source.encode_blocking
    inputs = encode(rows, course.student_spec)
    is_same = course.teacher_spec == course.student_spec
    return Window(inputs, teacher.predict(inputs if is_same else encode(rows, course.teacher_spec)))


def _held_out(members: int) -> int:
    """Return how many folds each member misses: two where there are enough, so that two members judge every item."""
    return 2 if members >= 5 else 1
