"""A real MinIO server for tests: a free port of the loopback address, a folder of its own, users of its own."""

import os
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile
from urllib.request import urlopen

from certificates import Certificate
from minio import Minio, MinioAdmin
from minio.credentials import StaticProvider
from real_parts import find_tool, free_ports, running
from s3_server import ACCESS_KEY, SECRET_KEY, options_for
from urllib3 import PoolManager

from labelplane_core.storage import StoreOptions

_READY_SECONDS = 60.0
_LOOK_SECONDS = 0.05
_ANYBODY = ssl._create_unverified_context()
"""The health of a server whose certificate is what a test is about."""


@dataclass(frozen=True)
class MinioServer:
    """A running server; `authority` is the file of the certificate that signs its own, None without TLS."""

    port: int
    authority: Path | None = None

    @property
    def endpoint(self) -> str:
        return f"http{'s' if self.authority else ''}://127.0.0.1:{self.port}"

    @property
    def options(self) -> StoreOptions:
        return options_for(self.endpoint, allow_http=self.authority is None, ca_bundle=self.authority)

    def make_bucket(self, name: str) -> str:
        """Make a bucket, and return its address."""
        client = PoolManager(ca_certs=None if self.authority is None else str(self.authority))
        keys = StaticProvider(ACCESS_KEY, SECRET_KEY)
        server = Minio(
            endpoint=f"127.0.0.1:{self.port}", credentials=keys, secure=self.authority is not None, http_client=client
        )
        server.make_bucket(bucket_name=name)
        return f"s3://{name}"

    def add_user(self, name: str, secret: str) -> None:
        """Let a user read and write every bucket."""
        admin = self._admin()
        admin.user_add(name, secret)
        admin.policy_set("readwrite", user=name)

    def remove_user(self, name: str) -> None:
        """Let a user do nothing any more."""
        self._admin().user_remove(name)

    def _admin(self) -> MinioAdmin:
        keys = StaticProvider(ACCESS_KEY, SECRET_KEY)
        return MinioAdmin(endpoint=f"127.0.0.1:{self.port}", credentials=keys, secure=False)


@contextmanager
def running_minio(
    folder: Path, *, certificate: Certificate | None = None, authority: Path | None = None
) -> Iterator[MinioServer]:
    """Start a server that keeps its objects below `folder`, and stop it by its process id afterwards.

    Args:
        folder: is made, and holds objects, certificates and the log.
        certificate: makes it speak TLS.
        authority: what signs the certificate.
    """
    binary, (port,) = find_tool("minio"), free_ports(1)
    certificates = folder / "certificates"
    certificates.mkdir(parents=True)
    if certificate is not None:
        copyfile(certificate.certificate, certificates / "public.crt")
        copyfile(certificate.key, certificates / "private.key")
    command = [binary, "server", "--quiet", "--address", f"127.0.0.1:{port}", "--certs-dir", str(certificates)]
    own = {
        "HOME": str(folder),
        "MINIO_ROOT_USER": ACCESS_KEY,
        "MINIO_ROOT_PASSWORD": SECRET_KEY,
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
        "MINIO_SITE_REGION": StoreOptions().region,  # without one it takes any
    }
    log = folder / "log"
    with running([*command, str(folder / "objects")], log=log, environment={**os.environ, **own}) as process:
        server = MinioServer(port, authority)
        _await_ready(process, server.endpoint, log)
        yield server


def _await_ready(process: "subprocess.Popen[bytes]", endpoint: str, log: Path) -> None:
    """Wait until the server says that it is ready, which is after its port is open."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urlopen(f"{endpoint}/minio/health/cluster", timeout=5, context=_ANYBODY):
            return
        time.sleep(_LOOK_SECONDS)
    raise RuntimeError(f"minio did not start: {log.read_text()[-2000:]}")
