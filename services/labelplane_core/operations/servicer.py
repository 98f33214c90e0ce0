"""The gRPC side of reading and stopping operations."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from labelplane.operation.v1 import operation_pb2 as pb
from labelplane.operation.v1 import operation_pb2_grpc as pb_grpc
from labelplane_core.operations.converters import invocation_from_proto, operation_to_proto
from labelplane_core.operations.runner import OperationRunner

__all__ = ["OperationServicer"]


class OperationServicer(pb_grpc.OperationServiceServicer):
    """Serves the operations of one store."""

    def __init__(self, runner: OperationRunner) -> None:
        self._runner = runner

    async def GetOperation(  # noqa: N802 - the RPC's name
        self, request: pb.GetOperationRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> pb.GetOperationResponse:
        """Return the operation as the store knows it."""
        record = await self._runner.get(request.request_id)
        return pb.GetOperationResponse(operation=operation_to_proto(record))

    async def CancelOperation(  # noqa: N802 - the RPC's name
        self, request: pb.CancelOperationRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> pb.CancelOperationResponse:
        """Ask the operation to stop and return it."""
        record = await self._runner.cancel(invocation_from_proto(request.invocation))
        return pb.CancelOperationResponse(operation=operation_to_proto(record))

    async def WatchOperation(  # noqa: N802 - the RPC's name
        self, request: pb.WatchOperationRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[pb.WatchOperationResponse]:
        """Send the operation whenever it changes, until it has finished."""
        async for record in self._runner.watch(request.request_id):
            yield pb.WatchOperationResponse(operation=operation_to_proto(record))
