"""Settings of a service process, from environment variables named LABELPLANE_*."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from labelplane_core.errors import InvalidInput
from labelplane_core.storage import StoreOptions

__all__ = ["PREFIX", "EnvironmentSettings", "ProcessSettings", "ServiceSettings"]

PREFIX = "LABELPLANE_"


class EnvironmentSettings(BaseModel):
    """What a process is told: each field is the environment variable LABELPLANE_<FIELD IN CAPITALS>."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    log_level: str = Field(default="INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Return the settings that the environment's LABELPLANE_* variables give; others are not read.

        Raises:
            InvalidInput: naming each variable that is missing or out of bounds.
        """
        known = set(cls.model_fields)
        values = {
            name.removeprefix(PREFIX).lower(): value
            for name, value in environment.items()
            if name.startswith(PREFIX) and name.removeprefix(PREFIX).lower() in known
        }
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise InvalidInput("; ".join(_problem(each["loc"], each["msg"]) for each in error.errors())) from error


class ProcessSettings(EnvironmentSettings):
    """What every process of a job is told: its token, how much it logs and how it reaches object storage."""

    token_file: Path | None = Field(default=None, description="File with the job's token, one line.")
    token: str = Field(default="", description="The job's token, when there is no file.")
    s3_endpoint: str = ""
    s3_region: str = "us-east-1"
    s3_path_style: bool = True
    s3_allow_http: bool = False
    s3_access_key: str = ""
    s3_secret_key: str = ""
    s3_session_token: str = ""
    s3_credentials: Path | None = Field(
        default=None,
        description="Folder with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, read again as they "
        "change; while it has none, the keys above count.",
    )
    s3_ca_bundle: Path | None = None

    def read_token(self) -> str:
        """Return the job's token.

        Raises:
            InvalidInput: no token is set, or its file cannot be read.
        """
        if self.token_file is not None:
            try:
                return self.token_file.read_text(encoding="utf-8").strip()
            except OSError as error:
                raise InvalidInput(f"{PREFIX}TOKEN_FILE {self.token_file}: {error.strerror}") from error
        if not self.token:
            raise InvalidInput(f"set {PREFIX}TOKEN_FILE or {PREFIX}TOKEN: every call must carry the job's token")
        return self.token

    def store_options(self) -> StoreOptions:
        """Return how to reach object storage."""
        return StoreOptions(
            endpoint=self.s3_endpoint,
            region=self.s3_region,
            path_style=self.s3_path_style,
            allow_http=self.s3_allow_http,
            access_key=self.s3_access_key,
            secret_key=self.s3_secret_key,
            session_token=self.s3_session_token,
            credentials=self.s3_credentials,
            ca_bundle=self.s3_ca_bundle,
        )


class ServiceSettings(ProcessSettings):
    """How a service process listens, whom it trusts and where its data lies."""

    store_uri: str = Field(
        min_length=1, description="Address of the job's output: s3://bucket/prefix or file:///folder."
    )
    data_uri: str = Field(min_length=1, description="Address of the data set, read only.")
    listen: str = Field(default="0.0.0.0:50051", description="host:port or unix:/path.")
    tls_certificate_file: Path | None = Field(default=None, description="PEM chain of this listener.")
    tls_key_file: Path | None = Field(default=None, description="PEM key of this listener.")
    metrics_port: int = Field(default=0, ge=0, le=65535, description="Port of /metrics; 0 serves none.")
    longest_call_seconds: float = Field(default=30.0, gt=0, le=600)
    drain_grace_seconds: float = Field(default=20.0, ge=0, le=3600)
    threads: int = Field(default=0, ge=0, le=1024, description="Threads of numeric libraries; 0 takes every core.")
    queue_servers: str = Field(
        default="", description="Addresses of NATS, with commas between; empty for a queue in this process."
    )
    queue_credentials: Path | None = Field(
        default=None, description="Folder with user and password, ca.crt, tls.crt and tls.key, as far as NATS asks."
    )
    queue_namespace: str = Field(default="", max_length=63, description="The job's namespace; it names the stream.")
    queue_job: str = Field(default="", max_length=63, description="The job's uid; it names the consumer.")
    queue_replicas: int = Field(default=1, ge=1, le=5, description="Servers of NATS that keep a shard.")
    queue_lease_seconds: float = Field(
        default=60.0, ge=1, le=3600, description="How long a shard stays with a worker of which nothing is heard."
    )
    trusted_packages: str = Field(
        default="",
        description="Python packages, with commas between, whose functions may run as rules; empty trusts none.",
    )

    items_endpoint: str = Field(
        default="",
        description="https://host[:port] at which browsers reach the S3 server of the data set: images are then shown "
        "from there by presigned addresses; empty streams them through the review page.",
    )

    @model_validator(mode="after")
    def _queue_is_whole(self) -> Self:
        if self.queue_servers and not (self.queue_namespace and self.queue_job):
            raise ValueError("queue_servers needs queue_namespace and queue_job, which name the job's shards")
        return self

    rules_folder: Path | None = Field(
        default=None, description="Folder with a folder for each mounted ConfigMap of rules; none where none is."
    )

    @property
    def trusted_package_names(self) -> tuple[str, ...]:
        """The packages that are trusted."""
        return tuple(name.strip() for name in self.trusted_packages.split(",") if name.strip())


def _problem(location: tuple[int | str, ...], message: str) -> str:
    return f"{PREFIX}{'_'.join(map(str, location)).upper()}: {message}" if location else message
