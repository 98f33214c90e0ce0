"""`spec.serving`: what computes the model's answers."""

from enum import StrEnum
from typing import Any, ClassVar

from labelplane_api.rules import Rule, needs, only
from labelplane_api.schema import ApiModel, Target, Word, option


class ServingMode(StrEnum):
    """Where inference runs."""

    IN_PROCESS = "InProcess"
    SHARED = "Shared"
    DEDICATED = "Dedicated"
    EXTERNAL = "External"


def _is_external(serving: Any) -> bool:
    return serving.mode is ServingMode.EXTERNAL


class Serving(ApiModel):
    """Where inference runs."""

    mode: ServingMode = option(
        "mode is InProcess (in the scoring worker), Shared (a Triton pool of the namespace), Dedicated (Triton of this "
        "job) or External (any server of the v2 inference protocol).",
        ServingMode.IN_PROCESS,
    )
    endpoint: Target | None = option(
        "endpoint is host:port of the external server's gRPC.", None, otherwise="only mode External has one"
    )
    model: Word | None = option(
        "model is the name of the job's model on the external server; without one it goes by its digest and the server "
        "is asked to load it.",
        None,
        otherwise="only mode External has one",
    )

    checks: ClassVar[tuple[Rule, ...]] = (
        needs("endpoint", when="self.mode == 'External'", reason="for mode External", holds=_is_external),
        only("endpoint", when="self.mode == 'External'", reason="for mode External", holds=_is_external),
        only("model", when="self.mode == 'External'", reason="for mode External", holds=_is_external),
    )
