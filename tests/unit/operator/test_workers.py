"""Workers: how a reconcile ends says when its key comes again, and leaving waits for nobody for long."""

import asyncio
import logging

import pytest
from prometheus_client import CollectorRegistry

from labelplane_operator.cache import JobKey
from labelplane_operator.errors import ApiConflict, ApiUnavailable, NotLeader
from labelplane_operator.metrics import OperatorMetrics
from labelplane_operator.workers import Reconcile, Workers
from labelplane_operator.workqueue import WorkQueue

KEY = ("team", "digits")


async def _work(reconcile: Reconcile, *, leave_seconds: float = 10.0) -> tuple[WorkQueue[JobKey], CollectorRegistry]:
    """Have one key worked on, and leave once that has begun."""
    queue: WorkQueue[JobKey] = WorkQueue()
    registry = CollectorRegistry()
    begun = asyncio.Event()

    async def noted(key: JobKey) -> float | None:
        begun.set()
        return await reconcile(key)

    async with Workers(queue, noted, OperatorMetrics(registry)).running(2, leave_seconds=leave_seconds):
        queue.add(KEY)
        await begun.wait()
    return queue, registry


def _reconciled(registry: CollectorRegistry, outcome: str) -> float:
    return registry.get_sample_value("labelplane_operator_reconcile_seconds_count", {"outcome": outcome}) or 0.0


async def test_a_reconcile_that_goes_well_is_counted_and_its_failures_are_forgotten() -> None:
    async def fine(_: JobKey) -> float | None:
        return 5.0

    queue, registry = await _work(fine)

    assert _reconciled(registry, "success") == 1
    assert queue.longest_work_seconds() == 0
    assert queue.retry(KEY) == 0.5


@pytest.mark.parametrize(
    ("error", "level", "said"),
    [
        pytest.param(ApiUnavailable("get /x: away"), logging.WARNING, "team/digits: get /x: away", id="nobody answers"),
        pytest.param(ApiConflict("put /x", 409, "old"), None, "", id="an old state of the cache"),
        pytest.param(NotLeader("put /x"), None, "", id="another one leads"),
        pytest.param(KeyError("spec"), logging.ERROR, "team/digits: a defect; tried again in 0.5 s", id="a defect"),
    ],
)
async def test_a_reconcile_that_fails_comes_again_and_is_told(
    caplog: pytest.LogCaptureFixture, error: Exception, level: int | None, said: str
) -> None:
    caplog.set_level(logging.INFO)

    async def failing(_: JobKey) -> float | None:
        raise error

    queue, registry = await _work(failing)

    assert _reconciled(registry, "error") == 1
    labels = {"reason": type(error).__name__}
    assert registry.get_sample_value("labelplane_operator_reconcile_errors_total", labels) == 1
    assert queue.retry(KEY) == 1.0
    assert [record.levelno for record in caplog.records] == ([] if level is None else [level])
    assert said in caplog.text


async def test_leaving_waits_for_the_reconcile_that_runs() -> None:
    ended = []

    async def slow(_: JobKey) -> float | None:
        await asyncio.sleep(0)
        ended.append("by itself")
        return None

    await _work(slow)

    assert ended == ["by itself"]


async def test_leaving_cuts_short_a_reconcile_that_hangs() -> None:
    ended = []

    async def hanging(_: JobKey) -> float | None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cut short")
        return None

    queue, _ = await _work(hanging, leave_seconds=0.0)

    assert ended == ["cut short"]
    assert queue.longest_work_seconds() == 0
