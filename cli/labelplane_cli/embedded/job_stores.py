"""The stores of one job."""

from collections.abc import Callable
from dataclasses import dataclass, field

from labelplane_core.storage import AddressSigner, ObjectStore

__all__ = ["JobStores", "LabelStudioAccess"]


@dataclass(frozen=True, slots=True)
class LabelStudioAccess:
    """A token of a Label Studio server, and the certificates to trust it by as PEM; empty for the system's."""

    token: str = field(repr=False)
    ca_certificates: str = ""


@dataclass(frozen=True, slots=True)
class JobStores:
    """Where a job's results, items, files of votes and knowledge bases lie, and whose functions may be rules.

    `data_signer` gives items addresses that browsers read; None where they lie in no bucket.
    """

    store: ObjectStore
    data: ObjectStore
    open_votes: Callable[[str], ObjectStore]
    open_address: Callable[[str], ObjectStore]
    trusted_packages: tuple[str, ...] = ()
    data_signer: AddressSigner | None = None
    label_studio: LabelStudioAccess | None = None
