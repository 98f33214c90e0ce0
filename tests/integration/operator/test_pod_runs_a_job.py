"""The small pod, as it is built, runs a whole job over S3: every setting that its containers need is in it."""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from cluster_jobs import ALL_PARTS, PLATFORM, TOKEN, UID, of_kind
from pod_processes import decoded, running_pod
from point_job import start_run, write_point_job
from s3_server import ACCESS_KEY, SECRET_KEY, S3Server, running_s3_server

from labelplane_api import validate_job
from labelplane_api.conditions import ConditionType, is_true
from labelplane_api.job import LabelingJob
from labelplane_cli.embedded.run_folder import RunFolder
from labelplane_cli.embedded.runtime import EmbeddedReconciler
from labelplane_core.clock import SystemClock
from labelplane_core.rpc import open_channel
from labelplane_core.storage import open_store
from labelplane_operator.builders import build_children
from labelplane_operator.policies.cluster import refusals
from labelplane_operator.requests import Installation
from labelplane_operator.service_calls import ServiceCalls

S3_KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Server]:
    with running_s3_server(tmp_path / "s3") as running:
        yield running


def files_below(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


async def put_items(files: dict[str, bytes], s3: S3Server) -> None:
    """Put files into a bucket by the store's own way: one that merely lies there has no ETag."""
    items = open_store(s3.make_bucket("items"), options=s3.options)
    for key, data in files.items():
        await items.put(key, data)


def job_in_buckets(job_file: Path, s3: S3Server) -> LabelingJob:
    """Return the job of a file, its items and results in buckets, as an API server has it."""
    s3.make_bucket("labels")
    fields = yaml.safe_load(job_file.read_text(encoding="utf-8"))
    fields["metadata"].update(namespace="team-a", uid=UID)
    fields["spec"]["dataset"]["uri"] = "s3://items"
    fields["spec"]["storage"] = {
        "uri": "s3://labels",
        "endpoint": s3.endpoint,
        "pathStyle": True,
        "credentialsSecret": "s3-keys",
    }
    return validate_job(fields)


def free_ports() -> tuple[int, int]:
    with socket.socket() as one, socket.socket() as two:
        for probe in (one, two):
            probe.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


async def play(job: LabelingJob, folder: Path) -> LabelingJob:
    """Run the job's pod as processes, decide as everywhere, and return the job once it has ended."""
    service_port, metrics_port = free_ports()
    platform = replace(PLATFORM, service_port=service_port, metrics_port=metrics_port)
    children = build_children(job, ALL_PARTS, platform, token=TOKEN)
    (deployment,) = of_kind(children, "Deployment")
    (secret,) = of_kind(children, "Secret")
    secrets = {secret["metadata"]["name"]: decoded(secret), "s3-keys": S3_KEYS}
    template = deployment["spec"]["template"]
    async with running_pod(template, folder / "volumes", secrets=secrets) as containers:
        assert await containers["small"].port() == service_port
        channel = open_channel(f"127.0.0.1:{service_port}", token=TOKEN)
        (folder / "run").mkdir()
        reconciler = EmbeddedReconciler(
            RunFolder(folder / "run"),
            ServiceCalls(channel),
            installation=Installation("tests", 1),
            clock=SystemClock(),
            watcher=lambda _job, _plan: None,
        )
        ended = await reconciler.run(job)
        await channel.close()
        codes = [await container.stop() for container in containers.values()]
    assert codes == [0, 0], [container.lines for container in containers.values()]
    return ended


async def test_the_small_pod_gives_the_labels_of_a_run_on_one_machine(tmp_path: Path, s3: S3Server) -> None:
    job_file = write_point_job(tmp_path / "laptop")
    await put_items(files_below(job_file.parent / "data"), s3)
    job = job_in_buckets(job_file, s3)
    assert refusals(job) == ()
    process = await asyncio.to_thread(start_run, job_file)
    text, _ = await asyncio.to_thread(process.communicate)
    assert process.returncode == 0, text

    ended = await play(job, tmp_path)

    assert is_true(ended.status.conditions, ConditionType.COMPLETE), ended.status.conditions
    labels = s3.buckets / "labels" / "team-a" / "demo" / "export" / "labels.csv"
    assert labels.read_bytes() == (tmp_path / "laptop" / "out" / "export" / "labels.csv").read_bytes()
