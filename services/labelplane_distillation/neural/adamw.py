"""AdamW (Loshchilov and Hutter: Decoupled Weight Decay Regularization, 2019, algorithm 2).

torch's own optimisers import its compiler, 900 modules and seconds, at their first use; a process that trains small
networks for a few seconds need not wait for that.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

__all__ = ["AdamW"]

_BETA_1 = 0.9
_BETA_2 = 0.98
_EPSILON = 1e-8


class AdamW:
    """Updates named parameters in place from their gradients.

    Args:
        parameters: what to train.
        weight_decay: share of every weight, times the rate, that a step takes away; at least 0.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], *, weight_decay: float) -> None:
        self._parameters = dict(parameters)
        self._weight_decay = weight_decay
        self._steps = 0
        self._means = {name: torch.zeros_like(each) for name, each in parameters.items()}
        self._squares = {name: torch.zeros_like(each) for name, each in parameters.items()}
        # Large tables spend more on new memory than on arithmetic.
        self._scratch = {name: torch.empty_like(each) for name, each in parameters.items()}

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Take one step at a learning rate, and forget the gradients."""
        self._steps += 1
        size = rate / (1.0 - _BETA_1**self._steps)
        correction = math.sqrt(1.0 - _BETA_2**self._steps)
        for name, parameter in self._parameters.items():
            if (gradient := parameter.grad) is None:
                continue
            mean, square, scratch = self._means[name], self._squares[name], self._scratch[name]
            mean.lerp_(gradient, 1.0 - _BETA_1)
            square.mul_(_BETA_2).addcmul_(gradient, gradient, value=1.0 - _BETA_2)
            parameter.mul_(1.0 - rate * self._weight_decay)
            torch.sqrt(square, out=scratch)
            parameter.addcdiv_(mean, scratch.div_(correction).add_(_EPSILON), value=-size)
            parameter.grad = None

    def state(self) -> dict[str, Tensor]:
        """Return moments and step count by name."""
        means = {f"mean.{name}": each for name, each in self._means.items()}
        squares = {f"square.{name}": each for name, each in self._squares.items()}
        return {"steps": torch.tensor(self._steps), **means, **squares}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state` returned."""
        self._steps = int(state["steps"])
        for name in self._parameters:
            self._means[name].copy_(state[f"mean.{name}"])
            self._squares[name].copy_(state[f"square.{name}"])
