"""A gRPC channel whose calls are answered from memory, for unit tests of who speaks the services' protocols."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc


@dataclass
class PlayedChannel:
    """Answers by the last word of a method.

    Attributes:
        answers: a message, an error to raise, or, for a stream, a list of messages that may end in an error.
        asked: the methods that were called, in order.
    """

    answers: dict[str, Any] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def unary_unary(self, path: str, **_: Any) -> Callable[..., Any]:
        """Return a call with one answer."""
        method = path.rsplit("/", 1)[1]

        async def call(_request: Any, **words: Any) -> Any:
            assert words["timeout"] > 0, "a call without a bound may hang for good"
            self.asked.append(method)
            answer = self.answers[method]
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    def unary_stream(self, path: str, **_: Any) -> Callable[..., Any]:
        """Return a call with many answers."""
        method = path.rsplit("/", 1)[1]

        async def call(_request: Any) -> AsyncIterator[Any]:
            self.asked.append(method)
            for answer in self.answers[method]:
                if isinstance(answer, Exception):
                    raise answer
                yield answer

        return call


def rpc_error(code: grpc.StatusCode, details: str = "why", *, reason: str = "") -> grpc.aio.AioRpcError:
    """Return the error of a call that did not end well; `reason` is what a service of ours adds."""
    trailing = grpc.aio.Metadata(("labelplane-reason", reason)) if reason else grpc.aio.Metadata()
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, details=details)
