"""Removes the results of a deleted job: `python -m labelplane_aggregation.cleanup`, settings by LABELPLANE_* variables.

Exit codes: 0 when nothing of the job is left, 1 when trying again may help, 2 when only people can mend it.
"""

import asyncio
import os
import sys
from collections.abc import Mapping
from urllib.parse import unquote

from pydantic import Field

from labelplane_aggregation.removing import remove_results
from labelplane_aggregation.requests import Ownership
from labelplane_core.errors import InvalidInput, LabelplaneError
from labelplane_core.leaving import leave
from labelplane_core.settings import PREFIX, ProcessSettings
from labelplane_core.storage import Layout, open_store

__all__ = ["CleanupSettings", "main"]


class CleanupSettings(ProcessSettings):
    """Where the results lie, whose they are, and what beside them is none."""

    store_uri: str = Field(min_length=1, description="Address of the job's output: s3://bucket/prefix.")
    data_uri: str = Field(default="", description="Address of the data set, which stays wherever it lies.")
    installation: str = Field(min_length=1, description="Id of the installation that ran the job.")
    job_namespace: str = Field(min_length=1, description="The job's namespace.")
    job_name: str = Field(min_length=1, description="The job's name.")

    @property
    def owner(self) -> Ownership:
        """The job as `owner.json` names it."""
        return Ownership(self.installation, self.job_namespace, self.job_name)

    def kept(self) -> tuple[str, ...]:
        """Return the folder of the data set, where that lies below the output.

        Raises:
            InvalidInput: it is the folder of the output, so nothing tells items from results.
        """
        output, data = (unquote(each).rstrip("/") for each in (self.store_uri, self.data_uri))
        if data == output:
            raise InvalidInput(
                f"{PREFIX}DATA_URI: the data set lies in the folder of the results, {output}: remove them by hand"
            )
        return (data.removeprefix(f"{output}/"),) if data.startswith(f"{output}/") else ()


def main(environment: Mapping[str, str]) -> int:
    """Remove the results, say how it went in one line, and return the exit code."""
    try:
        settings = CleanupSettings.from_environment(environment)
        removed = asyncio.run(_clean_up(settings))
    except LabelplaneError as error:
        sys.stderr.write(f"labelplane cleanup: {error}\n")
        return 1 if error.retryable else 2
    sys.stdout.write(f"labelplane cleanup: {removed:,} objects below {settings.store_uri} are removed\n")
    return 0


async def _clean_up(settings: CleanupSettings) -> int:
    kept = settings.kept()
    store = open_store(settings.store_uri, options=settings.store_options())
    return await remove_results(store, Layout(), settings.owner, kept=kept)


if __name__ == "__main__":
    leave(main(os.environ))
