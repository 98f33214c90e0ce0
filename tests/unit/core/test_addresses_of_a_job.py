"""Which other addresses a service of a job opens."""

import pytest

from labelplane_core.errors import BadKey
from labelplane_core.process import open_in_cluster
from labelplane_core.storage import ObjectStore, StoreOptions


@pytest.mark.parametrize("address", ["terms", "/etc/passwd", "file:///etc", "memory://"])
def test_a_path_of_the_machine_is_nothing_that_a_job_may_read(address: str) -> None:
    with pytest.raises(BadKey, match="on a cluster give s3://bucket/prefix"):
        open_in_cluster(address, options=StoreOptions())


def test_a_bucket_is_opened_read_only_with_the_jobs_own_credentials() -> None:
    store: ObjectStore = open_in_cluster("s3://bucket/terms", options=StoreOptions(access_key="a", secret_key="s"))

    assert type(store).__name__ == "ReadOnlyStore"
