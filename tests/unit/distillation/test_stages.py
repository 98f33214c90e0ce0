"""Teaching and distilling with linear heads: who asks what of whom, and how often."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from labelplane_core.features import InputKind, InputSpec
from labelplane_core.tasks import task_kind
from labelplane_distillation.learning import Hooks, Inputs, Mixing, NetworkSettings, Rows
from labelplane_distillation.linear import LinearLearner
from labelplane_distillation.requests import TrainRequest
from labelplane_distillation.selection import TrainingItems
from labelplane_distillation.stages import Course, Taught, distil, teach

PIXELS = InputSpec(InputKind.PIXELS, height=2, width=2, channels=1)
LARGER = InputSpec(InputKind.PIXELS, height=2, width=4, channels=1)
LINEAR = NetworkSettings("Linear", epochs=40, weight_decay=1e-2)
N_ITEMS, N_LABELLED = 60, 40


@dataclass
class Source:
    """Items whose class is the sign of their first pixel; counts what is encoded while a window is read."""

    encoded: list[int] = field(default_factory=list)

    async def encode(self, rows: Rows, spec: InputSpec) -> Inputs:
        return self.encode_blocking(rows, spec)

    def encode_blocking(self, rows: Rows, spec: InputSpec) -> Inputs:
        self.encoded.append(len(rows))
        return np.random.default_rng(0).normal(size=(N_ITEMS, *spec.shape)).astype(np.float32)[rows]


def make_course(source: Source, *, teacher: InputSpec, student: InputSpec) -> Course:
    request = TrainRequest(
        round_number=1,
        attempt=1,
        kind=task_kind("ImageClassification"),
        classes=("below", "above"),
        index_ref="index",
        posteriors_ref="posteriors",
        standing_model_ref="",
        teacher=NetworkSettings("Linear", members=4, epochs=40, weight_decay=1e-2),
        student=LINEAR,
        mixing=Mixing(2.0, 0.5),
        uses_unlabelled=True,
        validation_share=0.1,
        seed=5,
        is_deterministic=True,
        trains_on_gold=False,
    )
    rows, nothing = np.arange(N_LABELLED), np.zeros(0, dtype=np.int64)
    inputs = {spec: Source().encode_blocking(rows, spec) for spec in dict.fromkeys((teacher, student))}
    is_above = inputs[student].reshape(N_LABELLED, -1)[:, 0] > 0
    items = TrainingItems(
        labelled=rows,
        targets=np.eye(2)[is_above.astype(np.int64)] * 0.8 + 0.1,
        weights=np.ones(N_LABELLED),
        is_gold=np.zeros(N_LABELLED, dtype=bool),
        gate=nothing,
        gate_classes=nothing,
        unlabelled=np.arange(N_LABELLED, N_ITEMS),
        n_items=N_ITEMS,
    )
    ids = [f"item-{row}" for row in rows]
    rng = np.random.default_rng(2)
    return Course.plan(request, items, item_ids=ids, inputs=inputs, specs=(teacher, student), source=source, rng=rng)


def teach_linear(course: Course) -> Taught:
    return teach(course, LinearLearner(course.request.teacher), Hooks())


@pytest.mark.parametrize(
    ("teacher", "want_encoded"),
    [
        pytest.param(PIXELS, [N_ITEMS - N_LABELLED], id="once when both see the same"),
        pytest.param(LARGER, [N_ITEMS - N_LABELLED] * 2, id="once for each when they do not"),
    ],
)
def test_items_without_votes_are_encoded_no_more_often_than_they_must_be(
    teacher: InputSpec, want_encoded: list[int]
) -> None:
    source = Source()
    course = make_course(source, teacher=teacher, student=PIXELS)
    distil(course, teach_linear(course), LinearLearner(LINEAR), Hooks())
    assert source.encoded == want_encoded


def test_a_teacher_remembers_what_it_says_of_the_labelled_items() -> None:
    course = make_course(Source(), teacher=PIXELS, student=PIXELS)
    taught = teach_linear(course)
    np.testing.assert_array_equal(taught.labelled, taught.predict(course.inputs[PIXELS]))
    assert len(taught.out_of_fold_rows) == N_LABELLED
