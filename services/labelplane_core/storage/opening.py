"""Opening a store from its address."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import SplitResult, unquote, urlsplit

from obstore.store import AzureStore, GCSStore, MemoryStore, S3Store

from labelplane_core.clock import SystemClock
from labelplane_core.errors import BadKey, StoreNotFound
from labelplane_core.storage.credentials import FolderKeys, Keys
from labelplane_core.storage.folder import FolderStore
from labelplane_core.storage.obstore_store import ObstoreStore, RetryPolicy
from labelplane_core.storage.readonly import ReadOnlyStore
from labelplane_core.storage.store import ObjectStore, check_prefix

if TYPE_CHECKING:
    from obstore.store import AzureConfig, S3Config

__all__ = ["StoreOptions", "open_bucket", "open_store"]


@dataclass(frozen=True, slots=True)
class StoreOptions:
    """How to reach object storage; a folder needs none of it.

    Without keys and a folder of them, the client takes credentials from the environment as the cloud's own tools do.

    Attributes:
        endpoint: URL of an S3-compatible server (`https://host:port`); empty for the cloud's own.
        region: The bucket's region.
        path_style: Whether the bucket stands in the path (most own servers) instead of the host name.
        access_key: Access key id (S3) or account name (Azure).
        secret_key: Secret key (S3) or account key (Azure); never shown.
        session_token: Token of temporary credentials.
        credentials: Folder with the keys of S3, read again as they change (`FolderKeys`); it goes first.
        allow_http: Whether an endpoint without TLS is accepted.
        ca_bundle: PEM file of further certificate authorities to trust.
        connect_timeout_seconds: Bound on opening a connection.
        timeout_seconds: Bound on one whole request; raise it where models are large and links slow.
        retry: How often retryable errors are tried again.
    """

    endpoint: str = ""
    region: str = "us-east-1"
    path_style: bool = True
    access_key: str = ""
    secret_key: str = field(default="", repr=False)
    session_token: str = field(default="", repr=False)
    credentials: Path | None = None
    allow_http: bool = False
    ca_bundle: Path | None = None
    connect_timeout_seconds: float = 5.0
    timeout_seconds: float = 60.0
    retry: RetryPolicy = field(default_factory=RetryPolicy)


def open_store(uri: str, *, options: StoreOptions | None = None, readonly: bool = False) -> ObjectStore:
    """Return the store at `uri`, whose keys are relative to the address' own path; nothing is contacted yet.

    Addresses are `file:///absolute/folder`, `s3://bucket/prefix`, `gs://bucket/prefix`, `az://container/prefix`, and
    `memory://`, an empty store of its own for tests. A folder is made by the first write; opened `readonly` it must
    be there.

    Raises:
        BadKey: The address is malformed.
        StoreNotFound: A folder to read from does not exist, or a certificate file cannot be read.
    """
    parts = urlsplit(uri)
    if parts.query or parts.fragment:
        raise BadKey(f"address {uri!r} must not have a query or fragment: set options instead")
    if parts.username or parts.password:
        raise BadKey(f"address of {parts.hostname} holds credentials: set them as options instead")
    store = _open(uri, parts, options or StoreOptions(), readonly=readonly)
    return ReadOnlyStore(store, where=uri) if readonly else store


def _open(uri: str, parts: SplitResult, options: StoreOptions, *, readonly: bool) -> ObjectStore:
    match parts.scheme:
        case "file":
            return FolderStore(_folder(uri, parts, must_exist=readonly))
        case "memory":
            return ObstoreStore(MemoryStore(), where=uri, verify=False)
        case "s3" | "gs" | "az" if parts.hostname:
            return _open_bucket(uri, parts, options)
    raise BadKey(
        f"address {uri!r} must be file:///folder, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"
    )


def _folder(uri: str, parts: SplitResult, *, must_exist: bool) -> Path:
    path = Path(unquote(parts.path))
    if parts.netloc or not path.is_absolute():
        raise BadKey(f"address {uri!r} must name an absolute folder: file:///folder")
    if must_exist and not path.is_dir():
        raise StoreNotFound(f"folder {path} does not exist or is no folder")
    return path


def open_bucket(uri: str, *, options: StoreOptions) -> Any:
    """Return obstore's own store of an S3 bucket, its keys relative to the address' path; nothing is contacted yet."""
    parts = urlsplit(uri)
    config = cast("S3Config", _s3_config(parts.netloc, options))
    if options.credentials is None:
        return S3Store(parts.netloc, config=config, **_shared(parts, options))
    keys = Keys(options.access_key, options.secret_key, options.session_token)
    provider = FolderKeys(options.credentials, otherwise=keys, clock=SystemClock())
    return S3Store(parts.netloc, config=config, credential_provider=provider, **_shared(parts, options))


def _shared(parts: SplitResult, options: StoreOptions) -> dict[str, Any]:
    prefix = check_prefix(unquote(parts.path).strip("/")) or None
    return {
        "prefix": prefix,
        "client_options": _client_options(options),
        # Retries are ours: obstore's own would hide that an answer to a conditional put was lost.
        "retry_config": {"max_retries": 0},
    }


def _open_bucket(uri: str, parts: SplitResult, options: StoreOptions) -> ObstoreStore:
    if parts.scheme == "s3":
        return ObstoreStore(open_bucket(uri, options=options), where=uri, retry=options.retry)
    shared = _shared(parts, options)
    if parts.scheme == "gs":
        store = GCSStore(parts.netloc, **shared)
        return ObstoreStore(store, where=uri, retry=options.retry, by_version=True)
    return ObstoreStore(
        AzureStore(parts.netloc, config=cast("AzureConfig", _azure_config(options)), **shared),
        where=uri,
        retry=options.retry,
    )


def _client_options(options: StoreOptions) -> dict[str, Any]:
    client: dict[str, Any] = {
        "allow_http": options.allow_http,
        "connect_timeout": f"{round(options.connect_timeout_seconds * 1000)}ms",
        "timeout": f"{round(options.timeout_seconds * 1000)}ms",
    }
    if options.ca_bundle is not None:
        try:
            client["root_certificate"] = options.ca_bundle.read_bytes()
        except OSError as error:
            raise StoreNotFound(f"certificate file {options.ca_bundle} cannot be read: {error.strerror}") from error
    return client


def _s3_config(bucket: str, options: StoreOptions) -> dict[str, Any]:
    config: dict[str, Any] = {
        "region": options.region,
        "virtual_hosted_style_request": not options.path_style,
        # The server refuses a body that was damaged on the way.
        "checksum_algorithm": "SHA256",
        "conditional_put": "etag",
    }
    named = {"endpoint": _endpoint_of(bucket, options)}
    if options.credentials is None:
        named |= {
            "access_key_id": options.access_key,
            "secret_access_key": options.secret_key,
            "session_token": options.session_token,
        }
    return config | {name: value for name, value in named.items() if value}


def _endpoint_of(bucket: str, options: StoreOptions) -> str:
    """Return where the bucket answers: the client puts it into the path by itself, and into the host name never."""
    if options.path_style or not options.endpoint:
        return options.endpoint
    parts = urlsplit(options.endpoint)
    if parts.netloc.startswith(f"{bucket}."):
        return options.endpoint
    return parts._replace(netloc=f"{bucket}.{parts.netloc}").geturl()


def _azure_config(options: StoreOptions) -> dict[str, Any]:
    named = {"endpoint": options.endpoint, "account_name": options.access_key, "account_key": options.secret_key}
    return {name: value for name, value in named.items() if value}
