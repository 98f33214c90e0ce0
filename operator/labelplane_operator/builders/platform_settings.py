"""What an installation of labelplane is: images, ports, and where its own pods run."""

from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["Images", "Platform", "Queue"]

_NATS_PORT = 4222


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
class Queue:
    """NATS, as the pods of jobs reach it.

    Attributes:
        servers: addresses with commas between, `nats://` or `tls://`.
        credentials_secret: the Secret in each job's namespace with `user` and `password`, `ca.crt`, and `tls.crt` with
            `tls.key`, as far as NATS asks for them; empty for none.
        replicas: how many servers of NATS keep a shard.
    """

    servers: str
    credentials_secret: str = ""
    replicas: int = 1

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports of the servers."""
        return tuple(sorted({urlsplit(each.strip()).port or _NATS_PORT for each in self.servers.split(",")}))


@dataclass(frozen=True, slots=True)
class Platform:
    """An installation, as far as a job's objects depend on it.

    Attributes:
        installation: its id, noted on every object.
        namespace: where operator and review service run; only their pods there may call a job's services. Empty
            allows pods with their labels in every namespace.
        service_port: of gRPC.
        metrics_port: of /metrics.
        queue: NATS. Without it a service works its own shards, and no scoring worker runs.
        scaler_address: where KEDA reaches the operator's external scaler, `host:port`; empty without KEDA.
    """

    images: Images
    installation: str
    namespace: str = ""
    service_port: int = 50051
    metrics_port: int = 9090
    queue: Queue | None = None
    trusted_packages: tuple[str, ...] = ()
    scaler_address: str = ""
