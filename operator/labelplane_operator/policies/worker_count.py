"""How many scoring workers a job has now, by what is on its queue."""

from labelplane_api.scaling import Scaling
from labelplane_operator.policies.scaling import QueueDepth, ScalingRules, wanted_replicas

__all__ = ["wanted_workers"]


def wanted_workers(scaling: Scaling, depth: QueueDepth | None) -> int | None:
    """Return how many workers should be up while Score runs; None leaves their number as it is.

    As many as empty the queue in the target time, within the bounds, and none that is busy goes. Where the depth is not
    known nothing is changed: a queue that cannot be asked is not an empty one.
    """
    if depth is None:
        return None
    wanted = wanted_replicas(depth, ScalingRules.of(scaling))
    return max(wanted, min(depth.leased, scaling.max_replicas))
