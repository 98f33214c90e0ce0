"""The connector of a job's humans: a second container that brings tasks to annotators and their votes back."""

import json
from collections.abc import Iterator
from typing import Any, Final

from labelplane_api.job import LabelingJob
from labelplane_api.sources import Connector, Humans, ImageDelivery, LabelStudioConnector, SimulatedCrowd
from labelplane_api.task import TaskType
from labelplane_operator.builders.platform_settings import Platform
from labelplane_operator.builders.resources import Resources
from labelplane_operator.builders.variables import plain, secret

__all__ = [
    "CONNECTOR_RESOURCES",
    "connector_mounts",
    "connector_variables",
    "connector_volumes",
    "crowd_json",
    "has_connector",
    "label_studio_of",
]

_BUILT: Final = frozenset({Connector.SIMULATED, Connector.FILES, Connector.LABEL_STUDIO})

_TOKEN_KEY: Final = "token"  # noqa: S105 - a key's name
_CA_VOLUME: Final = "label-studio-ca"
_CA_FOLDER: Final = "/etc/labelplane/label-studio-ca"
_CA_KEY: Final = "ca.crt"

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
    elif humans.label_studio is not None:
        yield from _label_studio(job, humans, humans.label_studio)


def label_studio_of(job: LabelingJob) -> LabelStudioConnector | None:
    """Return the Label Studio server that people of a job work at; None when they do not."""
    humans = job.spec.sources.humans
    return None if humans is None else humans.label_studio


def connector_volumes(job: LabelingJob) -> list[dict[str, Any]]:
    """Return the volume of the certificates that the connector trusts; none without them."""
    server = label_studio_of(job)
    if server is None or server.ca_bundle_config_map is None:
        return []
    source = {"name": server.ca_bundle_config_map, "items": [{"key": _CA_KEY, "path": _CA_KEY}]}
    return [{"name": _CA_VOLUME, "configMap": source}]


def connector_mounts(job: LabelingJob) -> list[dict[str, Any]]:
    """Return where the connector finds that volume."""
    return [{"name": each["name"], "mountPath": _CA_FOLDER, "readOnly": True} for each in connector_volumes(job)]


def crowd_json(crowd: SimulatedCrowd) -> str:
    """Return the groups of a simulated crowd as the connector reads them."""
    return json.dumps([group.to_manifest() for group in crowd.annotators])


def _label_studio(job: LabelingJob, humans: Humans, server: LabelStudioConnector) -> Iterator[dict[str, Any]]:
    yield plain("CLASSES", json.dumps(job.spec.task.classes))
    yield plain("VOTES_PER_ITEM", str(humans.votes_per_item))
    yield plain("POLL_SECONDS", str(server.poll_seconds))
    yield plain("STORE_URI", job.address_below(job.spec.storage.uri))
    yield plain("DATA_URI", job.spec.dataset.uri)
    yield plain("LABEL_STUDIO_URL", server.url)
    yield secret("LABEL_STUDIO_TOKEN", server.token_secret, _TOKEN_KEY)
    yield plain("LABEL_STUDIO_TITLE", f"{job.metadata.namespace}/{job.metadata.name}")
    yield plain("LABEL_STUDIO_PROJECT", str(server.project or 0))
    if job.spec.task.type is TaskType.IMAGE_CLASSIFICATION:
        yield plain("LABEL_STUDIO_IMAGES", (server.images or ImageDelivery.PRESIGNED).value)
    if server.ca_bundle_config_map is not None:
        yield plain("LABEL_STUDIO_CA_BUNDLE", f"{_CA_FOLDER}/{_CA_KEY}")


def _simulated(job: LabelingJob, humans: Humans, crowd: SimulatedCrowd) -> Iterator[dict[str, Any]]:
    dataset = job.spec.dataset
    seed = job.spec.run.seed if crowd.seed is None else crowd.seed
    # In ASCII: an applied object is read as YAML, which lacks JSON's way to write what is beyond 16 bits.
    yield plain("CLASSES", json.dumps(job.spec.task.classes))
    yield plain("SEED", str(seed))
    yield plain("VOTES_PER_ITEM", str(humans.votes_per_item))
    if humans.max_votes_per_item is not None:
        yield plain("MAX_VOTES_PER_ITEM", str(humans.max_votes_per_item))
    yield plain("ANNOTATORS", crowd_json(crowd))
    yield plain("TRUTH_URI", dataset.uri)
    yield plain("TRUTH_TABLE", dataset.index or "")
    yield plain("TRUTH_ID_FIELD", dataset.id_field or "")
    yield plain("TRUTH_FIELD", dataset.truth_field or "")
