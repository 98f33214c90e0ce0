"""The containers of a job's pods."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from labelplane_api.job import LabelingJob
from labelplane_api.running import EnvVar
from labelplane_operator.builders.connector import CONNECTOR_RESOURCES, connector_mounts, connector_variables
from labelplane_operator.builders.metadata import CLEANUP_COMPONENT
from labelplane_operator.builders.platform_settings import Platform
from labelplane_operator.builders.probes import grpc_probes, metrics_probes
from labelplane_operator.builders.queue_access import queue_mounts, queue_variables
from labelplane_operator.builders.resources import Resources
from labelplane_operator.builders.rule_files import rule_mounts, rule_variables
from labelplane_operator.builders.storage import ca_mounts, key_mounts, key_variables, storage_variables
from labelplane_operator.builders.variables import cpu_limit, plain
from labelplane_operator.builders.workloads import Workload

__all__ = [
    "SCRATCH_FOLDER",
    "SCRATCH_VOLUME",
    "TOKEN_KEY",
    "TOKEN_VOLUME",
    "UNPRIVILEGED",
    "cleanup_container",
    "connector_container",
    "labelplane_container",
    "service_container",
    "storage_and_libraries",
    "with_overrides",
]

TOKEN_VOLUME: Final = "token"  # noqa: S105 - a volume's name
TOKEN_KEY: Final = "token"  # noqa: S105 - a key's name
SCRATCH_VOLUME: Final = "scratch"
CLEANUP_RESOURCES: Final = Resources(requests={"cpu": "100m", "memory": "256Mi"}, limits={"cpu": "1", "memory": "1Gi"})
_RUN_FOLDER: Final = "/var/run/labelplane"
SCRATCH_FOLDER: Final = "/tmp"  # noqa: S108 - the one folder that may be written

UNPRIVILEGED: Final[Mapping[str, Any]] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}
"""The security context of every container."""


def service_container(job: LabelingJob, workload: Workload, platform: Platform) -> dict[str, Any]:
    """Return the container that a workload is there for."""
    probes = grpc_probes(platform.service_port) if workload.has_service else metrics_probes()
    ports = [_port("metrics", platform.metrics_port)]
    if workload.has_service:
        ports.insert(0, _port("grpc", platform.service_port))
    variables = [*_process_variables(job), *_service_variables(job, workload, platform)]
    return {
        **labelplane_container(
            job,
            platform,
            name=workload.component,
            image=workload.image,
            module=workload.module,
            resources=workload.resources.changed_by(workload.override.resources),
            more_mounts=[
                *key_mounts(job.spec.storage),
                *(rule_mounts(job) if workload.has_rules else ()),
                *queue_mounts(workload, platform),
            ],
        ),
        "env": with_overrides(variables, workload.override.env),
        "ports": ports,
        **probes,
    }


def connector_container(job: LabelingJob, platform: Platform) -> dict[str, Any]:
    """Return the container of the connector; it has no port, and ends by itself when it cannot work."""
    container = labelplane_container(
        job,
        platform,
        name="connector",
        image=platform.images.review,
        module="labelplane_review",
        resources=CONNECTOR_RESOURCES,
        more_mounts=[*key_mounts(job.spec.storage), *connector_mounts(job)],
    )
    return {**container, "env": [*_process_variables(job), *connector_variables(job, platform)]}


def cleanup_container(job: LabelingJob, workload: Workload, platform: Platform) -> dict[str, Any]:
    """Return the container that removes the results, from the image of a workload; it is called by nobody."""
    variables = [
        *storage_and_libraries(job),
        plain("STORE_URI", job.address_below(job.spec.storage.uri)),
        plain("DATA_URI", job.spec.dataset.uri),
        plain("INSTALLATION", platform.installation),
        plain("JOB_NAMESPACE", job.metadata.namespace),
        plain("JOB_NAME", job.metadata.name),
    ]
    container = labelplane_container(
        job,
        platform,
        name=CLEANUP_COMPONENT,
        image=workload.image,
        module="labelplane_aggregation.cleanup",
        resources=CLEANUP_RESOURCES,
        has_token=False,
    )
    return {**container, "env": with_overrides(variables, workload.override.env)}


def labelplane_container(
    job: LabelingJob,
    platform: Platform,
    *,
    name: str,
    image: str,
    module: str,
    resources: Resources,
    has_token: bool = True,
    more_mounts: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Return a container that runs a module of labelplane, without its variables."""
    token = [{"name": TOKEN_VOLUME, "mountPath": _RUN_FOLDER, "readOnly": True}] if has_token else []
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": platform.images.pull_policy,
        "command": ["python", "-m", module],
        "resources": resources.manifest(),
        "securityContext": dict(UNPRIVILEGED),
        "volumeMounts": [
            {"name": SCRATCH_VOLUME, "mountPath": SCRATCH_FOLDER},
            *token,
            *ca_mounts(job.spec.storage),
            *more_mounts,
        ],
        # The end of what it said is the reason that people see when it cannot start.
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def _process_variables(job: LabelingJob) -> Iterator[dict[str, Any]]:
    """Yield what every process is told that lives as long as the job."""
    yield plain("TOKEN_FILE", f"{_RUN_FOLDER}/{TOKEN_KEY}")
    yield from key_variables(job.spec.storage)
    yield from storage_and_libraries(job)


def storage_and_libraries(job: LabelingJob) -> Iterator[dict[str, Any]]:
    """Yield how to reach the store, and where and how wide libraries may work."""
    yield from storage_variables(job.spec.storage)
    # Libraries keep caches at home and beside their code; both are read-only.
    yield {"name": "HOME", "value": SCRATCH_FOLDER}
    yield {"name": "NUMBA_CACHE_DIR", "value": f"{SCRATCH_FOLDER}/numba"}
    # They count the node's cores, of which the container may use a few.
    yield cpu_limit("NUMBA_NUM_THREADS")
    yield cpu_limit("OMP_NUM_THREADS")


def _service_variables(job: LabelingJob, workload: Workload, platform: Platform) -> Iterator[dict[str, Any]]:
    yield plain("STORE_URI", job.address_below(job.spec.storage.uri))
    yield plain("DATA_URI", job.spec.dataset.uri)
    if workload.has_service:
        yield plain("LISTEN", f"0.0.0.0:{platform.service_port}")
    yield plain("METRICS_PORT", str(platform.metrics_port))
    yield plain("DRAIN_GRACE_SECONDS", str(workload.drain_seconds))
    yield from queue_variables(job, workload, platform)
    if workload.has_rules:
        yield from rule_variables(job, platform)


def with_overrides(variables: Sequence[dict[str, Any]], overrides: Sequence[EnvVar]) -> list[dict[str, Any]]:
    """Return the variables with those of the job; a name stands once."""
    own = {each.name: {"name": each.name, "value": each.value} for each in overrides}
    kept = [own.pop(each["name"], each) for each in variables]
    return [*kept, *own.values()]


def _port(name: str, number: int) -> dict[str, Any]:
    return {"name": name, "containerPort": number, "protocol": "TCP"}
