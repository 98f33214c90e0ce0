"""The connector of a job's humans: a second container that brings tasks to annotators and their votes back."""

import json
from collections.abc import Iterator
from typing import Any, Final

from labelplane_api.job import LabelingJob
from labelplane_api.sources import Connector, Humans, SimulatedCrowd
from labelplane_operator.builders.platform_settings import Platform
from labelplane_operator.builders.resources import Resources
from labelplane_operator.builders.variables import plain

__all__ = ["CONNECTOR_RESOURCES", "connector_variables", "crowd_json", "has_connector"]

_BUILT: Final = frozenset({Connector.SIMULATED, Connector.FILES})

CONNECTOR_RESOURCES: Final = Resources(
    requests={"cpu": "50m", "memory": "256Mi"}, limits={"cpu": "500m", "memory": "1Gi"}
)


def has_connector(job: LabelingJob) -> bool:
    """Whether a connector runs beside the job's inbox."""
    humans = job.spec.sources.humans
    return humans is not None and humans.connector in _BUILT


def connector_variables(job: LabelingJob, platform: Platform) -> Iterator[dict[str, Any]]:
    """Yield the variables that the connector alone has; it shares the pod with the inbox."""
    humans = job.spec.sources.humans
    assert humans is not None
    yield plain("CONNECTOR", humans.connector.value)
    yield plain("INBOX_ADDRESS", f"127.0.0.1:{platform.service_port}")
    if humans.files is not None:
        yield plain("FILES_URI", humans.files.uri)
        yield plain("POLL_SECONDS", str(humans.files.poll_seconds))
    elif humans.simulated is not None:
        yield from _simulated(job, humans, humans.simulated)


def crowd_json(crowd: SimulatedCrowd) -> str:
    """Return the groups of a simulated crowd as the connector reads them."""
    return json.dumps([group.to_manifest() for group in crowd.annotators])


def _simulated(job: LabelingJob, humans: Humans, crowd: SimulatedCrowd) -> Iterator[dict[str, Any]]:
    dataset = job.spec.dataset
    seed = job.spec.run.seed if crowd.seed is None else crowd.seed
    # In ASCII: an applied object is read as YAML, which lacks JSON's way to write what is beyond 16 bits.
    yield plain("CLASSES", json.dumps(job.spec.task.classes))
    yield plain("SEED", str(seed))
    yield plain("VOTES_PER_ITEM", str(humans.votes_per_item))
    yield plain("ANNOTATORS", crowd_json(crowd))
    yield plain("TRUTH_URI", dataset.uri)
    yield plain("TRUTH_TABLE", dataset.index or "")
    yield plain("TRUTH_ID_FIELD", dataset.id_field or "")
    yield plain("TRUTH_FIELD", dataset.truth_field or "")
