"""A job's model on a server: made ready there, asked again while that may help, and left when the job has done."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from labelplane_core.clock import Clock
from labelplane_core.models import ModelOutput, StoredModel
from labelplane_scoring.served.errors import ModelNotReady, ModelNotServed, ServerAway, ServingError
from labelplane_scoring.served.repository import VERSION, Backend, ServedFiles, served_files
from labelplane_scoring.served.signatures import Signature, check_signature, expected_signature

__all__ = ["ModelServer", "Patience", "ServingModel"]

_log = logging.getLogger(__name__)

T = TypeVar("T")


class ModelServer(Protocol):
    """A server of models, as `Connection` reaches it."""

    @property
    def address(self) -> str:
        """Where it is."""
        ...

    async def signature(self, model: str, version: str = "") -> Signature:
        """Return what a model takes and gives, once it is ready."""
        ...

    async def largest_batch(self, model: str) -> int:
        """Return how many items a model takes at once."""
        ...

    async def load(self, model: str, served: ServedFiles | None = None) -> None:
        """Have a model loaded, from the server's repository or from files."""
        ...

    async def unload(self, model: str) -> None:
        """Have a model forgotten."""
        ...

    async def infer(
        self, model: str, batch: npt.NDArray[Any], *, version: str, input_name: str, outputs: Sequence[str]
    ) -> Mapping[str, npt.NDArray[np.float32]]:
        """Return the outputs for a batch."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one call's errors are borne before they become the stage's, which has tries of its own.

    Attributes:
        seconds: after the first failure in a row; 0 asks once.
        first_pause: seconds before the second try; each further pause is twice the last one.
        longest_pause: seconds that no pause exceeds.
    """

    seconds: float = 60.0
    first_pause: float = 0.2
    longest_pause: float = 5.0


_PASSING: Final = (ServerAway, ModelNotReady, ModelNotServed)


class ServingModel:
    """The model as one server has it.

    A model without a name of the user's goes by its digest, so that what answers is what was trained. A server that
    does not have it is asked to load it: from its own repository, else from files that come with the request.

    Args:
        server: where the model is to run.
        model: as the store has it.
        name: the name that the user gives it there; empty for its digest.
        clock: measures patience.
        patience: with what is away.
        check: raises when the operation is over.
    """

    def __init__(
        self,
        server: ModelServer,
        model: StoredModel,
        *,
        name: str,
        clock: Clock,
        patience: Patience,
        check: Callable[[], None],
    ) -> None:
        self._server = server
        self._model = model
        self._clock = clock
        self._patience = patience
        self._check = check
        self._is_ours = not name
        self.name = name or model.digest
        self._version = VERSION if self._is_ours else ""
        self._outputs = model.card.outputs
        self._input_name = ""
        self._was_given = False
        self._making_ready = asyncio.Lock()

    async def prepare(self) -> int:
        """Return when the server offers the model: how many items it takes at once.

        Raises:
            ModelDiffers: it takes or gives other tensors than the job's model.
            ModelNotServed, ModelNotReady, ServerAway: even after all patience.
        """
        await self._patiently(self._make_ready)
        return await self._patiently(lambda: self._server.largest_batch(self.name))

    async def run(self, batch: npt.NDArray[Any]) -> ModelOutput:
        """Return the model's output for a batch of encoded items, (N, ...).

        Raises:
            BatchTooLarge: the server takes no such batch.
            InferenceFailed: the server failed on it.
            ModelDiffers, ModelNotServed, ModelNotReady, ServerAway: as `prepare`.
        """
        found = await self._patiently(lambda: self._infer(batch), mend=self._make_ready)
        return ModelOutput(found["logits"], found["embedding"], found.get("samples"))

    async def leave(self) -> None:
        """Have the server forget a model that was given to it for this job, if it is there to be told."""
        if self._was_given:
            with contextlib.suppress(ServingError):
                await self._server.unload(self.name)

    async def _infer(self, batch: npt.NDArray[Any]) -> Any:
        return await self._server.infer(
            self.name, batch, version=self._version, input_name=self._input_name, outputs=self._outputs
        )

    async def _make_ready(self) -> None:
        async with self._making_ready:
            try:
                signature = await self._server.signature(self.name, self._version)
            except (ModelNotServed, ModelNotReady):
                if not self._is_ours:
                    raise
                await self._load()
                signature = await self._server.signature(self.name, self._version)
        where = f"{self._server.address}: model {self.name}"
        self._input_name = check_signature(signature, expected_signature(self._model.card), where=where)

    async def _load(self) -> None:
        """Load the model by its digest: as the server's repository has it, else from our files, by either backend."""
        refusals: list[str] = []
        for backend in (None, Backend.ONNX_RUNTIME, Backend.PYTHON):
            served = None if backend is None else await asyncio.to_thread(served_files, self._model, backend)
            try:
                await self._server.load(self.name, served)
            except ModelNotServed as refusal:
                refusals.append(str(refusal))
            else:
                self._was_given = served is not None
                return
        raise ModelNotServed(
            f"{'; '.join(dict.fromkeys(refusals))}: start the server with --model-control-mode=explicit, "
            "or put the model into its repository"
        )

    async def _patiently(
        self, call: Callable[[], Awaitable[T]], *, mend: Callable[[], Awaitable[None]] | None = None
    ) -> T:
        """Return what a call gives, asked again while what it needs is away; `mend` goes before every further try."""
        began, pause, is_first = self._clock.monotonic(), self._patience.first_pause, True
        while True:
            self._check()
            try:
                if mend is not None and not is_first:
                    await mend()
                return await call()
            except _PASSING as error:
                if self._clock.monotonic() - began + pause > self._patience.seconds:
                    raise
                _log.warning("waits for the inference server: %s", error)
            is_first = False
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._patience.longest_pause)
