"""The operator reads the depth of every namespace's queue by its own account, and can do nothing else with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from lapsing_queue import SettledQueue, make_address
from nats_server import NatsServer, running_nats_server
from queue_conformance import leased, make_shard

from labelplane_core.clock import SystemClock
from labelplane_core.queue.connection import QueueAccess, QueueConnection
from labelplane_core.shards import Stage
from labelplane_operator.errors import QueueAway
from labelplane_operator.policies.keda import queue_subject
from labelplane_operator.policies.scaling import QueueDepth
from labelplane_operator.queue_depths import NatsDepths, QueueServers

# As docs/operations.md has it.
ACCOUNTS = """
accounts {
  team-a {
    jetstream: enabled
    users: [{user: team-a, password: a}]
    exports: [{service: "$JS.API.CONSUMER.INFO.labelplane_team-a.>", accounts: [labelplane]}]
  }
  team-b {
    jetstream: enabled
    users: [{user: team-b, password: b}]
    exports: [{service: "$JS.API.CONSUMER.INFO.labelplane_team-b.>", accounts: [labelplane]}]
  }
  labelplane {
    users: [{user: operator, password: o}]
    imports: [
      {
        service: {account: team-a, subject: "$JS.API.CONSUMER.INFO.labelplane_team-a.>"}
        to: "labelplane-depth.team-a.CONSUMER.INFO.labelplane_team-a.>"
      }
      {
        service: {account: team-b, subject: "$JS.API.CONSUMER.INFO.labelplane_team-b.>"}
        to: "labelplane-depth.team-b.CONSUMER.INFO.labelplane_team-b.>"
      }
    ]
  }
}
"""


@pytest.fixture(scope="module")
def accounts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with running_nats_server(tmp_path_factory.mktemp("accounts"), configuration=ACCOUNTS) as server:
        yield server


def credentials(folder: Path, user: str, password: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "user").write_text(user)
    (folder / "password").write_text(password)
    return folder


async def put_two_and_lease_one(address: str, namespace: str, folder: Path | None) -> None:
    connection = QueueConnection(QueueAccess(address, folder))
    queue = SettledQueue(connection, make_address(namespace=namespace, job="job"), clock=SystemClock())
    await queue.put(make_shard(0))
    await queue.put(make_shard(1))
    await leased(queue)
    await connection.close()


async def test_depth_of_each_namespace_is_read_by_one_account(accounts: NatsServer, tmp_path: Path) -> None:
    for namespace, password in (("team-a", "a"), ("team-b", "b")):
        folder = credentials(tmp_path / namespace, namespace, password)
        await put_two_and_lease_one(accounts.address, namespace, folder)
    depths = NatsDepths(
        QueueServers(
            accounts.address,
            credentials(tmp_path / "operator", "operator", "o"),
            api_prefix="labelplane-depth.{namespace}",
        )
    )

    for namespace in ("team-a", "team-b"):
        found = await depths.depth(queue_subject(namespace, "job", Stage.SCORE.value))
        assert found == QueueDepth(ready=1, leased=1)
    await depths.close()


async def test_queue_that_nobody_has_made_is_empty(nats: NatsServer) -> None:
    depths = NatsDepths(QueueServers(nats.address))
    no_stream = await depths.depth(queue_subject("nobody", "job", "score"))
    await put_two_and_lease_one(nats.address, "somebody", None)
    no_consumer = await depths.depth(queue_subject("somebody", "another-job", "score"))
    await depths.close()

    assert no_stream == no_consumer == QueueDepth(ready=0, leased=0)


async def test_queue_that_is_away_is_no_empty_one_and_is_read_again_when_it_is_back(tmp_path: Path) -> None:
    with running_nats_server(tmp_path) as server:
        depths = NatsDepths(QueueServers(server.address))
        await put_two_and_lease_one(server.address, "team-a", None)
        server.stop()
        with pytest.raises(QueueAway, match=f"NATS at {server.address} does not answer"):
            await depths.depth(queue_subject("team-a", "job", "score"))
        server.start()

        found = None
        while found is None:
            try:
                found = await depths.depth(queue_subject("team-a", "job", "score"))
            except QueueAway:
                continue
        await depths.close()

    assert found == QueueDepth(ready=1, leased=1)


async def test_wrong_credentials_are_told(accounts: NatsServer, tmp_path: Path) -> None:
    depths = NatsDepths(QueueServers(accounts.address, credentials(tmp_path / "wrong", "operator", "x")))
    told = ""
    while "authorization violation" not in told.lower():  # not every try hears why the server hangs up
        with pytest.raises(QueueAway) as caught:
            await depths.depth(queue_subject("team-a", "job", "score"))
        told = str(caught.value)
    await depths.close()
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "ca.crt").write_text("no certificate")
    with pytest.raises(QueueAway, match=f"credentials of the queue in {damaged}"):
        await NatsDepths(QueueServers(accounts.address, damaged)).depth(queue_subject("team-a", "job", "score"))


def test_operator_and_services_name_a_queue_alike() -> None:
    address = make_address(namespace="team-a", job="uid")
    assert address.subjects == f"{queue_subject('team-a', 'uid', 'score')}.>"
