"""Small networks, S members of one architecture in a module."""

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from labelplane_distillation.export.graph import Graph
from labelplane_distillation.neural.layers import MemberConvolution, MemberEmbeddingBag, MemberLinear, drop

__all__ = ["HashedNgrams", "MemberNetwork", "Mlp", "Sizes", "SmallCnn", "SmallNetwork"]

_LAST_SIDE = 4

Hidden = tuple[Tensor, Tensor]
"""(S, B, K) logits and the (S, B, D) inputs of their last layer."""


class MemberNetwork(nn.Module):
    """S networks. Inputs are (S, B, ...), or (B, ...) when all members look at the same items."""

    head: MemberLinear

    def forward(self, inputs: Tensor, noise: torch.Generator | None = None) -> Hidden:
        """Return logits and embeddings; `noise` draws what dropout leaves out, and None leaves out nothing."""
        embedding = self.embed(inputs, noise)
        return self.head(embedding), embedding

    @abstractmethod
    def embed(self, inputs: Tensor, noise: torch.Generator | None) -> Tensor:
        """Return the (S, B, D) inputs of the last layer."""

    def copy_members(self, source: dict[str, Tensor], target: dict[str, Tensor], is_chosen: Tensor) -> None:
        """Copy the chosen members' (S,) weights from one state to another.

        In every tensor here the first axis runs over members, or over members and then something of theirs.
        """
        chosen = torch.nonzero(is_chosen).flatten()
        for name, value in source.items():
            members = (len(is_chosen), -1)
            target[name].view(members)[chosen] = value.detach().reshape(members)[chosen]


class SmallNetwork(MemberNetwork):
    """Networks of our own layers, which can add themselves to a graph."""

    input_dtype: npt.DTypeLike = np.float32

    @abstractmethod
    def add_to(self, graph: Graph, value: str) -> str:
        """Add everything below the last layer for the (N, ...) items in `value`, and return the (S, N, D) value."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """What all small networks have in common: S members, K classes, a width, and the share that dropout leaves out."""

    members: int
    n_classes: int
    hidden: int
    dropout: float


class Mlp(SmallNetwork):
    """Two hidden layers over all pixels or features.

    Args:
        sizes: `hidden` is the width of both hidden layers, and so D.
        item_shape: shape of one item; it is flattened.
        generator: draws the weights.
    """

    def __init__(self, sizes: Sizes, item_shape: tuple[int, ...], *, generator: torch.Generator) -> None:
        super().__init__()
        size, hidden = int(np.prod(item_shape)), sizes.hidden
        self.n_axes, self.dropout = len(item_shape), sizes.dropout
        self.first = MemberLinear(sizes.members, (size, hidden), generator=generator)
        self.second = MemberLinear(sizes.members, (hidden, hidden), generator=generator)
        self.head = MemberLinear(sizes.members, (hidden, sizes.n_classes), generator=generator, gain=1.0)

    def embed(self, inputs: Tensor, noise: torch.Generator | None) -> Tensor:
        """Return (S, B, hidden)."""
        flat = inputs.flatten(start_dim=inputs.dim() - self.n_axes)
        hidden = drop(functional.relu(self.first(flat)), self.dropout, noise)
        return drop(functional.relu(self.second(hidden)), self.dropout, noise)

    def add_to(self, graph: Graph, value: str) -> str:
        """Add both hidden layers."""
        members = graph.add("Unsqueeze", graph.add("Flatten", value, axis=1), graph.constant(np.array([0])))
        hidden = graph.add("Relu", self.first.add_to(graph, members))
        return graph.add("Relu", self.second.add_to(graph, hidden))


class SmallCnn(SmallNetwork):
    """3x3 convolutions down to 4 x 4 and one to 2 x 2, whose values are the embedding.

    The first convolution keeps the size; each further one halves it until no side is above 4. Channels double from a
    quarter of the width to half of it, and the last one has the whole.

    Args:
        sizes: `hidden` is the number of channels of the last convolution; 4 or more is wise.
        item_shape: (channels, height, width) of one image.
        generator: draws the weights.
    """

    def __init__(self, sizes: Sizes, item_shape: tuple[int, ...], *, generator: torch.Generator) -> None:
        super().__init__()
        self.members, self.dropout = sizes.members, sizes.dropout
        layers, size = _plan_convolutions(item_shape, sizes.hidden)
        self.convolutions = nn.ModuleList(
            MemberConvolution(
                sizes.members, layer.channels, stride=layer.stride, padding=layer.padding, generator=generator
            )
            for layer in layers
        )
        self.head = MemberLinear(sizes.members, (size, sizes.n_classes), generator=generator, gain=1.0)

    def embed(self, inputs: Tensor, noise: torch.Generator | None) -> Tensor:
        """Return (S, B, D)."""
        is_own = inputs.dim() == 5
        hidden = inputs.transpose(0, 1).flatten(1, 2) if is_own else inputs
        for convolution in self.convolutions:
            hidden = functional.relu(convolution(hidden))
        members = hidden.reshape(len(hidden), self.members, -1).transpose(0, 1)
        return drop(members, self.dropout, noise)

    def add_to(self, graph: Graph, value: str) -> str:
        """Add all convolutions."""
        for number, convolution in enumerate(self.convolutions):
            assert isinstance(convolution, MemberConvolution)
            value = graph.add("Relu", convolution.add_to(graph, value, is_shared=number == 0))
        split = graph.add("Reshape", value, graph.constant(np.array([0, self.members, -1])))
        return graph.add("Transpose", split, perm=[1, 0, 2])


@dataclass(frozen=True, slots=True)
class _Layer:
    channels: tuple[int, int]
    stride: int
    padding: int


def _plan_convolutions(item_shape: tuple[int, ...], hidden: int) -> tuple[list[_Layer], int]:
    """Return the convolutions for images of this shape, and the size of what comes out of the last, flattened."""
    channels, height, width = item_shape
    layers = [_Layer((channels, max(hidden // 4, 1)), stride=1, padding=1)]
    while max(height, width) > _LAST_SIDE:
        height, width = -(-height // 2), -(-width // 2)
        before = layers[-1].channels[1]
        layers.append(_Layer((before, min(before * 2, max(hidden // 2, 1))), stride=2, padding=1))
    # Without padding 4 x 4 becomes 2 x 2; a side of 1 or 2 has nothing to spare.
    padding = 0 if min(height, width) > 2 else 1
    layers.append(_Layer((layers[-1].channels[1], hidden), stride=1, padding=padding))
    lost = 2 - 2 * padding
    return layers, hidden * (height - lost) * (width - lost)


class HashedNgrams(SmallNetwork):
    """The mean of the vectors of a text's n-grams, hashed into a table, and one hidden layer (Joulin et al., 2017).

    Args:
        sizes: `hidden` is the width of the vectors and of the hidden layer.
        buckets: rows of the table; ids are 1 to buckets - 1, and 0 stands for none.
        generator: draws the weights.
    """

    input_dtype = np.int64

    def __init__(self, sizes: Sizes, buckets: int, *, generator: torch.Generator) -> None:
        super().__init__()
        hidden, self.dropout = sizes.hidden, sizes.dropout
        self.bag = MemberEmbeddingBag(sizes.members, (buckets, hidden), padding=0, generator=generator)
        self.hidden = MemberLinear(sizes.members, (hidden, hidden), generator=generator)
        self.head = MemberLinear(sizes.members, (hidden, sizes.n_classes), generator=generator, gain=1.0)

    def embed(self, inputs: Tensor, noise: torch.Generator | None) -> Tensor:
        """Return (S, B, hidden)."""
        bags = drop(self.bag(inputs), self.dropout, noise)
        return drop(functional.relu(self.hidden(bags)), self.dropout, noise)

    def add_to(self, graph: Graph, value: str) -> str:
        """Add the bag and the hidden layer."""
        return graph.add("Relu", self.hidden.add_to(graph, self.bag.add_to(graph, value)))
