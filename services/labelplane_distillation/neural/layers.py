"""Layers of S networks at once.

Networks this small spend their time in calls, not in arithmetic; one grouped convolution or batched product for all
members costs little more than one member's own.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from labelplane_distillation.export.graph import Graph

__all__ = ["MemberConvolution", "MemberEmbeddingBag", "MemberLinear", "drop"]


def _draw(shape: tuple[int, ...], *, deviation: float, generator: torch.Generator) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape, generator=generator) * deviation)


def drop(values: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
    """Return `values` with a random share set to zero and the rest scaled up; unchanged without a generator."""
    if generator is None or share == 0.0:
        return values
    is_kept = torch.rand(values.shape, generator=generator, device=values.device) >= share
    return values * is_kept / (1.0 - share)


class MemberLinear(nn.Module):
    """S affine maps: (S, B, in) or, shared by all members, (B, in) to (S, B, out).

    Args:
        members: S.
        sizes: (in, out).
        generator: draws the weights, normal with variance gain / in (He et al., 2015, for a gain of 2).
        gain: 2 before a rectifier, 1 before a softmax.
    """

    def __init__(self, members: int, sizes: tuple[int, int], *, generator: torch.Generator, gain: float = 2.0) -> None:
        super().__init__()
        fan_in, fan_out = sizes
        self.weight = _draw((members, fan_in, fan_out), deviation=math.sqrt(gain / fan_in), generator=generator)
        self.bias = nn.Parameter(torch.zeros(members, 1, fan_out))

    def forward(self, values: Tensor) -> Tensor:
        """Return (S, B, out)."""
        if values.dim() == 2:
            return torch.matmul(values, self.weight) + self.bias
        return torch.baddbmm(self.bias, values, self.weight)

    def add_to(self, graph: Graph, value: str) -> str:
        """Add the same map to a graph."""
        product = graph.add("MatMul", value, graph.constant(_array(self.weight)))
        return graph.add("Add", product, graph.constant(_array(self.bias)))


class MemberConvolution(nn.Module):
    """S 3x3 convolutions: (B, S x in, H, W) or, shared by all members, (B, in, H, W) to (B, S x out, H', W').

    Args:
        members: S.
        channels: (in, out).
        stride: 1 or 2.
        padding: 0 or 1.
        generator: draws the weights as `MemberLinear` does.
    """

    def __init__(
        self, members: int, channels: tuple[int, int], *, stride: int, padding: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        n_in, n_out = channels
        self.members, self.n_in, self.stride, self.padding = members, n_in, stride, padding
        deviation = math.sqrt(2.0 / (9 * n_in))
        self.weight = _draw((members * n_out, n_in, 3, 3), deviation=deviation, generator=generator)
        self.bias = nn.Parameter(torch.zeros(members * n_out))

    def forward(self, values: Tensor) -> Tensor:
        """Return (B, S x out, H', W')."""
        groups = 1 if values.shape[1] == self.n_in else self.members
        return functional.conv2d(
            values, self.weight, self.bias, stride=self.stride, padding=self.padding, groups=groups
        )

    def add_to(self, graph: Graph, value: str, *, is_shared: bool) -> str:
        """Add the same convolution to a graph."""
        return graph.add(
            "Conv",
            value,
            graph.constant(_array(self.weight)),
            graph.constant(_array(self.bias)),
            kernel_shape=[3, 3],
            strides=[self.stride] * 2,
            pads=[self.padding] * 4,
            group=1 if is_shared else self.members,
        )


class MemberEmbeddingBag(nn.Module):
    """S tables of `rows` vectors; a bag is the mean of the vectors of its ids.

    Ids are (S, B, L) or, shared by all members, (B, L), below `rows`; `padding` fills up the end. An empty bag is zero.
    """

    def __init__(self, members: int, sizes: tuple[int, int], *, padding: int, generator: torch.Generator) -> None:
        super().__init__()
        rows, width = sizes
        self.rows, self.padding = rows, padding
        self.weight = _draw((members, rows, width), deviation=1.0 / math.sqrt(width), generator=generator)

    def forward(self, ids: Tensor) -> Tensor:
        """Return (S, B, width)."""
        members, rows, width = self.weight.shape
        # Padding stands last, and most of it in every item of a batch can be cut off.
        ids = ids[..., : max(1, int((ids != self.padding).sum(-1).max()))]
        if ids.dim() == 2:
            ids = ids.expand(members, *ids.shape)
        is_given = ids != self.padding
        # One bag over all members' tables, laid end to end.
        offset = torch.arange(members, device=ids.device).view(-1, 1, 1) * rows
        flat = torch.where(is_given, ids, 0) + offset
        weights = is_given.to(self.weight.dtype)
        weights = weights / weights.sum(-1, keepdim=True).clamp(min=1.0)
        n_ids = ids.shape[-1]
        bags = functional.embedding_bag(
            flat.reshape(-1, n_ids),
            self.weight.view(members * rows, width),
            per_sample_weights=weights.reshape(-1, n_ids),
            mode="sum",
        )
        return bags.view(members, -1, width)

    def add_to(self, graph: Graph, ids: str) -> str:
        """Add the same means of shared (N, L) ids to a graph, as (S, N, width)."""
        padding = graph.constant(np.array(self.padding, dtype=np.int64))
        is_given = graph.add("Not", graph.add("Equal", ids, padding))
        zero = graph.constant(np.array(0, dtype=np.int64))
        safe = graph.add("Where", is_given, ids, zero)
        weights = graph.add("Cast", is_given, to=1)
        axis = graph.constant(np.array([1], dtype=np.int64))
        count = graph.add("ReduceSum", weights, axis, keepdims=1)
        share = graph.add("Div", weights, graph.add("Max", count, graph.constant(np.array(1.0, dtype=np.float32))))
        # (N, L) ids pick (S, N, L, width) rows; (N, 1, L) x (S, N, L, width) is (S, N, 1, width).
        picked = graph.add("Gather", graph.constant(_array(self.weight)), safe, axis=1)
        row = graph.add("Unsqueeze", share, axis)
        bag = graph.add("MatMul", row, picked)
        return graph.add("Squeeze", bag, graph.constant(np.array([2], dtype=np.int64)))


def _array(parameter: Tensor) -> npt.NDArray[Any]:
    return parameter.detach().cpu().numpy()
