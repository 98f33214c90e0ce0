"""The stores of one job."""

from collections.abc import Callable
from dataclasses import dataclass

from labelplane_core.storage import AddressSigner, ObjectStore

__all__ = ["JobStores"]


@dataclass(frozen=True, slots=True)
class JobStores:
    """Where a job's results, items, files of votes and knowledge bases lie, and whose functions may be rules.

    `item_addresses` gives items addresses at which browsers read them; None where the page hands their bytes on.
    """

    store: ObjectStore
    data: ObjectStore
    open_votes: Callable[[str], ObjectStore]
    open_address: Callable[[str], ObjectStore]
    trusted_packages: tuple[str, ...] = ()
    item_addresses: AddressSigner | None = None
