"""What a topology says about each Deployment of a job; how it looks as an object is told elsewhere."""

from dataclasses import dataclass

from labelplane_api.running import PodOverride
from labelplane_operator.builders.resources import Resources

__all__ = ["NO_OVERRIDE", "Workload"]

NO_OVERRIDE = PodOverride()


@dataclass(frozen=True, slots=True)
class Workload:
    """One Deployment of a job.

    Attributes:
        name: of its objects.
        component: its label: a part, or small.
        image: of its container.
        module: the Python module that its container runs.
        resources: its container's by default.
        override: what the job changes in its pods.
        replicas: how many pods should run now; None leaves their number as it is.
        has_service: whether it is called by gRPC.
        has_connector: whether the connector of the job's humans runs beside it.
        has_rules: whether stage Vote runs in it, and with it the job's rules.
        takes_shards: whether it puts shards on the queue, or takes them.
        is_single: whether two pods of it would work against each other, so that an old one goes before a new one comes.
        drain_seconds: what a pod is given to finish or hand back its work when it is stopped.
    """

    name: str
    component: str
    image: str
    module: str
    resources: Resources
    override: PodOverride
    replicas: int | None
    has_service: bool = True
    has_connector: bool = False
    has_rules: bool = False
    takes_shards: bool = False
    is_single: bool = True
    drain_seconds: int = 30
