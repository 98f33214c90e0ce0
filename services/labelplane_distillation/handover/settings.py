"""Settings of the two processes around a training image, and how such a process ends."""

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from google.protobuf.json_format import Parse, ParseError
from pydantic import Field

from labelplane.distillation.v1 import distillation_pb2 as pb
from labelplane_core.errors import InvalidInput, LabelplaneError
from labelplane_core.settings import PREFIX, ProcessSettings
from labelplane_distillation.converters import train_request
from labelplane_distillation.requests import TrainRequest

__all__ = ["HandoverSettings", "run_step"]


class HandoverSettings(ProcessSettings):
    """Where the job's objects lie, what is to be trained, and the folders that the image sees."""

    store_uri: str = Field(min_length=1, description="Address of the job's output: s3://bucket/prefix.")
    data_uri: str = Field(min_length=1, description="Address of the data set, read only.")
    request: str = Field(min_length=1, description="The message StartTrainRequest as JSON.")
    input: Path = Field(description="Folder that the image reads.")
    output: Path = Field(description="Folder that the image writes.")

    def train_request(self) -> TrainRequest:
        """Return the request.

        Raises:
            InvalidInput: it is none.
        """
        try:
            return train_request(Parse(self.request, pb.StartTrainRequest()))
        except ParseError as error:
            raise InvalidInput(f"{PREFIX}REQUEST: is no StartTrainRequest: {error}") from error


def run_step(
    name: str, body: Callable[[HandoverSettings], Coroutine[Any, Any, str]], environment: Mapping[str, str]
) -> int:
    """Run a step, say how it went in one line, and return its exit code.

    0 when it is done, 1 when trying again may help, 2 when only people can mend it.
    """
    try:
        said = asyncio.run(body(HandoverSettings.from_environment(environment)))
    except LabelplaneError as error:
        sys.stderr.write(f"labelplane {name}: {error}\n")
        return 1 if error.retryable else 2
    except OSError as error:
        sys.stderr.write(f"labelplane {name}: {error.filename}: {error.strerror}\n")
        return 1
    sys.stdout.write(f"labelplane {name}: {said}\n")
    return 0
