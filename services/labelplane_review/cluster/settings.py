"""Settings of the front on a cluster, from environment variables named LABELPLANE_*."""

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final, Self

from pydantic import Field, field_validator, model_validator

from labelplane_core.errors import InvalidInput
from labelplane_core.settings import PREFIX, EnvironmentSettings

__all__ = ["FrontSettings"]

_LEAST_KEY_BYTES: Final = 16
_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class FrontSettings(EnvironmentSettings):
    """Where the front listens, which jobs it shows, and whom it believes who somebody is."""

    installation_key_file: Path = Field(description="File with the key that the tokens of jobs are derived from.")
    watch_namespaces: str = Field(default="", description="Namespaces whose jobs are shown; empty shows all.")
    service_address: str = Field(
        default="{service}.{namespace}.svc:50051",
        pattern=r"\{service\}",
        description="Where a job's Service is reached; {service} and {namespace} are filled in.",
    )
    listen: str = Field(default="", description="Address of this machine to listen on; empty for all of them.")
    port: int = Field(default=8080, ge=0, le=65535, description="Port of pages, API, /healthz and /readyz.")
    api_server: str = Field(
        default="https://kubernetes.default.svc", pattern=r"^https://", description="Address of the API server."
    )
    api_token_file: Path = Field(default=_ACCOUNT / "token", description="Token of this process at the API server.")
    api_ca_file: Path = Field(default=_ACCOUNT / "ca.crt", description="Certificates that the API server must show.")
    token_audience: str = Field(default="", description="For whom people's tokens must be; empty for the API server.")
    user_header: str = Field(
        default="", pattern=r"^[A-Za-z0-9-]*$", description="Header in which a proxy names the user; empty for none."
    )
    groups_header: str = Field(
        default="", pattern=r"^[A-Za-z0-9-]*$", description="Header with the user's groups, commas between."
    )
    user_prefix: str = Field(default="", description="Put before the proxy's user names, as the API server does.")
    groups_prefix: str = Field(default="", description="Put before the proxy's groups.")
    proxy_addresses: str = Field(default="", description="Networks of the proxy, as in 10.1.0.0/16, commas between.")
    proxy_secret_file: Path | None = Field(
        default=None, description="File with what the proxy brings as X-Labelplane-Proxy-Secret."
    )

    @field_validator("service_address")
    @classmethod
    def _address_can_be_filled_in(cls, address: str) -> str:
        try:
            address.format(service="a", namespace="b")
        except (LookupError, ValueError) as error:
            raise ValueError("only {service} and {namespace} can be filled in") from error
        return address

    @field_validator("proxy_addresses")
    @classmethod
    def _addresses_are_networks(cls, addresses: str) -> str:
        for each in _words(addresses):
            ip_network(each)
        return addresses

    @model_validator(mode="after")
    def _proxy_can_be_told(self) -> Self:
        if self.user_header and not self.proxy_addresses and self.proxy_secret_file is None:
            raise ValueError(
                "user_header needs proxy_secret_file or proxy_addresses: without, anybody could write the header"
            )
        return self

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The namespaces to show; none means all."""
        return _words(self.watch_namespaces)

    @property
    def proxy_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks that the proxy calls from; none means any."""
        return tuple(ip_network(each) for each in _words(self.proxy_addresses))

    def read_installation_key(self) -> bytes:
        """Return the key that the tokens of jobs are derived from; `InvalidInput` when there is none."""
        return _read_secret("INSTALLATION_KEY_FILE", self.installation_key_file)

    def read_proxy_secret(self) -> bytes:
        """Return what the proxy brings, empty when it need not; `InvalidInput` when it cannot be read."""
        path = self.proxy_secret_file
        return b"" if path is None else _read_secret("PROXY_SECRET_FILE", path)


def _read_secret(name: str, path: Path) -> bytes:
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise InvalidInput(f"{PREFIX}{name} {path}: {error.strerror}: mount it there") from error
    if len(secret) < _LEAST_KEY_BYTES:
        raise InvalidInput(f"{PREFIX}{name} {path}: has {len(secret)} bytes, {_LEAST_KEY_BYTES} are the least")
    return secret


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())
