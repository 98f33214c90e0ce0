"""The process that removes the results of a deleted job, on a real S3 server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from s3_server import ACCESS_KEY, SECRET_KEY, S3Server, running_s3_server

from labelplane_core.storage import open_store

CLAIM = {"installation": "test", "namespace": "team", "name": "digits", "dataset": "d"}
OBJECTS = 1100
"""More than a server lists at once."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with running_s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


async def _fill(server: S3Server, bucket: str, *, objects: int) -> str:
    """Put results of a job, and what is nobody's beside them, into a new bucket; return the address of the results."""
    address = f"{server.make_bucket(bucket)}/out/team/digits"
    results = open_store(address, options=server.options)
    for number in range(objects):
        await results.put(f"rounds/0000/score/1/part-{number:05d}.parquet", b"x")
    await results.put("owner.json", json.dumps(CLAIM).encode())
    await open_store(f"s3://{bucket}", options=server.options).put("out/team/digits-2/owner.json", b"x")
    return address


def _clean_up(server: S3Server, address: str, **changes: str) -> "subprocess.CompletedProcess[str]":
    settings = {
        "STORE_URI": address,
        "INSTALLATION": "test",
        "JOB_NAMESPACE": "team",
        "JOB_NAME": "digits",
        "S3_ENDPOINT": server.endpoint,
        "S3_ALLOW_HTTP": "true",
        "S3_ACCESS_KEY": ACCESS_KEY,
        "S3_SECRET_KEY": SECRET_KEY,
    }
    environment = {f"LABELPLANE_{name}": value for name, value in (settings | changes).items()}
    inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    command = [sys.executable, "-m", "labelplane_aggregation.cleanup"]
    return subprocess.run(command, env=inherited | environment, capture_output=True, text=True, check=False)


async def _keys(server: S3Server, bucket: str) -> set[str]:
    return {info.key async for info in open_store(f"s3://{bucket}", options=server.options).list()}


async def test_everything_below_the_prefix_goes_and_nothing_beside_it(server: S3Server) -> None:
    address = await _fill(server, "whole", objects=OBJECTS)

    ended = _clean_up(server, address)
    again = _clean_up(server, address)

    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"labelplane cleanup: 1,101 objects below {address} are removed\n"
    assert again.stdout == f"labelplane cleanup: 0 objects below {address} are removed\n"
    assert await _keys(server, "whole") == {"out/team/digits-2/owner.json"}


@pytest.mark.parametrize(
    ("changes", "want_code", "want"),
    [
        pytest.param({"INSTALLATION": "other"}, 2, "belongs to job team/digits of installation test", id="not its own"),
        pytest.param({"S3_SECRET_KEY": "wrong"}, 2, "access denied", id="wrong keys"),
        pytest.param({"STORE_URI": "s3://nowhere/out"}, 2, "bucket does not exist", id="no bucket"),
        pytest.param({"S3_ENDPOINT": "http://127.0.0.1:9"}, 1, "127.0.0.1:9", id="no server"),
    ],
)
async def test_what_cannot_be_removed_is_told_in_one_line_and_stays(
    server: S3Server, request: pytest.FixtureRequest, changes: dict[str, str], want_code: int, want: str
) -> None:
    bucket = f"refused-{request.node.callspec.id.replace(' ', '-')}"
    address = await _fill(server, bucket, objects=2)

    ended = _clean_up(server, address, **changes)

    (line,) = ended.stderr.splitlines()
    assert ended.returncode == want_code, line
    assert line.startswith("labelplane cleanup: ")
    assert want in line
    assert len(await _keys(server, bucket)) == 4
