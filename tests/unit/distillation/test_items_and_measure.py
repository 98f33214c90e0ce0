import numpy as np
import pytest

from labelplane_core.features import InputKind, InputSpec
from labelplane_distillation.items import StreamedWindows, most_items
from labelplane_distillation.learning import Rows, Window
from labelplane_distillation.measure import accuracy, compare


def make_windows(n_rows: int, *, limit: int, asked: list[int]) -> StreamedWindows:
    def read(rows: Rows) -> Window:
        asked.append(len(rows))
        return Window(rows * 10, rows[:, None].astype(np.float64))

    return StreamedWindows(np.arange(n_rows), read=read, limit=limit, seed=(1, 2))


def test_items_that_fit_into_one_window_are_read_once_and_seen_in_every_epoch() -> None:
    asked: list[int] = []
    windows = make_windows(30, limit=30, asked=asked)
    first, later = windows.window(0), windows.window(9)
    assert first is later
    assert first.inputs.tolist() == list(range(0, 300, 10))
    assert asked == [30]


def test_more_items_than_a_window_holds_are_drawn_anew_in_every_epoch_and_never_more_at_a_time() -> None:
    asked: list[int] = []
    windows = make_windows(1000, limit=50, asked=asked)
    epochs = [windows.window(epoch).inputs for epoch in range(40)]
    assert set(asked) == {50}
    assert len(np.unique(np.concatenate(epochs))) > 800
    np.testing.assert_array_equal(make_windows(1000, limit=50, asked=[]).window(7).inputs, epochs[7])
    window = windows.window(3)
    np.testing.assert_array_equal(window.teacher[:, 0] * 10, window.inputs)


@pytest.mark.parametrize(
    ("spec", "want"),
    [
        pytest.param(InputSpec(InputKind.IMAGE, height=8, width=8, channels=1), 4, id="256 bytes an image"),
        pytest.param(InputSpec(InputKind.NGRAM_IDS, length=16), 8, id="128 bytes a text"),
        pytest.param(InputSpec(InputKind.IMAGE, height=512, width=512), 1, id="one, however large"),
    ],
)
def test_a_bound_in_bytes_is_a_bound_in_items(spec: InputSpec, want: int) -> None:
    assert most_items(spec, bytes_at_most=1024) == want


def test_two_models_are_compared_item_by_item() -> None:
    classes = np.array([0, 0, 1, 1, 1])
    student = np.eye(2)[[0, 0, 1, 0, 0]]
    standing = np.eye(2)[[0, 1, 0, 1, 0]]
    found = compare(student, standing, classes)
    assert (found.student_accuracy, found.standing_accuracy) == (0.6, 0.4)
    assert (found.only_student_right, found.only_standing_right) == (2, 1)
    assert accuracy(np.zeros((0, 2)), np.zeros(0, dtype=np.int64)) == 0.0
