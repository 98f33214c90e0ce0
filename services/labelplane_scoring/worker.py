"""A worker that scores shards from the queue: `python -m labelplane_scoring.worker`, settings by LABELPLANE_*.

After SIGTERM no further shard is leased, the one in hand is finished within LABELPLANE_DRAIN_GRACE_SECONDS or given
back, and the process ends with code 0.
"""

import asyncio
import logging
import os
import signal
import sys

from prometheus_client import start_http_server

from labelplane_core.clock import SystemClock
from labelplane_core.errors import InvalidInput, LabelplaneError
from labelplane_core.leaving import leave
from labelplane_core.process import open_job_queues
from labelplane_core.settings import PREFIX, ServiceSettings
from labelplane_core.shards import Stage, work
from labelplane_core.storage import Layout, open_store
from labelplane_scoring.leased_scoring import LeasedScoring
from labelplane_scoring.served.connections import Connections

__all__ = ["run_worker"]

_log = logging.getLogger(__name__)

_OVERLAP = 3
"""Blocks in hand: one that is fetched, one that is inferred, one that is written."""
_HEARTBEATS_A_LEASE = 4
_WAIT_SECONDS = 1.0


def run_worker() -> int:
    """Work until SIGTERM or SIGINT and return the exit code: 0 after a drain, 2 for what people must mend."""
    try:
        settings = ServiceSettings.from_environment(os.environ)
        logging.basicConfig(
            level=settings.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
        )
        asyncio.run(_work(settings))
    except LabelplaneError as error:
        sys.stderr.write(f"labelplane scoring worker: {error}\n")
        return 2
    return 0


async def _work(settings: ServiceSettings) -> None:
    queues = open_job_queues(settings)
    if queues is None:
        raise InvalidInput(f"set {PREFIX}QUEUE_SERVERS: a worker takes its shards from a queue")
    stopping = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, stopping.set)
    options = settings.store_options()
    servers = Connections(SystemClock())
    handler = LeasedScoring(
        store=open_store(settings.store_uri, options=options),
        layout=Layout(),
        data=open_store(settings.data_uri, options=options, readonly=True),
        servers=servers,
    )
    if settings.metrics_port:
        start_http_server(settings.metrics_port)
    _log.info("scoring worker takes shards from %s", settings.queue_servers)
    try:
        report = await work(
            queues.open(Stage.SCORE),
            handler,
            stop=stopping,
            heartbeat_seconds=settings.queue_lease_seconds / _HEARTBEATS_A_LEASE,
            grace_seconds=settings.drain_grace_seconds,
            wait_seconds=_WAIT_SECONDS,
            overlap=_OVERLAP,
        )
        _log.info("scoring worker ends: %s", report)
    finally:
        await servers.close()
        await queues.close()


if __name__ == "__main__":
    leave(run_worker())
