"""The Secret that carries the job's token to its pods."""

from base64 import b64encode
from typing import Any

from labelplane_api.job import LabelingJob
from labelplane_api.names import token_secret_name
from labelplane_operator.builders.containers import TOKEN_KEY
from labelplane_operator.builders.metadata import JOB_COMPONENT, object_metadata
from labelplane_operator.builders.platform_settings import Platform

__all__ = ["build_token_secret"]


def build_token_secret(job: LabelingJob, platform: Platform, *, token: str) -> dict[str, Any]:
    """Return the Secret. It is created once and never changed, so everything in it is the same in every profile."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": object_metadata(job, platform, name=token_secret_name(job), component=JOB_COMPONENT),
        "type": "Opaque",
        "immutable": True,
        "data": {TOKEN_KEY: b64encode(token.encode()).decode()},
    }
