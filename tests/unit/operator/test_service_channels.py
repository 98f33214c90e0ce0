"""Channels to a job's services: one a Service, with the job's token, closed with the job."""

from typing import Any, NamedTuple

import grpc

from labelplane_operator.service_channels import ServiceChannels, _interceptors


class _Details(NamedTuple):
    method: str
    metadata: Any


def _calls(channels: ServiceChannels, uid: str, service: str) -> Any:
    return channels.calls(uid, namespace="team", service=service, token="t")


async def test_a_service_of_a_job_has_one_channel_until_the_job_is_closed() -> None:
    channels = ServiceChannels("{service}.{namespace}.svc:50051")
    first = _calls(channels, "1", "digits")

    assert _calls(channels, "1", "digits") is first
    assert _calls(channels, "1", "digits-scoring") is not first
    assert _calls(channels, "2", "digits") is not first
    await channels.close("1")
    assert _calls(channels, "1", "digits") is not first
    await channels.close("never opened")
    await channels.close_all()


async def test_every_call_carries_the_token_beside_its_own_metadata() -> None:
    async def seen(details: _Details, _request: Any) -> list[tuple[str, str]]:
        return list(details.metadata)

    unary, stream = _interceptors("t0ken")
    own = _Details("/a/B", grpc.aio.Metadata(("x", "y")))

    assert await unary.intercept_unary_unary(seen, own, None) == [("x", "y"), ("authorization", "Bearer t0ken")]
    assert await stream.intercept_unary_stream(seen, _Details("/a/B", None), None) == [
        ("authorization", "Bearer t0ken")
    ]
