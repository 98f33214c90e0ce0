from pathlib import Path
from urllib.parse import urlsplit

import pytest
from mounted_secret import ACCESS, SECRET, MountedSecret

from labelplane_core.storage import StoreOptions, open_signer

OPTIONS = {"access_key": "a", "secret_key": "s"}


@pytest.mark.parametrize(
    ("path_style", "endpoint", "want"),
    [
        pytest.param(True, "https://minio:9000", "https://minio:9000/labels/team/a", id="in the path"),
        pytest.param(False, "https://s3.example.com", "https://labels.s3.example.com/team/a", id="in the host name"),
        pytest.param(
            False, "https://s3.example.com:9000", "https://labels.s3.example.com:9000/team/a", id="with a port"
        ),
        pytest.param(
            False, "https://labels.s3.example.com", "https://labels.s3.example.com/team/a", id="named in the endpoint"
        ),
    ],
)
async def test_bucket_stands_where_the_server_looks_for_it(path_style: bool, endpoint: str, want: str) -> None:
    signer = open_signer("s3://labels/team", options=StoreOptions(path_style=path_style, **OPTIONS), endpoint=endpoint)

    assert signer is not None
    assert (await signer.address("a", seconds=60)).partition("?")[0] == want


async def test_addresses_are_signed_by_the_keys_that_a_folder_holds_now(tmp_path: Path) -> None:
    secret = MountedSecret(tmp_path / "keys")
    secret.turn_to({ACCESS: "now", SECRET: "s"})
    signer = open_signer(
        "s3://labels", options=StoreOptions(credentials=secret.folder, **OPTIONS), endpoint="https://minio:9000"
    )

    assert signer is not None
    assert "X-Amz-Credential=now%2F" in urlsplit(await signer.address("a", seconds=60)).query
