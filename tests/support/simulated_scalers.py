"""Who scales in the simulation: the operator's policy, and what others do."""

from collections.abc import Callable

from simulated_cluster import Scaler

from labelplane_operator.policies.scaling import Load, QueueDepth, Sample, ScalingRules, decide_replicas

__all__ = ["fixed", "policy", "ready_only"]


def policy(rules: ScalingRules) -> Callable[[], Scaler]:
    """Return what makes scalers of the operator's own policy."""

    def make() -> Scaler:
        history: tuple[Sample, ...] = ()

        def scale(current: int, depth: QueueDepth, measured: float | None, now: float) -> int:
            nonlocal history
            decision = decide_replicas(Load(current, depth, measured), rules, history, now_seconds=now)
            history = decision.history
            return decision.replicas

        return scale

    return make


def ready_only(rules: ScalingRules) -> Callable[[], Scaler]:
    """Return scalers that do not see what is leased, as of a list's length."""

    def make() -> Scaler:
        scale = policy(rules)()
        return lambda current, depth, measured, now: scale(current, QueueDepth(depth.ready, 0), measured, now)

    return make


def fixed(replicas: int) -> Callable[[], Scaler]:
    """Return scalers that keep a number of workers while a round lasts."""
    return lambda: lambda _current, _depth, _measured, _now: replicas
