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

    `item_addresses` gives items addresses at which browsers read them; None where the page hands their bytes on.
    `data_signer` gives such addresses to Label Studio, with the job's own endpoint where nobody names another.
    """

    store: ObjectStore
    data: ObjectStore
    open_votes: Callable[[str], ObjectStore]
    open_address: Callable[[str], ObjectStore]
    trusted_packages: tuple[str, ...] = ()
    item_addresses: AddressSigner | None = None
    data_signer: AddressSigner | None = None
    label_studio: LabelStudioAccess | None = None
