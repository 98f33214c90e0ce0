"""The gRPC side of scoring: convert, start, convert."""

from functools import partial
from typing import Any

import grpc

from labelplane.scoring.v1 import scoring_pb2 as pb
from labelplane.scoring.v1 import scoring_pb2_grpc as pb_grpc
from labelplane_core.operations import OperationRunner
from labelplane_core.operations.converters import invocation_from_proto, operation_to_proto
from labelplane_core.process import ServiceParts, service_name
from labelplane_core.rpc import Registration
from labelplane_scoring.converters import score_request, select_request
from labelplane_scoring.service import ScoringService

__all__ = ["ScoringServicer", "register"]


class ScoringServicer(pb_grpc.ScoringServiceServicer):
    """Serves the stages Score and Select."""

    def __init__(self, service: ScoringService, operations: OperationRunner) -> None:
        self._service = service
        self._operations = operations

    async def StartScore(  # noqa: N802 - the RPC's name
        self, request: pb.StartScoreRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> pb.StartScoreResponse:
        """Start scoring the index."""
        record = await self._operations.start(
            invocation_from_proto(request.invocation),
            stage="Score",
            request=request,
            body=partial(self._service.score, score_request(request)),
        )
        return pb.StartScoreResponse(operation=operation_to_proto(record))

    async def StartSelect(  # noqa: N802 - the RPC's name
        self, request: pb.StartSelectRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> pb.StartSelectResponse:
        """Start choosing items."""
        record = await self._operations.start(
            invocation_from_proto(request.invocation),
            stage="Select",
            request=request,
            body=partial(self._service.select, select_request(request)),
        )
        return pb.StartSelectResponse(operation=operation_to_proto(record))


def register(parts: ServiceParts) -> list[Registration]:
    """Build the scoring service and say what to serve."""
    servicer = ScoringServicer(ScoringService(parts), parts.operations)
    return [
        Registration(
            name=service_name(pb, "ScoringService"),
            add=partial(pb_grpc.add_ScoringServiceServicer_to_server, servicer),
        )
    ]
