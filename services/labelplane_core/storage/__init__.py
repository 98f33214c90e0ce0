"""Object storage: bytes under keys with conditional writes, over folders, S3, GCS, Azure and memory."""

from labelplane_core.storage.folder import FolderStore
from labelplane_core.storage.layout import Layout
from labelplane_core.storage.obstore_store import ObstoreStore, RetryPolicy
from labelplane_core.storage.opening import StoreOptions, open_store
from labelplane_core.storage.overlay import OverlayStore
from labelplane_core.storage.probe import probe_conditional_put
from labelplane_core.storage.readonly import ReadOnlyStore
from labelplane_core.storage.signing import AddressSigner, BucketSigner, open_signer
from labelplane_core.storage.store import ObjectInfo, ObjectStore, StoredObject, put_once

__all__ = [
    "AddressSigner",
    "BucketSigner",
    "FolderStore",
    "Layout",
    "ObjectInfo",
    "ObjectStore",
    "ObstoreStore",
    "OverlayStore",
    "ReadOnlyStore",
    "RetryPolicy",
    "StoreOptions",
    "StoredObject",
    "open_signer",
    "open_store",
    "probe_conditional_put",
    "put_once",
]
