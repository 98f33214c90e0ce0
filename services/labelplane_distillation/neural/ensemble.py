"""A trained `MemberNetwork` as the rest of the service sees it."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from labelplane_distillation.calibration import average_members
from labelplane_distillation.export.graph import INPUT, Graph, add_ensemble_head
from labelplane_distillation.learning import Inputs, Outputs
from labelplane_distillation.losses import Floats
from labelplane_distillation.neural.augment import VIEWS, Augmentation, view_grids
from labelplane_distillation.neural.networks import MemberNetwork, SmallNetwork

__all__ = ["BuiltEnsemble", "NeuralEnsemble"]

_BATCH = 512


class NeuralEnsemble(ABC):
    """Trained networks; subclasses tell how their graph is made.

    Args:
        network: the trained members.
        item_shape: shape of one item.
        augmentation: how images were moved in training, and will be for predictions over several views; None for none.
    """

    def __init__(
        self, network: MemberNetwork, *, item_shape: tuple[int, ...], augmentation: Augmentation | None
    ) -> None:
        self._network = network.eval()
        self._item_shape = item_shape
        # Every view is inferred, and exported, for what it adds: moved images are what the network has learned from.
        self._grids = (
            None if augmentation is None else view_grids(augmentation, height=item_shape[1], width=item_shape[2])
        )
        self._device = next(network.parameters()).device

    def predict(self, inputs: Inputs) -> Floats:
        """Return (S, N, K) logits; with augmentation the mean log-probabilities over all views."""
        return self._infer(inputs)[0].double().numpy()

    def outputs(self, inputs: Inputs, temperature: float) -> Outputs:
        """Return what the exported model must compute."""
        logits, embedding = self._infer(inputs)
        values = logits.double().numpy()
        samples = np.swapaxes(values, 0, 1) / temperature if len(values) > 1 else None
        return Outputs(average_members(values, temperature), embedding.double().numpy(), samples)

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Return the weights by name."""
        return {name: value.detach().cpu().numpy().copy() for name, value in self._network.state_dict().items()}

    @abstractmethod
    def to_onnx(self, temperature: float) -> bytes:
        """Return the graph."""

    def _infer(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Return (S, N, K) logits and the first member's (N, D) embedding, on the processor."""
        parts: list[tuple[Tensor, Tensor]] = []
        with torch.inference_mode():
            for start in range(0, max(len(inputs), 1), _BATCH):
                batch = torch.as_tensor(inputs[start : start + _BATCH]).to(self._device)
                logits, embedding = self._infer_batch(batch)
                parts.append((logits.cpu(), embedding.cpu()))
        return torch.cat([logits for logits, _ in parts], dim=1), torch.cat([each for _, each in parts])

    def _infer_batch(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        logits, embedding = self._network(batch)
        if self._grids is None:
            return logits, embedding[0]
        total = functional.log_softmax(logits, dim=-1)
        for grid in self._grids.to(self._device):
            moved = functional.grid_sample(batch, grid.expand(len(batch), *grid.shape), align_corners=False)
            total = total + functional.log_softmax(self._network(moved)[0], dim=-1)
        return total / VIEWS, embedding[0]


class BuiltEnsemble(NeuralEnsemble):
    """Networks of our own layers, whose graph is built node by node."""

    def __init__(
        self, network: SmallNetwork, *, item_shape: tuple[int, ...], augmentation: Augmentation | None
    ) -> None:
        super().__init__(network, item_shape=item_shape, augmentation=augmentation)
        self._small = network

    def to_onnx(self, temperature: float) -> bytes:
        """Return the graph."""
        graph, network = Graph(), self._small
        value = INPUT if self._grids is None else _add_views(graph, self._grids, self._item_shape)
        n_views = 1 if self._grids is None else VIEWS
        embeddings = network.add_to(graph, value)
        first = graph.add("Gather", embeddings, graph.constant(np.array(0, dtype=np.int64)), axis=0)
        if n_views > 1:
            size = network.head.weight.shape[1]
            by_view = graph.add("Reshape", first, graph.constant(np.array([n_views, -1, size])))
            first = graph.add("Gather", by_view, graph.constant(np.array(0, dtype=np.int64)), axis=0)
        add_ensemble_head(
            graph,
            embeddings,
            weight=network.head.weight.detach().cpu().numpy(),
            bias=network.head.bias.detach().cpu().numpy(),
            embedding=first,
            temperature=temperature,
            n_views=n_views,
        )
        return graph.build(shape=self._item_shape, dtype=network.input_dtype)


def _add_views(graph: Graph, grids: Tensor, item_shape: tuple[int, ...]) -> str:
    """Add the moved views of the input after the input itself, along the batch."""
    _, height, width = item_shape
    start, end = (graph.constant(np.array([place], dtype=np.int64)) for place in (0, 1))
    count = graph.add("Slice", graph.add("Shape", INPUT), start, end)
    shape = graph.add("Concat", count, graph.constant(np.array([height, width, 2], dtype=np.int64)), axis=0)
    views = [INPUT]
    for grid in grids.numpy():
        expanded = graph.add("Expand", graph.constant(grid[None]), shape)
        views.append(graph.add("GridSample", INPUT, expanded, mode="bilinear", padding_mode="zeros", align_corners=0))
    return graph.add("Concat", *views, axis=0)
