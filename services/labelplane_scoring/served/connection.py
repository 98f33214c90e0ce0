"""One server of the v2 protocol by gRPC: its calls, each with a timeout, and what its refusals mean."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import grpc
import numpy as np
import numpy.typing as npt

from labelplane_scoring.served.batch_sizes import LARGEST_BATCH
from labelplane_scoring.served.errors import (
    BatchTooLarge,
    InferenceFailed,
    ModelNotReady,
    ModelNotServed,
    NoServingClient,
    ServerAway,
    ServingError,
)
from labelplane_scoring.served.repository import ServedFiles
from labelplane_scoring.served.signatures import Signature, Tensor

__all__ = ["CALL_SECONDS", "Connection"]

CALL_SECONDS: Final = 30.0
"""How long one call may take; loading a model takes longer."""
_LOAD_SECONDS: Final = 300.0
_OPTIONS: Final = (
    # A headless Service has an address for each server: calls take turns over all of them.
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.dns_min_time_between_resolutions_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
)
_DTYPES: Final[dict[str, np.dtype[Any]]] = {"FP32": np.dtype("<f4"), "INT64": np.dtype("<i8")}
_DATATYPES: Final = {dtype: name for name, dtype in _DTYPES.items()}


class Connection:
    """A long-lived channel to all addresses that a name has.

    Args:
        address: host:port of the server's gRPC.
        call_seconds: bounds every call but loading.
    """

    def __init__(self, address: str, *, call_seconds: float = CALL_SECONDS) -> None:
        try:
            from tritonclient.grpc import service_pb2, service_pb2_grpc
        except ImportError as error:
            raise NoServingClient(
                "serving.mode External needs the client of inference servers: pip install 'labelplane[cluster]'"
            ) from error
        self.address = address
        self._call_seconds = call_seconds
        self._messages: Any = service_pb2
        self._channel = grpc.aio.insecure_channel(f"dns:///{address}", options=_OPTIONS)
        self._stub: Any = service_pb2_grpc.GRPCInferenceServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Give the channel up."""
        await self._channel.close(None)

    async def signature(self, model: str, version: str = "") -> Signature:
        """Return what the model takes and gives, once a version of it is ready.

        Raises:
            ModelNotServed: the server knows no such model.
            ModelNotReady: it does, but the version is not ready.
            ServerAway: nobody answers.
        """
        request = self._messages.ModelMetadataRequest(name=model, version=version)
        found = await self._call(self._stub.ModelMetadata, request, about=model)
        ready = await self._call(
            self._stub.ModelReady, self._messages.ModelReadyRequest(name=model, version=version), about=model
        )
        if not ready.ready:
            raise ModelNotReady(f"{self.address}: model {model} is not ready: look at the server's log")
        return Signature(
            inputs=tuple(Tensor(each.name, each.datatype, tuple(each.shape)) for each in found.inputs),
            outputs=tuple(Tensor(each.name, each.datatype, tuple(each.shape)) for each in found.outputs),
        )

    async def largest_batch(self, model: str) -> int:
        """Return how many items the model takes at once; a server that does not say takes our own largest."""
        try:
            request = self._messages.ModelConfigRequest(name=model)
            found = await self._call(self._stub.ModelConfig, request, about=model)
        except InferenceFailed:  # the call is Triton's own, not of the v2 protocol
            return LARGEST_BATCH
        return int(found.config.max_batch_size) or LARGEST_BATCH

    async def load(self, model: str, served: ServedFiles | None = None) -> None:
        """Have the server load a model, from its own repository or from `served`.

        Raises:
            ModelNotServed: it cannot, or may not; the message is the server's.
            ServerAway: nobody answers.
        """
        request = self._messages.RepositoryModelLoadRequest(model_name=model)
        if served is not None:
            request.parameters["config"].string_param = served.to_json()
            for path, data in served.files.items():
                request.parameters[f"file:{path}"].bytes_param = data
        try:
            await self._stub.RepositoryModelLoad(request, timeout=_LOAD_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise self._not_loaded(error, model) from error

    async def unload(self, model: str) -> None:
        """Have the server forget a model."""
        request = self._messages.RepositoryModelUnloadRequest(model_name=model)
        await self._call(self._stub.RepositoryModelUnload, request, about=model)

    async def infer(
        self, model: str, batch: npt.NDArray[Any], *, version: str, input_name: str, outputs: Sequence[str]
    ) -> Mapping[str, npt.NDArray[np.float32]]:
        """Return the outputs for a batch, each with a row for each of its rows.

        Raises:
            BatchTooLarge: the server takes no such batch.
            InferenceFailed: the server failed on it, or gave something else than asked.
            ServerAway, ModelNotReady, ModelNotServed: as `signature`.
        """
        request = self._messages.ModelInferRequest(model_name=model, model_version=version)
        request.inputs.add(name=input_name, datatype=_DATATYPES[batch.dtype], shape=batch.shape)
        for name in outputs:
            request.outputs.add(name=name)
        request.raw_input_contents.append(np.ascontiguousarray(batch).tobytes())
        response = await self._call(self._stub.ModelInfer, request, about=model)
        return self._read(response, model, outputs, rows=len(batch))

    def _read(self, response: Any, model: str, outputs: Sequence[str], *, rows: int) -> dict[str, Any]:
        found = {
            str(each.name): np.frombuffer(raw, _DTYPES[each.datatype]).reshape(tuple(each.shape))
            for each, raw in zip(response.outputs, response.raw_output_contents, strict=True)
        }
        lacking = [name for name in outputs if name not in found or len(found[name]) != rows]
        if lacking:
            raise InferenceFailed(
                f"{self.address}: model {model} gave no {', '.join(lacking)} for each of {rows} items"
            )
        return found

    async def _call(self, call: Any, request: Any, *, about: str) -> Any:
        try:
            return await call(request, timeout=self._call_seconds)
        except grpc.aio.AioRpcError as error:
            raise self._refusal(error, about) from error

    def _refusal(self, error: grpc.aio.AioRpcError, model: str) -> ServingError:
        """Return what a status means; Triton has one each for itself and for a model, and says which in words."""
        code, details = error.code(), _first_line(error.details())
        where = f"{self.address}: model {model}"
        if "no available versions" in details or "not at ready state" in details:
            return ModelNotReady(f"{where} is not ready ({details}): look at the server's log")
        if code is grpc.StatusCode.NOT_FOUND:
            return ModelNotServed(f"{where} is not served there ({details}): load it, or correct serving.model")
        if code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED}:
            return ServerAway(f"{self.address}: no answer from the inference server ({details}): is it up?")
        if code is grpc.StatusCode.RESOURCE_EXHAUSTED or "batch-size must be" in details:
            return BatchTooLarge(f"{where} takes no batch of that size ({details})")
        return InferenceFailed(f"{where} failed ({code.name}: {details})")

    def _not_loaded(self, error: grpc.aio.AioRpcError, model: str) -> ServingError:
        details = _first_line(error.details())
        if error.code() in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED} and "load" not in details:
            return self._refusal(error, model)
        return ModelNotServed(f"{self.address}: model {model} cannot be loaded there ({details})")


def _first_line(details: str | None) -> str:
    lines = (details or "no details").strip().splitlines()
    return lines[0][:300] if lines else "no details"
