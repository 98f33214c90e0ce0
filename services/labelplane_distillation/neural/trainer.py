"""Trains all members of an ensemble at once: AdamW, a cosine schedule, early stop, checkpoints, equal bits on resume.

Loshchilov and Hutter: SGDR: Stochastic Gradient Descent with Warm Restarts, 2017 (one cycle of it).
"""

import hashlib
import logging
import math
from collections.abc import Iterator
from dataclasses import astuple, dataclass

import numpy as np
import torch
from torch import Tensor

from labelplane_distillation.errors import BadCheckpoint, TrainingDiverged
from labelplane_distillation.learning import Hooks, NetworkSettings, Problem, Rows, Window
from labelplane_distillation.neural.adamw import AdamW
from labelplane_distillation.neural.augment import Augmentation, move_images
from labelplane_distillation.neural.checkpoint import TrainingState, pack_state, unpack_state
from labelplane_distillation.neural.losses import Batch, member_losses, weighted_cross_entropy
from labelplane_distillation.neural.networks import MemberNetwork

__all__ = ["MIN_STEPS", "MIN_VALIDATION_ITEMS", "Trainer", "draw_order", "fingerprint"]

MIN_STEPS = 6
"""Steps of an epoch at least: a few dozen items are passed several times, or they would hardly be learned at all."""

MIN_VALIDATION_ITEMS = 20
"""Validation items below which training goes on to its end: a handful says little of which epoch is best."""

_WARM_UP_STEPS = 10
_log = logging.getLogger(__name__)
_LEAST_GAIN = 1e-4
_INFERENCE_BATCH = 512


@dataclass(frozen=True, slots=True)
class _Pool:
    """The items of an epoch on the device: the labelled ones, and after them the window's."""

    window: Window | None
    inputs: Tensor
    targets: Tensor
    weights: Tensor
    teacher: Tensor | None
    n_labelled: int


class Trainer:
    """Trains one `MemberNetwork` on one `Problem`.

    Every epoch draws from a generator made of the seed and the epoch's number, so an epoch depends on the state before
    it and on nothing else: a training that was interrupted and resumed ends with the bits of one that was not (on the
    same processor with one thread).

    Args:
        network: the members, with their first weights.
        settings: see `distillation.proto`.
        problem: what to learn.
        hooks: how to report, stop and keep states.
        augmentation: how images are moved; None for none.
    """

    def __init__(
        self,
        network: MemberNetwork,
        settings: NetworkSettings,
        *,
        problem: Problem,
        hooks: Hooks,
        augmentation: Augmentation | None,
    ) -> None:
        self._network = network
        self._settings = settings
        self._problem = problem
        self._hooks = hooks
        self._augmentation = augmentation
        self._device = next(network.parameters()).device
        trained = {name: each for name, each in network.named_parameters() if each.requires_grad}
        self._optimiser = AdamW(trained, weight_decay=settings.weight_decay)
        self._state = self._begin()
        self._pool: _Pool | None = None

    def run(self) -> int:
        """Train to the end and return how many epochs it took; the network then holds each member's chosen state.

        Raises:
            TrainingDiverged: a loss is not finite.
        """
        self._resume()
        while not self._state.is_finished:
            self._hooks.check()
            with torch.random.fork_rng(devices=[self._device] if self._device.type == "cuda" else []):
                self._train_epoch(self._state.epoch)
            self._state.epoch += 1
            self._validate()
            self._state.is_finished = self._state.epoch >= self._settings.epochs or self._is_stale()
            self._hooks.after_epoch(self._state.epoch)
            self._save()
        if self._keeps_best:
            self._network.load_state_dict(self._state.best)
        return self._state.epoch

    @property
    def _keeps_best(self) -> bool:
        return self._settings.patience > 0 and len(self._problem.validation_rows) >= MIN_VALIDATION_ITEMS

    def _begin(self) -> TrainingState:
        members = len(self._problem.member_rows)
        return TrainingState(
            fingerprint=fingerprint(self._settings, self._problem),
            epoch=0,
            stale_epochs=0,
            is_finished=False,
            network={},
            best={},
            best_losses=torch.full((members,), torch.inf),
            optimiser={},
        )

    # One epoch.

    def _train_epoch(self, epoch: int) -> None:
        generator = np.random.default_rng([*self._problem.seed, epoch])
        noise = torch.Generator(self._device).manual_seed(int(generator.integers(2**62)))
        # Our own layers draw from `noise`; those of pretrained encoders know torch's own generator alone.
        torch.manual_seed(int(generator.integers(2**62)))
        pool = self._gather(epoch)
        order = draw_order(
            self._problem.member_rows,
            n_labelled=pool.n_labelled,
            n_window=len(pool.inputs) - pool.n_labelled,
            batch_size=self._settings.batch_size,
            generator=generator,
        )
        steps = order.shape[0]
        for step, rows in enumerate(torch.from_numpy(order).to(self._device)):
            loss = self._backward(pool, rows, generator, noise)
            self._optimiser.step(self._rate(epoch, step, steps))
            if step % 64 == 0:
                self._hooks.check()
        if not math.isfinite(float(loss)):
            raise TrainingDiverged(
                f"the loss of {self._settings.encoder} is {float(loss)} after epoch {epoch + 1}: "
                f"use a learning rate below {self._settings.learning_rate}"
            )

    def _backward(self, pool: _Pool, rows: Tensor, generator: np.random.Generator, noise: torch.Generator) -> Tensor:
        inputs = pool.inputs[rows]
        if self._augmentation is not None:
            inputs = move_images(inputs, self._augmentation, generator)
        teacher = None if pool.teacher is None else pool.teacher[rows]
        batch = Batch(inputs, pool.targets[rows], pool.weights[rows], teacher)
        logits, _ = self._network(inputs, noise)
        mixing = self._problem.mixing
        # Members share nothing, so the sum's gradient is each one's own.
        loss = member_losses(logits, batch, temperature=mixing.temperature, mixing=mixing.share).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _rate(self, epoch: int, step: int, steps: int) -> float:
        warm = min(1.0, (epoch * steps + step + 1) / _WARM_UP_STEPS)
        progress = (epoch + step / steps) / self._settings.epochs
        return self._settings.learning_rate * warm * 0.5 * (1.0 + math.cos(math.pi * progress))

    def _gather(self, epoch: int) -> _Pool:
        examples = self._problem.examples
        labelled = len(examples.inputs)
        inputs, targets, weights, teacher = examples.inputs, examples.targets, examples.weights, examples.teacher
        window: Window | None = None if self._problem.unlabelled is None else self._problem.unlabelled.window(epoch)
        if self._pool is not None and self._pool.window is window:
            return self._pool
        self._pool = None  # so that two are never held at once
        if window is not None and teacher is not None and len(window.inputs):
            inputs = np.concatenate([inputs, window.inputs])
            targets = np.concatenate([targets, np.zeros_like(window.teacher)])
            weights = np.concatenate([weights, np.zeros(len(window.inputs))])
            teacher = np.concatenate([teacher, window.teacher])
        self._pool = _Pool(
            window=window,
            inputs=torch.as_tensor(inputs).to(self._device),
            targets=self._floats(targets),
            weights=self._floats(weights),
            teacher=None if teacher is None else self._floats(teacher),
            n_labelled=labelled,
        )
        return self._pool

    def _floats(self, values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self._device)

    # Validation and early stop.

    def _validate(self) -> None:
        if not self._keeps_best:
            return
        losses = self._validation_losses()
        is_better = losses < self._state.best_losses - _LEAST_GAIN
        now = self._network.state_dict()
        if not self._state.best:
            self._state.best = {name: value.detach().clone() for name, value in now.items()}
        self._network.copy_members(now, self._state.best, is_better)
        self._state.best_losses = torch.where(is_better, losses, self._state.best_losses)
        self._state.stale_epochs = 0 if bool(is_better.any()) else self._state.stale_epochs + 1

    def _validation_losses(self) -> Tensor:
        rows, examples = self._problem.validation_rows, self._problem.examples
        with torch.inference_mode():
            logits = torch.cat(list(self._infer(rows)), dim=1)
            losses = weighted_cross_entropy(
                logits, self._floats(examples.targets[rows]), self._floats(examples.weights[rows])
            )
        return losses.cpu().clone()

    def _infer(self, rows: Rows) -> Iterator[Tensor]:
        self._network.eval()
        for start in range(0, len(rows), _INFERENCE_BATCH):
            items = self._problem.examples.inputs[rows[start : start + _INFERENCE_BATCH]]
            yield self._network(torch.as_tensor(items).to(self._device))[0]
        self._network.train()

    def _is_stale(self) -> bool:
        return self._keeps_best and self._state.stale_epochs >= self._settings.patience

    # Checkpoints.

    def _resume(self) -> None:
        data = None if self._hooks.checkpoints is None else self._hooks.checkpoints.load()
        if data is None:
            return
        try:
            self._state = unpack_state(data, fingerprint=self._state.fingerprint)
        except BadCheckpoint as error:
            # It costs time, never the result.
            _log.warning("training starts anew: %s", error)
            return
        self._network.load_state_dict(self._state.network)
        self._state.best = {name: value.to(self._device) for name, value in self._state.best.items()}
        if not self._state.is_finished:
            self._optimiser.restore(self._state.optimiser)

    def _save(self) -> None:
        is_due = self._state.epoch % self._hooks.checkpoint_epochs == 0 or self._state.is_finished
        if self._hooks.checkpoints is None or not is_due:
            return
        self._state.network = dict(self._network.state_dict())
        self._state.optimiser = {} if self._state.is_finished else self._optimiser.state()
        self._hooks.checkpoints.save(pack_state(self._state))


def draw_order(
    member_rows: tuple[Rows, ...],
    *,
    n_labelled: int,
    n_window: int,
    batch_size: int,
    generator: np.random.Generator,
) -> Rows:
    """Return the rows of every step: (steps, S, batch), each member's items in its own random order.

    Rows from `n_labelled` on are the window's. Labelled items are repeated so often that they are at least a quarter;
    a member with fewer items begins again before the longest one has finished, so that all batches are full.
    """
    window = np.arange(n_labelled, n_labelled + n_window)
    pools = []
    for rows in member_rows:
        repeats = max(1, -(-n_window // max(3 * len(rows), 1)))
        pools.append(np.concatenate([np.tile(rows, repeats), window]))
    steps = max(MIN_STEPS, -(-max(map(len, pools)) // batch_size))
    needed = steps * batch_size
    orders = [_repeat_shuffled(pool, needed, generator) for pool in pools]
    return np.stack(orders).reshape(len(pools), steps, batch_size).transpose(1, 0, 2).copy()


def _repeat_shuffled(pool: Rows, needed: int, generator: np.random.Generator) -> Rows:
    passes = -(-needed // len(pool))
    return np.concatenate([generator.permutation(pool) for _ in range(passes)])[:needed]


def fingerprint(settings: NetworkSettings, problem: Problem) -> str:
    """Return a hash that tells one training from another: of settings, seed, soft labels and who sees what."""
    content = hashlib.sha256(repr((astuple(settings), astuple(problem.mixing), problem.seed)).encode())
    for values in (*problem.member_rows, problem.validation_rows, problem.examples.targets, problem.examples.weights):
        content.update(np.ascontiguousarray(values).tobytes())
    return content.hexdigest()
