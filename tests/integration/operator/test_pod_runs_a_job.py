"""Pods, as they are built, run a whole job over S3: every setting that their containers need is in them."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from cluster_jobs import ALL_PARTS, PLATFORM, TOKEN, UID, of_kind
from pod_processes import decoded, running_pod
from point_job import start_run, write_point_job
from s3_server import ACCESS_KEY, SECRET_KEY, S3Server, running_s3_server
from service_process import ServiceProcess

from labelplane_api import validate_job
from labelplane_api.conditions import ConditionType, is_true
from labelplane_api.job import LabelingJob
from labelplane_api.running import Profile
from labelplane_api.status import Stage
from labelplane_cli.embedded.run_folder import RunFolder
from labelplane_cli.embedded.runtime import EmbeddedReconciler
from labelplane_core.clock import SystemClock
from labelplane_core.rpc import open_channel
from labelplane_core.storage import open_store
from labelplane_operator.builders import Child, Platform, build_children, service_name
from labelplane_operator.observed import InboxView, OperationView
from labelplane_operator.parts import Part
from labelplane_operator.policies.cluster import refusals
from labelplane_operator.requests import Installation, StageRequest
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


@pytest.fixture(scope="module")
def on_one_machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a job that `labelplane run` has finished."""
    folder = tmp_path_factory.mktemp("laptop")
    process = start_run(write_point_job(folder))
    text, _ = process.communicate()
    assert process.returncode == 0, text
    return folder


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


@asynccontextmanager
async def running_pods(job: LabelingJob, folder: Path) -> AsyncIterator[dict[str, ServiceCalls]]:
    """Run the pods that the job should have as processes, and give the calls to each Service; all end with code 0."""
    started: list[ServiceProcess] = []
    async with AsyncExitStack() as stack:
        calls = {}
        for place in range(len(list(of_kind(objects(job, PLATFORM), "Deployment")))):
            # On one machine each pod needs ports of its own.
            service_port, metrics_port = free_ports()
            platform = replace(PLATFORM, service_port=service_port, metrics_port=metrics_port, has_queue=False)
            children = objects(job, platform)
            child = [each for each in children if each.replicas is not None][place]
            if not child.replicas:
                continue
            (secret,) = of_kind(children, "Secret")
            secrets = {secret["metadata"]["name"]: decoded(secret), "s3-keys": S3_KEYS}
            template, name = child.manifest["spec"]["template"], child.manifest["metadata"]["name"]
            pod = await stack.enter_async_context(running_pod(template, folder / name, secrets=secrets))
            started += pod.values()
            assert await next(iter(pod.values())).port() == service_port
            channel = open_channel(f"127.0.0.1:{service_port}", token=TOKEN)
            stack.push_async_callback(channel.close)
            calls[name] = ServiceCalls(channel)
        yield calls
        codes = [await process.stop() for process in started]
        assert set(codes) == {0}, [process.lines for process in started]


def objects(job: LabelingJob, platform: Platform) -> tuple[Child, ...]:
    return build_children(job, ALL_PARTS, platform, token=TOKEN)


class RoutedCalls:
    """The calls of a plan, each to the Service that the builders name for it."""

    def __init__(self, job: LabelingJob, calls: dict[str, ServiceCalls]) -> None:
        self._job = job
        self._calls = calls

    def _of(self, stage: Stage | Part) -> ServiceCalls:
        return self._calls[service_name(self._job, stage)]

    def _of_request(self, request_id: str) -> ServiceCalls:
        words = request_id.split("/")
        return self._of(next(stage for stage in Stage if stage.value.lower() in words[1:3]))

    async def start(self, request: StageRequest) -> OperationView:
        return await self._of(request.stage).start(request)

    async def get(self, request_id: str) -> OperationView | None:
        return await self._of_request(request_id).get(request_id)

    async def wait_for_end(self, request_id: str, *, seconds: float) -> None:
        await self._of_request(request_id).wait_for_end(request_id, seconds=seconds)

    async def inbox(self) -> InboxView:
        return await self._of(Part.AGGREGATION).inbox()


@pytest.mark.parametrize("profile", [Profile.SMALL, Profile.DISTRIBUTED])
async def test_the_pods_of_a_job_give_the_labels_of_a_run_on_one_machine(
    tmp_path: Path, s3: S3Server, on_one_machine: Path, profile: Profile
) -> None:
    await put_items(files_below(on_one_machine / "data"), s3)
    job = job_in_buckets(on_one_machine / "points.yaml", s3)
    assert refusals(job) == ()
    job = job.with_status(job.status.model_copy(update={"profile": profile}))
    (tmp_path / "run").mkdir()

    async with running_pods(job, tmp_path) as calls:
        reconciler = EmbeddedReconciler(
            RunFolder(tmp_path / "run"),
            RoutedCalls(job, calls),  # type: ignore[arg-type]  # the same calls, by other ways
            installation=Installation("tests", 1),
            clock=SystemClock(),
            watcher=lambda _job, _plan: None,
        )
        ended = await reconciler.run(job)

    assert is_true(ended.status.conditions, ConditionType.COMPLETE), ended.status.conditions
    labels = s3.buckets / "labels" / "team-a" / "demo" / "export" / "labels.csv"
    assert labels.read_bytes() == (on_one_machine / "out" / "export" / "labels.csv").read_bytes()
