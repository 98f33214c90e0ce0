"""A trained `MemberNetwork` as the rest of the service sees it."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from labelplane_distillation.calibration import average_members
from labelplane_distillation.export.graph import Graph, add_ensemble_head
from labelplane_distillation.learning import Inputs, Outputs
from labelplane_distillation.losses import Floats
from labelplane_distillation.neural.augment import Augmentation, move_images
from labelplane_distillation.neural.networks import MemberNetwork

__all__ = ["NeuralEnsemble"]

_BATCH = 512


class NeuralEnsemble:
    """Networks whose graph is built node by node.

    Args:
        network: the trained members.
        item_shape: shape of one item.
        augmentation: how images were moved in training, for predictions over several views; None for none.
    """

    def __init__(
        self, network: MemberNetwork, *, item_shape: tuple[int, ...], augmentation: Augmentation | None
    ) -> None:
        self._network = network.eval()
        self._item_shape = item_shape
        self._augmentation = augmentation
        self._device = next(network.parameters()).device

    def predict(self, inputs: Inputs, *, views: int = 1) -> Floats:
        """Return (S, N, K) logits, or normalised mean log-probabilities over several views."""
        first = self._infer(inputs)[0]
        if views == 1 or self._augmentation is None:
            return first.double().numpy()
        total = functional.log_softmax(first, dim=-1)
        for view in range(1, views):
            moved = move_images(torch.as_tensor(inputs), self._augmentation, np.random.default_rng([view]))
            total = total + functional.log_softmax(self._infer(moved.numpy())[0], dim=-1)
        return functional.log_softmax(total / views, dim=-1).double().numpy()

    def outputs(self, inputs: Inputs, temperature: float) -> Outputs:
        """Return what the exported model must compute."""
        logits, embedding = self._infer(inputs)
        values = logits.double().numpy()
        samples = np.swapaxes(values, 0, 1) / temperature if len(values) > 1 else None
        return Outputs(average_members(values, temperature), embedding.double().numpy(), samples)

    def tensors(self) -> dict[str, npt.NDArray[Any]]:
        """Return the weights by name."""
        return {name: value.detach().cpu().numpy().copy() for name, value in self._network.state_dict().items()}

    def to_onnx(self, temperature: float) -> bytes:
        """Return the graph."""
        graph, network = Graph(), self._network
        embeddings = network.add_to(graph)
        first = graph.constant(np.array(0, dtype=np.int64))
        add_ensemble_head(
            graph,
            embeddings,
            weight=network.head.weight.detach().cpu().numpy(),
            bias=network.head.bias.detach().cpu().numpy(),
            embedding=graph.add("Gather", embeddings, first, axis=0),
            temperature=temperature,
        )
        return graph.build(shape=self._item_shape, dtype=network.input_dtype)

    def _infer(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Return (S, N, K) logits and the first member's (N, D) embedding, on the processor."""
        parts: list[tuple[Tensor, Tensor]] = []
        with torch.inference_mode():
            for start in range(0, max(len(inputs), 1), _BATCH):
                batch = torch.as_tensor(inputs[start : start + _BATCH]).to(self._device)
                logits, embedding = self._network(batch)
                parts.append((logits.cpu(), embedding[0].cpu()))
        return torch.cat([logits for logits, _ in parts], dim=1), torch.cat([each for _, each in parts])
