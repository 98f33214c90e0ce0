"""Who may use the queue: certificates, passwords, and an account for each namespace on a real NATS server."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from certificates import Certificate, make_certificate
from lapsing_queue import SettledQueue, make_address
from nats_server import NatsServer, running_nats_server
from queue_conformance import make_shard

from labelplane_core.clock import SystemClock
from labelplane_core.errors import LabelplaneError, QueueError, QueueRefused, QueueUnavailable
from labelplane_core.queue import Depth
from labelplane_core.queue.connection import QueueAccess, QueueConnection

CONFIGURATION = """
tls {{ cert_file: "{certificate}", key_file: "{key}" }}
accounts {{
  team-a {{ jetstream: enabled, users: [{{user: team-a, password: secret-a}}] }}
  team-b {{ jetstream: enabled, users: [{{user: team-b, password: secret-b}}] }}
  no-streams {{ users: [{{user: no-streams, password: secret-n}}] }}
  narrow {{
    jetstream: enabled
    users: [{{user: narrow, password: secret-o, permissions: {{publish: "labelplane.>"}}}}]
  }}
}}
"""


@dataclass(frozen=True)
class Guarded:
    """A server with certificates and accounts, and what a client must hold to reach it."""

    server: NatsServer
    certificate: Certificate
    folder: Path

    @property
    def address(self) -> str:
        return self.server.address.replace("nats://", "tls://")

    def credentials(self, name: str, **files: str) -> Path:
        """Write a folder of credentials, as a mounted Secret has it."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        for file, text in files.items():
            (folder / file.replace("_", ".")).write_text(text)
        return folder

    def user(self, name: str, password: str) -> Path:
        return self.credentials(
            f"{name}-{password}", user=name, password=f"{password}\n", ca_crt=self.certificate.certificate.read_text()
        )


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded-nats")
    made = make_certificate(folder / "certificates")
    configuration = CONFIGURATION.format(certificate=made.certificate, key=made.key)
    with running_nats_server(folder / "server", configuration=configuration) as server:
        yield Guarded(server, made, folder)


async def depth_after_put(address: str, credentials: Path | None, *, namespace: str = "team-a") -> Depth:
    connection = QueueConnection(QueueAccess(address, credentials))
    queue = SettledQueue(connection, make_address(namespace=namespace, job="job"), clock=SystemClock())
    try:
        await queue.put(make_shard())
        return await queue.depth()
    finally:
        await connection.close()


async def test_namespace_is_let_in_by_its_password_over_tls(guarded: Guarded) -> None:
    depth = await depth_after_put(guarded.address, guarded.user("team-a", "secret-a"))
    assert depth == Depth(ready=1, leased=0)


async def test_account_of_another_namespace_holds_other_shards(guarded: Guarded) -> None:
    await depth_after_put(guarded.address, guarded.user("team-a", "secret-a"))
    connection = QueueConnection(QueueAccess(guarded.address, guarded.user("team-b", "secret-b")))
    queue = SettledQueue(connection, make_address(namespace="team-a", job="job"), clock=SystemClock())

    assert await queue.lease(0) is None
    await connection.close()


REFUSALS = [
    pytest.param("team-a", "wrong", QueueError, "(?i)authorization violation.*correct the credentials", id="password"),
    pytest.param("no-streams", "secret-n", QueueError, "(?i)jetstream", id="account without JetStream"),
    pytest.param("narrow", "secret-o", QueueError, "(?i)permissions violation", id="user that may make no stream"),
]


@pytest.mark.parametrize(("user", "password", "want_error", "want_text"), REFUSALS)
async def test_wrong_credentials_are_refused_with_what_to_do(
    guarded: Guarded, user: str, password: str, want_error: type[LabelplaneError], want_text: str
) -> None:
    refusal: LabelplaneError = QueueUnavailable("not asked yet")
    while isinstance(refusal, QueueUnavailable):  # not every try hears why the server hangs up
        with pytest.raises(want_error) as caught:
            await depth_after_put(guarded.address, guarded.user(user, password))
        refusal = caught.value
    assert re.search(want_text, str(refusal))


async def test_server_whose_certificate_nobody_vouches_for_is_not_spoken_to(guarded: Guarded, tmp_path: Path) -> None:
    stranger = make_certificate(tmp_path, "stranger")
    credentials = guarded.credentials(
        "stranger", user="team-a", password="secret-a", ca_crt=stranger.certificate.read_text()
    )
    with pytest.raises(QueueUnavailable, match=r"(?i)certificate verify failed"):
        await depth_after_put(guarded.address, credentials)


async def test_credentials_that_cannot_be_read_are_named(guarded: Guarded) -> None:
    credentials = guarded.credentials("damaged", user="team-a", password="secret-a", ca_crt="no certificate")
    with pytest.raises(QueueRefused, match=f"credentials of the queue in {credentials}"):
        await depth_after_put(guarded.address, credentials)


async def test_changed_password_counts_for_the_next_connection(guarded: Guarded) -> None:
    credentials = guarded.credentials(
        "rotated", user="team-a", password="old", ca_crt=guarded.certificate.certificate.read_text()
    )
    connection = QueueConnection(QueueAccess(guarded.address, credentials))
    queue = SettledQueue(connection, make_address(job="rotated"), clock=SystemClock())
    with pytest.raises(QueueError):
        await queue.put(make_shard())
    (credentials / "password").write_text("secret-a")

    is_put = False
    while not is_put:
        with suppress(QueueError):
            await queue.put(make_shard())
            is_put = True

    assert await queue.depth() == Depth(ready=1, leased=0)
    await connection.close()
