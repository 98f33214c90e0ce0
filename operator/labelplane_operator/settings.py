"""Settings of the operator's process, from environment variables named LABELPLANE_*."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from labelplane_operator.errors import InvalidSettings

__all__ = ["PREFIX", "OperatorSettings"]

PREFIX = "LABELPLANE_"
_RENEW_SLACK = 1.2
"""How many retry periods fit into a renew deadline at least, so that one failed renewal is no lost lease."""


class OperatorSettings(BaseModel):
    """Who the operator is, what it watches, and which images its jobs run.

    Each field is the environment variable LABELPLANE_<FIELD IN CAPITALS>; lists are separated by commas.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    installation: str = Field(min_length=1, max_length=63, description="Names this installation in the stores it uses.")
    installation_key_file: Path = Field(description="File with the key that the tokens of jobs are derived from.")
    pod_name: str = Field(min_length=1, max_length=253, description="This pod; the holder of the Lease.")
    pod_namespace: str = Field(min_length=1, max_length=63, description="The namespace of this pod and of the Lease.")
    watch_namespaces: str = Field(default="", description="Namespaces to watch; empty watches all.")
    lease_name: str = Field(default="labelplane-operator", min_length=1, max_length=253)
    lease_duration_seconds: float = Field(default=15.0, ge=1, le=3600)
    renew_deadline_seconds: float = Field(default=10.0, gt=0, le=3600)
    retry_period_seconds: float = Field(default=2.0, gt=0, le=600)
    workers: int = Field(default=16, ge=1, le=256, description="How many jobs are reconciled at once.")
    resync_seconds: float = Field(default=600.0, ge=1, le=86_400, description="How often every kind is listed again.")
    health_port: int = Field(default=8080, ge=0, le=65535, description="Port of /healthz and /readyz.")
    metrics_port: int = Field(default=9090, ge=0, le=65535, description="Port of /metrics.")
    scaler_port: int = Field(default=0, ge=0, le=65535, description="Port of KEDA's external scaler; 0 serves none.")
    scaler_address: str = Field(
        default="", max_length=300, description="Where KEDA reaches the external scaler, host:port."
    )
    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    image_small: str = Field(min_length=1, description="Image of profile Small: all services in one.")
    image_aggregation: str = Field(min_length=1)
    image_scoring: str = Field(min_length=1)
    image_distillation: str = Field(min_length=1)
    image_review: str = Field(min_length=1)
    image_pull_policy: str = Field(default="IfNotPresent", pattern="^(Always|IfNotPresent|Never)$")
    image_pull_secrets: str = Field(default="", description="Names of Secrets that pull the images.")
    trusted_packages: str = Field(default="", description="Python packages whose functions may be rules of jobs.")
    service_address: str = Field(
        default="{service}.{namespace}.svc:50051",
        pattern=r"\{service\}",
        description="Where a job's Service is reached; {service} and {namespace} are filled in.",
    )
    review_address: str = Field(
        default="",
        pattern=r"^(https?://[^\s]+)?$",
        description="Where people reach the review page of all jobs; empty where there is none.",
    )
    queue_servers: str = Field(
        default="",
        pattern=r"^((nats|tls)://[^,\s]+(,(nats|tls)://[^,\s]+)*)?$",
        description="Addresses of NATS, with commas between; empty for none: then no scoring worker runs.",
    )
    queue_credentials: str = Field(
        default="",
        description="Folder with the operator's own user and password, ca.crt, tls.crt and tls.key; empty for none.",
    )
    queue_api_prefix: str = Field(
        default="$JS.API",
        min_length=1,
        description="Subjects of JetStream's API; {namespace} is filled in where each namespace has its own account.",
    )
    queue_credentials_secret: str = Field(
        default="", max_length=253, description="Secret in the jobs' namespaces with the credentials of their pods."
    )
    queue_replicas: int = Field(default=1, ge=1, le=5, description="How many servers of NATS keep a shard.")

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        if self.renew_deadline_seconds < _RENEW_SLACK * self.retry_period_seconds:
            raise ValueError("renew_deadline_seconds must be at least 1.2 times retry_period_seconds")
        if self.lease_duration_seconds <= self.renew_deadline_seconds:
            raise ValueError("lease_duration_seconds must be above renew_deadline_seconds")
        return self

    @model_validator(mode="after")
    def _scaler_is_reached(self) -> Self:
        if bool(self.scaler_port) != bool(self.scaler_address):
            raise ValueError("scaler_port and scaler_address go together: give both or neither")
        return self

    @field_validator("queue_api_prefix")
    @classmethod
    def _prefix_can_be_filled_in(cls, prefix: str) -> str:
        try:
            prefix.format(namespace="a")
        except (LookupError, ValueError) as error:
            raise ValueError("only {namespace} can be filled in") from error
        return prefix

    @field_validator("service_address")
    @classmethod
    def _address_can_be_filled_in(cls, address: str) -> str:
        try:
            address.format(service="a", namespace="b")
        except (LookupError, ValueError) as error:
            raise ValueError("only {service} and {namespace} can be filled in") from error
        return address

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Return the settings that the environment's LABELPLANE_* variables give; others are not read.

        Raises:
            InvalidSettings: naming each variable that is missing or out of bounds.
        """
        values = {
            name: environment[PREFIX + name.upper()]
            for name in cls.model_fields
            if PREFIX + name.upper() in environment
        }
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise InvalidSettings("; ".join(_problem(each["loc"], each["msg"]) for each in error.errors())) from error

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces to watch; none means all."""
        return _words(self.watch_namespaces)

    @property
    def trusted_package_names(self) -> tuple[str, ...]:
        """The packages whose functions may be rules of jobs."""
        return _words(self.trusted_packages)

    @property
    def pull_secrets(self) -> tuple[str, ...]:
        """The Secrets that pull the images."""
        return _words(self.image_pull_secrets)

    def read_installation_key(self) -> bytes:
        """Return the key that the tokens of jobs are derived from.

        Raises:
            InvalidSettings: the file cannot be read or is too short to be a key.
        """
        try:
            key = self.installation_key_file.read_bytes().strip()
        except OSError as error:
            name = f"{PREFIX}INSTALLATION_KEY_FILE {self.installation_key_file}"
            raise InvalidSettings(f"{name}: {error.strerror}: mount the installation's key there") from error
        if len(key) < _LEAST_KEY_BYTES:
            raise InvalidSettings(
                f"{PREFIX}INSTALLATION_KEY_FILE {self.installation_key_file}: has {len(key)} bytes, "
                f"{_LEAST_KEY_BYTES} are the least"
            )
        return key


_LEAST_KEY_BYTES = 16


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _problem(location: tuple[int | str, ...], message: str) -> str:
    return f"{PREFIX}{'_'.join(map(str, location)).upper()}: {message}" if location else message
