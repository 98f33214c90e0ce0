"""What an installation of labelplane is: images, ports, and where its own pods run."""

from dataclasses import dataclass

__all__ = ["Images", "Platform"]


@dataclass(frozen=True, slots=True)
class Images:
    """The images of a job's containers; their user must be a number other than 0.

    Attributes:
        pull_policy: Always, IfNotPresent or Never.
        pull_secrets: names of Secrets in the job's own namespace.
    """

    small: str
    aggregation: str
    scoring: str
    distillation: str
    review: str
    pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Platform:
    """An installation, as far as a job's objects depend on it.

    Attributes:
        installation: its id, noted on every object.
        namespace: where operator and review service run; only their pods there may call a job's services. Empty
            allows pods with their labels in every namespace.
        service_port: of gRPC.
        metrics_port: of /metrics.
        has_queue: whether NATS is there. Without it a service works its own shards, and no scoring worker runs.
        queue_port: of NATS.
        scaler_address: where KEDA reaches the operator's external scaler, `host:port`; empty without KEDA.
    """

    images: Images
    installation: str
    namespace: str = ""
    service_port: int = 50051
    metrics_port: int = 9090
    has_queue: bool = False
    queue_port: int = 4222
    scaler_address: str = ""
