"""Between operation records and their messages."""

import grpc

from labelplane.operation.v1 import operation_pb2 as pb
from labelplane_core.errors import InvalidInput
from labelplane_core.operations.record import Invocation, OperationRecord, OperationState

__all__ = ["invocation_from_proto", "operation_to_proto"]

MAX_REQUEST_ID_LENGTH = 253

_STATES = {
    OperationState.RUNNING: pb.OPERATION_STATE_RUNNING,
    OperationState.SUCCEEDED: pb.OPERATION_STATE_SUCCEEDED,
    OperationState.FAILED: pb.OPERATION_STATE_FAILED,
    OperationState.CANCELLED: pb.OPERATION_STATE_CANCELLED,
}


def invocation_from_proto(message: pb.Invocation) -> Invocation:
    """Return the invocation.

    Raises:
        InvalidInput: the request id is empty, too long or would leave its folder.
    """
    request_id = message.request_id
    segments = request_id.split("/")
    if not 0 < len(request_id) <= MAX_REQUEST_ID_LENGTH or any(part in {"", ".", ".."} for part in segments):
        raise InvalidInput(
            f"invocation.request_id {request_id!r} is not <name>/<round>/<stage>/<attempt> "
            f"of 1 to {MAX_REQUEST_ID_LENGTH} characters"
        )
    return Invocation(request_id=request_id, leader_epoch=message.leader_epoch)


def operation_to_proto(record: OperationRecord) -> pb.Operation:
    """Return the message for a record."""
    message = pb.Operation(
        request_id=record.request_id,
        stage=record.stage,
        state=_STATES[record.state],
        progress=pb.Progress(done=record.progress.done, total=record.progress.total, unit=record.progress.unit),
        results=record.results,
        figures=record.figures,
        leader_epoch=record.leader_epoch,
        takeovers=record.takeovers,
    )
    message.started.FromDatetime(record.started)
    message.updated.FromDatetime(record.updated)
    if record.failure is not None:
        message.error.CopyFrom(
            pb.OperationError(
                code=grpc.StatusCode[record.failure.code].value[0],
                reason=record.failure.reason,
                message=record.failure.message,
                retryable=record.failure.retryable,
            )
        )
    return message
