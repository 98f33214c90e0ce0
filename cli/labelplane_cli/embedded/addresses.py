"""Where a run's data and results lie: from the job, the file that it stands in and the flags."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from labelplane_api.job import LabelingJob
from labelplane_api.load import Manifests
from labelplane_cli.embedded.job_stores import JobStores, LabelStudioAccess
from labelplane_cli.errors import CliError
from labelplane_cli.terminal import folder_at
from labelplane_core.storage import ObjectStore, StoreOptions, open_signer, open_store
from labelplane_review.label_studio.assembly import data_signer

__all__ = ["TOKEN_VARIABLE", "RunAddresses", "resolve_addresses"]

TOKEN_VARIABLE: Final = "LABEL_STUDIO_TOKEN"  # noqa: S105 - a variable's name
"""The environment variable whose token is taken when the job file has no Secret."""


@dataclass(frozen=True, slots=True)
class RunAddresses:
    """The folder of the run, and the addresses of results and items."""

    folder: Path
    beside: Path
    store_uri: str
    data_uri: str
    options: StoreOptions
    ca_certificates: str = ""
    trusted_packages: tuple[str, ...] = ()
    items_endpoint: str = ""
    label_studio: LabelStudioAccess | None = None

    def open_stores(self, *, store: ObjectStore | None = None) -> JobStores:
        """Return all stores of the job, with another one for its results where given."""
        return JobStores(
            store=store or self.open_store(),
            data=self.open_data(),
            open_votes=self.open_votes,
            open_address=self.open_address,
            trusted_packages=self.trusted_packages,
            item_addresses=open_signer(self.data_uri, options=self._trusting(), endpoint=self.items_endpoint),
            data_signer=data_signer(self.data_uri, self._trusting(), endpoint=self.items_endpoint),
            label_studio=self.label_studio,
        )

    def open_store(self) -> ObjectStore:
        """Return the store of results."""
        return open_store(self.store_uri, options=self._trusting())

    def open_data(self) -> ObjectStore:
        """Return the store of items, read only."""
        return open_store(self.data_uri, options=self._trusting(), readonly=True)

    def open_votes(self, uri: str) -> ObjectStore:
        """Return the store of files of votes; a path is relative to the job file."""
        return open_store(_address(uri, self.beside), options=self._trusting())

    def open_address(self, uri: str) -> ObjectStore:
        """Return the store at an address of a knowledge base, read only; a path is relative to the job file."""
        return open_store(_address(uri, self.beside), options=self._trusting(), readonly=True)

    def _trusting(self) -> StoreOptions:
        """Return the options with the job's own certificates, which the client wants in a file."""
        if not self.ca_certificates:
            return self.options
        self.folder.mkdir(parents=True, exist_ok=True)
        bundle = self.folder / "ca.crt"
        bundle.write_text(self.ca_certificates, encoding="utf-8")
        return replace(self.options, ca_bundle=bundle)


def resolve_addresses(
    manifests: Manifests,
    *,
    beside: Path,
    data: str | None = None,
    out: str | None = None,
    trusted_packages: tuple[str, ...] = (),
    items_endpoint: str = "",
) -> RunAddresses:
    """Return the addresses; paths in the job are relative to `beside`, those of flags to the working folder.

    Functions of `trusted_packages` may run as rules. `items_endpoint` is where browsers reach the items' S3 server.

    Raises:
        CliError: the items' folder is not there, or a Secret that the job names is missing.
    """
    job = manifests.job
    data_uri = _address(data, Path()) if data else _address(job.spec.dataset.uri, beside)
    items = folder_at(data_uri)
    if items is not None and not items.is_dir():
        raise CliError(f"spec.dataset.uri: {items} is no folder: correct it, or give the items' folder with --data")
    store_uri = _address(out, Path()) if out else _address(job.spec.storage.uri, beside)
    folder = folder_at(store_uri)
    if folder is None:
        folder = Path(f"{job.metadata.name}-run").absolute()
        store_uri = job.address_below(store_uri)
    options = _options(job, manifests.secrets)
    return RunAddresses(
        folder,
        beside,
        store_uri,
        data_uri,
        options,
        _ca_certificates(job, manifests.config_maps),
        trusted_packages,
        items_endpoint,
        _label_studio(job, manifests),
    )


def _address(text: str, beside: Path) -> str:
    if "://" in text:
        return text
    return (beside / text).absolute().as_uri()


def _options(job: LabelingJob, secrets: Mapping[str, Mapping[str, str]]) -> StoreOptions:
    storage = job.spec.storage
    keys: Mapping[str, str] = {}
    if storage.credentials_secret:
        if storage.credentials_secret not in secrets:
            raise CliError(
                f"spec.storage.credentialsSecret: Secret {storage.credentials_secret} is not in the job file: "
                "add it there as a further document"
            )
        keys = secrets[storage.credentials_secret]
    return StoreOptions(
        endpoint=storage.endpoint or "",
        region=storage.region or "us-east-1",
        path_style=storage.path_style,
        access_key=keys.get("AWS_ACCESS_KEY_ID", ""),
        secret_key=keys.get("AWS_SECRET_ACCESS_KEY", ""),
        session_token=keys.get("AWS_SESSION_TOKEN", ""),
        allow_http=(storage.endpoint or "").startswith("http://"),
    )


def _label_studio(job: LabelingJob, manifests: Manifests) -> LabelStudioAccess | None:
    humans = job.spec.sources.humans
    connector = None if humans is None else humans.label_studio
    if connector is None:
        return None
    token = manifests.secrets.get(connector.token_secret, {}).get("token") or os.environ.get(TOKEN_VARIABLE, "")
    if not token:
        raise CliError(
            f"spec.sources.humans.labelStudio.tokenSecret: Secret {connector.token_secret} with the key token is not "
            f"in the job file: add it there as a further document, or set {TOKEN_VARIABLE}"
        )
    name = connector.ca_bundle_config_map
    if name is not None and "ca.crt" not in manifests.config_maps.get(name, {}):
        raise CliError(
            f"spec.sources.humans.labelStudio.caBundleConfigMap: ConfigMap {name} with the key ca.crt is not in the "
            "job file: add it there as a further document"
        )
    return LabelStudioAccess(token, "" if name is None else manifests.config_maps[name]["ca.crt"])


def _ca_certificates(job: LabelingJob, config_maps: Mapping[str, Mapping[str, str]]) -> str:
    name = job.spec.storage.ca_bundle_config_map
    if name is None:
        return ""
    if "ca.crt" not in config_maps.get(name, {}):
        raise CliError(
            f"spec.storage.caBundleConfigMap: ConfigMap {name} with the key ca.crt is not in the job file: "
            "add it there as a further document"
        )
    return config_maps[name]["ca.crt"]
