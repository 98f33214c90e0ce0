"""The gRPC side of distillation: convert, start, convert."""

from functools import partial
from typing import Any

import grpc

from labelplane.distillation.v1 import distillation_pb2 as pb
from labelplane.distillation.v1 import distillation_pb2_grpc as pb_grpc
from labelplane_core.operations import OperationRunner
from labelplane_core.operations.converters import invocation_from_proto, operation_to_proto
from labelplane_core.process import ServiceParts, service_name
from labelplane_core.rpc import Registration
from labelplane_distillation.converters import train_request
from labelplane_distillation.service import DistillationService

__all__ = ["DistillationServicer", "register"]


class DistillationServicer(pb_grpc.DistillationServiceServicer):
    """Serves the stage Train."""

    def __init__(self, service: DistillationService, operations: OperationRunner) -> None:
        self._service = service
        self._operations = operations

    async def StartTrain(  # noqa: N802 - the RPC's name
        self, request: pb.StartTrainRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> pb.StartTrainResponse:
        """Start training."""
        record = await self._operations.start(
            invocation_from_proto(request.invocation),
            stage="Train",
            request=request,
            body=partial(self._service.train, train_request(request)),
        )
        return pb.StartTrainResponse(operation=operation_to_proto(record))


def register(parts: ServiceParts) -> list[Registration]:
    """Build the distillation service and say what to serve."""
    servicer = DistillationServicer(DistillationService(parts), parts.operations)
    return [
        Registration(
            name=service_name(pb, "DistillationService"),
            add=partial(pb_grpc.add_DistillationServiceServicer_to_server, servicer),
        )
    ]
