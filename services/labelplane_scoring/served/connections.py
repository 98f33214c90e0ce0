"""The connections of one process: one for each server, kept for as long as the process lives."""

from dataclasses import dataclass, field

from labelplane_core.clock import Clock
from labelplane_core.features import InputSpec
from labelplane_core.models import StoredModel
from labelplane_core.operations import OperationContext
from labelplane_scoring.requests import Serving
from labelplane_scoring.served.batch_sizes import BatchSizes
from labelplane_scoring.served.connection import Connection
from labelplane_scoring.served.inference import ServedInference
from labelplane_scoring.served.serving_model import Patience, ServingModel

__all__ = ["Connections"]


@dataclass(slots=True)
class Connections:
    """Opens inference by servers.

    Attributes:
        clock: measures patience.
        patience: with what is away.
    """

    clock: Clock
    patience: Patience = field(default_factory=Patience)
    _open: dict[str, Connection] = field(default_factory=dict)

    async def open(self, serving: Serving, model: StoredModel, context: OperationContext) -> ServedInference:
        """Return inference by the server of `serving`, once it offers the model.

        Raises:
            ServingError: it does not.
        """
        connection = self._open.get(serving.endpoint)
        if connection is None:
            connection = self._open[serving.endpoint] = Connection(serving.endpoint)
        served = ServingModel(
            connection,
            model,
            name=serving.model,
            clock=self.clock,
            patience=self.patience,
            check=context.check,
        )
        largest = await served.prepare()
        return ServedInference(served, InputSpec.from_json(model.card.input), BatchSizes.up_to(largest))

    async def close(self) -> None:
        """Give all connections up."""
        for connection in self._open.values():
            await connection.close()
        self._open.clear()
