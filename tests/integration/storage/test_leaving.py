"""A process that used object storage ends with the code that it means."""

import subprocess
import sys
from pathlib import Path

from s3_server import ACCESS_KEY, SECRET_KEY, running_s3_server

READS = """
import asyncio, sys
from labelplane_core.leaving import leave
from labelplane_core.storage import StoreOptions, open_store
endpoint, access_key, secret_key = sys.argv[1:]
options = StoreOptions(endpoint=endpoint, access_key=access_key, secret_key=secret_key, allow_http=True)

async def read():
    store = open_store("s3://labels", options=options)
    await store.put("k", b"told")
    return (await store.get("k")).data.decode()

sys.stdout.write(asyncio.run(read()))
leave(3)
"""
PROCESSES = 12
"""Without `leave` about one in four is aborted, with the libraries that were in use when this was written."""


def test_no_process_is_aborted_after_it_has_read_an_object(tmp_path: Path) -> None:
    with running_s3_server(tmp_path / "s3") as s3:
        s3.make_bucket("labels")
        command = [sys.executable, "-c", READS, s3.endpoint, ACCESS_KEY, SECRET_KEY]
        ended = [subprocess.run(command, capture_output=True, text=True, check=False) for _ in range(PROCESSES)]

    assert [(each.returncode, each.stdout) for each in ended] == [(3, "told")] * PROCESSES
