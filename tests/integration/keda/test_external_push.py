"""The real KEDA operator with our external scaler and our ScaledObjects, on a real API server."""

import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from api_server import ApiError, ApiServer
from cluster_jobs import PLATFORM, in_bucket
from keda import running_keda
from played_depths import PlayedDepths
from until import until

from labelplane_api.job import LabelingJob
from labelplane_operator.builders.scaled_object import PAUSED, build_scaled_object
from labelplane_operator.external_scaler import ExternalScaler, ScalerServer
from labelplane_operator.policies.keda import queue_subject

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NAME = "digits-scoring-worker"
Object = dict[str, Any]


@pytest.fixture(scope="module")
def keda(api_server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with running_keda(api_server, tmp_path_factory.mktemp("keda")) as log:
        yield log


@dataclass
class Scaled:
    """Workers of a job that KEDA scales, in a namespace of their own."""

    server: ApiServer
    namespace: str
    depths: PlayedDepths
    scaler_port: int

    @property
    def deployment(self) -> str:
        return f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{NAME}"

    @property
    def scaled_object(self) -> str:
        return f"/apis/keda.sh/v1alpha1/namespaces/{self.namespace}/scaledobjects/{NAME}"

    @property
    def replicas(self) -> int:
        return int(self.server.get(self.deployment)["spec"]["replicas"])

    def make_workers(self, replicas: int) -> None:
        pod = {"containers": [{"name": "worker", "image": "worker:test"}]}
        labels = {"app": "worker"}
        spec = {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        }
        metadata = {"name": NAME, "namespace": self.namespace}
        manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}
        self.server.apply(self.deployment, manifest)

    def scale_by_keda(self, job: LabelingJob) -> None:
        """Apply our ScaledObject as the operator does, with a scaler that listens here."""
        platform = replace(PLATFORM, scaler_address=f"127.0.0.1:{self.scaler_port}")
        self.server.apply(
            self.scaled_object, build_scaled_object(job, platform), manager="labelplane", fieldValidation="Strict"
        )

    def condition(self, kind: str) -> str:
        conditions = self.server.get(self.scaled_object).get("status", {}).get("conditions") or ()
        return next((each["status"] for each in conditions if each["type"] == kind), "")

    def put(self, ready: int, leased: int = 0) -> None:
        self.depths.put(queue_subject(self.namespace, UID, "score"), ready=ready, leased=leased)

    def job(self, *, is_suspended: bool = False) -> LabelingJob:
        builder = in_bucket().named("digits", namespace=self.namespace).with_uid(UID)
        builder = builder.with_scaling(engine="Keda", max_replicas=20, down_window_seconds=600)
        return (builder.suspended() if is_suspended else builder).build()

    def is_gone(self) -> bool:
        try:
            self.server.get(self.scaled_object)
        except ApiError as error:
            return error.code == 404
        return False


UID = "6b0e5a55-3d4c-4a37-9c0e-2f8d3b1f4a10"


@pytest.fixture
async def scaled(api_server: ApiServer, keda: Path) -> AsyncIterator[Scaled]:
    depths = PlayedDepths()
    scaler = ScalerServer(ExternalScaler(depths))
    port = await scaler.start("127.0.0.1:0")
    namespace = api_server.make_namespace(f"keda-{secrets.token_hex(4)}")
    yield Scaled(api_server, namespace, depths, port)
    await scaler.stop()


async def test_the_first_shard_brings_the_first_worker(scaled: Scaled) -> None:
    scaled.make_workers(0)
    scaled.scale_by_keda(scaled.job())
    await until(lambda: scaled.condition("Active") == "False")
    assert scaled.replicas == 0

    scaled.put(ready=300)
    await until(lambda: scaled.replicas == 1)
    await until(lambda: scaled.condition("Active") == "True")


async def test_a_suspended_job_gets_no_worker_until_it_goes_on(scaled: Scaled) -> None:
    scaled.make_workers(0)
    scaled.put(ready=300)
    scaled.scale_by_keda(scaled.job(is_suspended=True))
    await until(lambda: scaled.condition("Paused") == "True")
    assert scaled.server.get(scaled.scaled_object)["metadata"]["annotations"][PAUSED] == "true"
    assert scaled.replicas == 0

    scaled.scale_by_keda(scaled.job())
    await until(lambda: scaled.replicas == 1)


async def test_a_change_of_engine_and_back_takes_none_of_twenty_workers(scaled: Scaled) -> None:
    scaled.make_workers(20)
    scaled.put(ready=0, leased=20)
    scaled.scale_by_keda(scaled.job())
    await until(lambda: scaled.condition("Active") == "True")
    assert scaled.replicas == 20

    scaled.server.delete(scaled.scaled_object)
    await until(scaled.is_gone)
    assert scaled.replicas == 20


async def test_a_queue_that_is_away_takes_no_worker(scaled: Scaled, keda: Path) -> None:
    scaled.make_workers(20)
    scaled.put(ready=0, leased=20)
    scaled.scale_by_keda(scaled.job())
    await until(lambda: scaled.condition("Active") == "True")

    scaled.depths.is_away = True
    await until(lambda: "does not answer" in keda.read_text())
    assert scaled.replicas == 20
