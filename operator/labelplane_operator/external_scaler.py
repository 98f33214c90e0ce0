"""KEDA's external scaler: a gRPC service that tells how many workers a queue wants.

Every pod of the operator serves it, stand-bys too: an answer follows from the queue alone.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

import grpc

from labelplane.keda import externalscaler_pb2 as messages
from labelplane.keda import externalscaler_pb2_grpc as service
from labelplane_operator.errors import QueueAway
from labelplane_operator.policies.keda import WORKERS_METRIC, ScalerMetadata, wanted_workers
from labelplane_operator.policies.scaling import LOOK_AGAIN_SECONDS, QueueDepth

__all__ = ["Depths", "ExternalScaler", "ScalerServer"]

_log = logging.getLogger(__name__)

Context = Any  # grpc.aio.ServicerContext: generic over messages that nobody looks at here
Sleep = Callable[[float], Awaitable[None]]


class Depths(Protocol):
    """Reads how deep queues are."""

    async def depth(self, subject: str) -> QueueDepth:
        """Return the depth of a queue; one that is not there is empty.

        Raises:
            QueueAway: the queue's server cannot be asked.
        """
        ...


class ExternalScaler(service.ExternalScalerServicer):
    """Answers KEDA.

    Args:
        depths: of the queues.
        sleep: between two looks of a stream.
    """

    def __init__(self, depths: Depths, *, sleep: Sleep = asyncio.sleep) -> None:
        self._depths = depths
        self._sleep = sleep

    async def IsActive(  # noqa: N802 - KEDA's name
        self, request: messages.ScaledObjectRef, context: Context
    ) -> messages.IsActiveResponse:
        """Tell whether there is work."""
        depth = await self._depth(await _metadata(request, context), context)
        return messages.IsActiveResponse(result=depth.total > 0)

    async def StreamIsActive(  # noqa: N802 - KEDA's name
        self, request: messages.ScaledObjectRef, context: Context
    ) -> AsyncIterator[messages.IsActiveResponse]:
        """Tell whether there is work, and again whenever that changes; nothing while the queue is away."""
        metadata = await _metadata(request, context)
        told: bool | None = None
        while True:
            is_active = await self._is_active(metadata, request)
            if is_active is not None and is_active != told:
                told = is_active
                yield messages.IsActiveResponse(result=is_active)
            await self._sleep(LOOK_AGAIN_SECONDS)

    async def GetMetricSpec(  # noqa: N802 - KEDA's name
        self, request: messages.ScaledObjectRef, context: Context
    ) -> messages.GetMetricSpecResponse:
        """Name the metric."""
        await _metadata(request, context)
        return _metric_spec()

    async def StreamMetricSpec(  # noqa: N802 - KEDA's name
        self, request: messages.ScaledObjectRef, context: Context
    ) -> AsyncIterator[messages.GetMetricSpecResponse]:
        """Name the metric, which never changes; the stream stays open."""
        await _metadata(request, context)
        yield _metric_spec()
        await asyncio.Event().wait()

    async def GetMetrics(  # noqa: N802 - KEDA's name
        self, request: messages.GetMetricsRequest, context: Context
    ) -> messages.GetMetricsResponse:
        """Return how many workers are wanted."""
        metadata = await _metadata(request.scaledObjectRef, context)
        if request.metricName != WORKERS_METRIC:
            text = f"there is no metric {request.metricName[:80]!r}: ask for {WORKERS_METRIC}"
            await context.abort(grpc.StatusCode.NOT_FOUND, text)
        workers = wanted_workers(await self._depth(metadata, context), metadata)
        value = messages.MetricValue(metricName=WORKERS_METRIC, metricValue=workers, metricValueFloat=workers)
        return messages.GetMetricsResponse(metricValues=[value])

    async def _depth(self, metadata: ScalerMetadata, context: Context) -> QueueDepth:
        try:
            return await self._depths.depth(metadata.subject)
        except QueueAway as error:
            # KEDA then falls back to the replicas that stand.
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(error))
            raise

    async def _is_active(self, metadata: ScalerMetadata, request: messages.ScaledObjectRef) -> bool | None:
        try:
            return (await self._depths.depth(metadata.subject)).total > 0
        except QueueAway as error:
            _log.warning("ScaledObject %s/%s: %s", request.namespace, request.name, error)
            return None


async def _metadata(request: messages.ScaledObjectRef, context: Context) -> ScalerMetadata:
    try:
        return ScalerMetadata.read(request.scalerMetadata, namespace=request.namespace)
    except ValueError as error:
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        raise


def _metric_spec() -> messages.GetMetricSpecResponse:
    spec = messages.MetricSpec(metricName=WORKERS_METRIC, targetSize=1, targetSizeFloat=1.0)
    return messages.GetMetricSpecResponse(metricSpecs=[spec])


class ScalerServer:
    """Serves the external scaler on a port of every address.

    Args:
        scaler: answers.
    """

    def __init__(self, scaler: ExternalScaler) -> None:
        self._server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        service.add_ExternalScalerServicer_to_server(scaler, self._server)

    async def start(self, address: str) -> int:
        """Listen at `host:port` and return the port.

        Raises:
            OSError: the port is taken.
        """
        try:
            port = self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(0, f"cannot listen at {address}") from error
        await self._server.start()
        return port

    async def stop(self) -> None:
        """End the streams and close the port."""
        await self._server.stop(grace=None)
