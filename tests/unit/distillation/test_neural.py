"""Networks, training, checkpoints: all that needs torch."""

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from small_problems import IMAGE, NGRAMS, draw_items, make_problem

from labelplane_core.features import InputKind, InputSpec
from labelplane_distillation.calibration import average_members
from labelplane_distillation.errors import TrainingDiverged
from labelplane_distillation.learning import Hooks, Mixing, NetworkSettings, Problem, Training, Window

torch = pytest.importorskip("torch", reason="needs the extra `local`")

from labelplane_distillation.neural.augment import (  # noqa: E402 - after the check that torch is there
    Augmentation,
    move_images,
    view_grids,
)
from labelplane_distillation.neural.learner import small_learner  # noqa: E402
from labelplane_distillation.neural.networks import HashedNgrams, Mlp, Sizes, SmallCnn  # noqa: E402
from labelplane_distillation.neural.trainer import MIN_STEPS, draw_order  # noqa: E402

pytestmark = pytest.mark.torch

SETTINGS = NetworkSettings("SmallCnn", members=2, hidden_size=16, epochs=8, learning_rate=5e-3, batch_size=16)


class Kept:
    """A checkpoint store in memory that remembers every state, and may end the process after some."""

    def __init__(self, states: list[bytes] | None = None, *, die_after: int | None = None) -> None:
        self.states = states or []
        self._die_after = die_after

    def load(self) -> bytes | None:
        return self.states[-1] if self.states else None

    def save(self, state: bytes) -> None:
        self.states.append(state)
        if len(self.states) == self._die_after:
            raise SystemExit


def fit(
    problem: Problem, settings: NetworkSettings = SETTINGS, hooks: Hooks | None = None, spec: InputSpec = IMAGE
) -> Training:
    learner = small_learner(settings, spec=spec, is_deterministic=True, threads=1)
    return learner.fit(problem, hooks or Hooks())


def weights_of(training: Training) -> dict[str, npt.NDArray[Any]]:
    return training.ensemble.tensors()


def assert_equal_bits(left: Training, right: Training) -> None:
    for name, value in weights_of(left).items():
        assert value.tobytes() == weights_of(right)[name].tobytes(), name


@pytest.mark.parametrize(
    ("encoder", "spec"),
    [
        pytest.param("SmallCnn", IMAGE, id="small CNN"),
        pytest.param("Mlp", IMAGE, id="pixels and MLP"),
        pytest.param("HashedNgrams", NGRAMS, id="hashed n-grams"),
    ],
)
def test_every_small_encoder_learns_and_its_graph_computes_what_it_does(encoder: str, spec: InputSpec) -> None:
    settings = replace(SETTINGS, encoder=encoder, epochs=25, augment=encoder == "SmallCnn")
    training = fit(make_problem(spec, count=120).build(), settings, spec=spec)
    items, classes = draw_items(spec, 200, seed=99)
    want = training.ensemble.outputs(items, 1.7)
    assert (want.logits.argmax(axis=1) == classes).mean() > 0.9

    session = onnxruntime.InferenceSession(training.ensemble.to_onnx(1.7))
    for count in (200, 1):  # any batch size
        logits, embedding, samples = session.run(None, {"input": items[:count]})
        np.testing.assert_allclose(logits, want.logits[:count], atol=1e-4)
        np.testing.assert_allclose(embedding, want.embedding[:count], atol=1e-4)
        np.testing.assert_allclose(samples, want.samples[:count], atol=1e-4)  # type: ignore[index]
    np.testing.assert_allclose(np.exp(want.logits).sum(axis=1), 1.0, atol=1e-6)


@pytest.mark.parametrize(
    ("channels", "height", "width"),
    [(1, 8, 8), (3, 28, 28), (1, 4, 4), (3, 32, 20), (1, 64, 48), (1, 2, 2), (3, 1, 9), (1, 3, 3), (1, 5, 2)],
)
def test_a_small_cnn_takes_images_of_any_size(channels: int, height: int, width: int) -> None:
    sizes = Sizes(members=2, n_classes=3, hidden=8, dropout=0.0)
    network = SmallCnn(sizes, (channels, height, width), generator=torch.Generator().manual_seed(0))
    logits, embedding = network(torch.rand(5, channels, height, width))
    assert logits.shape == (2, 5, 3)
    assert embedding.shape == (2, 5, network.head.weight.shape[1])


@pytest.mark.parametrize("kind", ["cnn", "mlp", "ngrams"])
def test_items_shared_by_all_members_and_items_of_their_own_give_the_same(kind: str) -> None:
    sizes, generator = Sizes(members=3, n_classes=4, hidden=8, dropout=0.5), torch.Generator().manual_seed(1)
    if kind == "ngrams":
        network, items = (
            HashedNgrams(sizes, 64, generator=generator),
            torch.from_numpy(draw_items(NGRAMS, 6, seed=0)[0]),
        )
    else:
        make = SmallCnn if kind == "cnn" else Mlp
        network, items = make(sizes, (2, 8, 8), generator=generator), torch.rand(6, 2, 8, 8)
    shared, _ = network(items)
    own, _ = network(items.expand(3, *items.shape))
    torch.testing.assert_close(shared, own)
    assert not torch.allclose(shared[0], shared[1])


def test_members_train_together_as_they_would_alone() -> None:
    # A member's gradient must not depend on the others: the pair's first member is the same with another second one.
    problem = make_problem().members(2).build()
    swapped = replace(problem, member_rows=(problem.member_rows[0], problem.member_rows[0][::-1].copy()))
    first, second = fit(problem, replace(SETTINGS, dropout=0.0)), fit(swapped, replace(SETTINGS, dropout=0.0))
    items, _ = draw_items(IMAGE, 20, seed=3)
    left, right = first.ensemble.predict(items), second.ensemble.predict(items)
    np.testing.assert_allclose(left[0], right[0], atol=1e-5)
    assert np.abs(left[1] - right[1]).max() > 1e-3


@pytest.mark.parametrize("patience", [0, 3], ids=["to the end", "with early stop"])
@pytest.mark.parametrize("died_after", [1, 3])
def test_training_that_dies_and_is_resumed_ends_with_the_bits_of_one_that_did_not(
    died_after: int, patience: int
) -> None:
    settings = replace(SETTINGS, augment=True, patience=patience)
    problem = make_problem(count=80).validated(24).build()
    whole = fit(problem, settings)
    kept = Kept(die_after=died_after)
    with pytest.raises(SystemExit):
        fit(problem, settings, Hooks(checkpoints=kept, checkpoint_epochs=2))
    resumed_epochs: list[int] = []
    resumed = fit(
        problem,
        settings,
        Hooks(checkpoints=Kept(kept.states), checkpoint_epochs=2, after_epoch=resumed_epochs.append),
    )
    assert resumed_epochs[0] == 2 * died_after + 1
    assert resumed.epochs == whole.epochs
    assert_equal_bits(whole, resumed)


def test_a_finished_training_is_only_loaded_when_it_is_started_again() -> None:
    problem, kept = make_problem(count=80).validated(24).build(), Kept()
    settings = replace(SETTINGS, patience=4)
    whole = fit(problem, settings, Hooks(checkpoints=kept))
    epochs: list[int] = []
    assert_equal_bits(
        whole, fit(problem, settings, Hooks(checkpoints=Kept(kept.states[-1:]), after_epoch=epochs.append))
    )
    assert epochs == []


@pytest.mark.parametrize("damage", ["cut off", "of another training", "no checkpoint at all"])
def test_a_useless_checkpoint_costs_time_and_never_the_result(damage: str, caplog: pytest.LogCaptureFixture) -> None:
    problem, kept = make_problem().build(), Kept()
    fit(problem if damage == "cut off" else make_problem(count=40).build(), SETTINGS, Hooks(checkpoints=kept))
    state = {"cut off": kept.states[-1][:-100], "of another training": kept.states[-1]}.get(damage, b"hello")
    with caplog.at_level(logging.WARNING):
        assert_equal_bits(fit(problem), fit(problem, SETTINGS, Hooks(checkpoints=Kept([state]))))
    assert "training starts anew" in caplog.text


def test_early_stop_keeps_each_members_best_epoch() -> None:
    problem = make_problem(count=50).validated(20).build()
    # Labels that cannot be learned: validation only gets worse once the noise is memorised.
    noise = np.eye(3)[np.random.default_rng(0).integers(0, 3, 50)]
    problem = replace(problem, examples=replace(problem.examples, targets=noise))
    settings = replace(SETTINGS, epochs=60, patience=4, dropout=0.0, learning_rate=1e-2)
    stopped, full = fit(problem, settings), fit(problem, replace(settings, patience=0))
    assert stopped.epochs < 30
    assert full.epochs == 60

    def validation_loss(training: Training) -> float:
        rows = problem.validation_rows
        log_p = average_members(training.ensemble.predict(problem.examples.inputs[rows]))
        return float(-(noise[rows] * log_p).sum(axis=1).mean())

    assert validation_loss(stopped) < validation_loss(full)


def test_a_handful_of_validation_items_never_ends_training() -> None:
    problem = make_problem(count=40).validated(5).build()
    noise = np.eye(3)[np.random.default_rng(0).integers(0, 3, 40)]
    problem = replace(problem, examples=replace(problem.examples, targets=noise))
    assert fit(problem, replace(SETTINGS, epochs=12, patience=1)).epochs == 12


def test_a_student_learns_from_items_without_votes_what_only_its_teacher_knows() -> None:
    inputs, classes = draw_items(IMAGE, 300, seed=8)
    log_p = np.log(np.eye(3)[classes] * 0.97 + 0.01)

    class Pool:
        def window(self, epoch: int) -> Window:
            return Window(inputs, log_p)

    builder = make_problem(count=30)
    builder.teacher, builder.mixing, builder.unlabelled = np.full((30, 3), np.log(1 / 3)), Mixing(2.0, 0.9), Pool()
    problem = builder.build()
    problem = replace(problem, examples=replace(problem.examples, targets=np.full((30, 3), 1 / 3)))
    items, want = draw_items(IMAGE, 200, seed=99)
    taught = fit(problem, replace(SETTINGS, epochs=20)).ensemble.outputs(items, 1.0)
    assert (taught.logits.argmax(axis=1) == want).mean() > 0.9


def test_a_learning_rate_that_is_far_too_high_is_told_and_not_exported() -> None:
    with pytest.raises(TrainingDiverged, match=r"use a learning rate below 1e\+38"):
        fit(make_problem().build(), replace(SETTINGS, learning_rate=1e38))


def test_torch_is_left_as_it_was_found() -> None:
    before = (torch.get_num_threads(), torch.get_deterministic_debug_mode(), torch.random.get_rng_state())
    fit(make_problem().build(), replace(SETTINGS, epochs=1))
    assert torch.get_num_threads() == before[0]
    assert torch.get_deterministic_debug_mode() == before[1]
    assert torch.equal(torch.random.get_rng_state(), before[2])


def test_every_item_is_passed_in_an_epoch_and_labelled_ones_are_never_drowned() -> None:
    member_rows = (np.arange(20), np.arange(5, 20))
    order = draw_order(member_rows, n_labelled=20, n_window=1000, batch_size=50, generator=np.random.default_rng(0))
    assert order.shape[1:] == (2, 50)
    for member, rows in enumerate(member_rows):
        drawn = order[:, member].ravel()
        assert set(drawn) == set(rows) | set(range(20, 1020))
        assert (drawn < 20).mean() >= 0.24
    few = draw_order((np.arange(3),), n_labelled=3, n_window=0, batch_size=8, generator=np.random.default_rng(0))
    assert few.shape == (MIN_STEPS, 1, 8)
    np.testing.assert_array_equal(np.bincount(few.ravel()), [16, 16, 16])


def test_moved_images_stay_near_where_they_were_and_some_do_not_move_at_all() -> None:
    images = torch.zeros(400, 1, 16, 16)
    images[:, :, 7:9, 7:9] = 1.0
    moved = move_images(images, Augmentation(), np.random.default_rng(0))
    mass = moved.sum((1, 2, 3))
    centre = (moved.sum((1, 2)) * torch.arange(16.0)).sum(1) / mass
    assert float((centre - 7.5).abs().max()) <= 0.25 * 8 + 1.0
    assert 40 < int((moved == images).all(dim=3).all(dim=2).all(dim=1).sum()) < 130
    still = Augmentation(shift=0.0, turn_degrees=0.0, zoom=0.0, shear=0.0)
    torch.testing.assert_close(move_images(images, still, np.random.default_rng(0)), images, atol=1e-5, rtol=0)
    torch.testing.assert_close(view_grids(still, height=4, width=6)[0], view_grids(still, height=4, width=6)[-1])


def test_a_texts_vector_does_not_depend_on_how_far_it_is_padded() -> None:
    spec = InputSpec(InputKind.NGRAM_IDS, dims=64, length=12)
    network = HashedNgrams(Sizes(2, 3, 8, 0.0), spec.dims, generator=torch.Generator().manual_seed(0))
    short = torch.tensor([[3, 9, 4], [5, 0, 0], [0, 0, 0]])
    long = torch.nn.functional.pad(short, (0, 9))
    torch.testing.assert_close(network(short)[0], network(long)[0])
    assert float(network.bag(short).detach()[:, 2].abs().max()) == 0.0


@pytest.mark.parametrize("make", [SmallCnn, Mlp])
def test_only_the_chosen_members_weights_are_copied(make: type[SmallCnn] | type[Mlp]) -> None:
    sizes = Sizes(members=3, n_classes=2, hidden=8, dropout=0.0)
    old, new = (make(sizes, (1, 8, 8), generator=torch.Generator().manual_seed(seed)) for seed in (1, 2))
    images = torch.rand(4, 1, 8, 8)
    before, wanted = old(images)[0].detach(), new(images)[0].detach()
    new.copy_members(new.state_dict(), old.state_dict(), torch.tensor([False, True, False]))
    after = old(images)[0].detach()
    torch.testing.assert_close(after[[0, 2]], before[[0, 2]])
    torch.testing.assert_close(after[1], wanted[1])
