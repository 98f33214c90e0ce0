"""Starting stages: who is woken, and how often."""

from typing import Any, cast

import pytest
from job_builder import make_cluster_job
from planned_world import CLUSTER, PlannedWorld

from labelplane_api.status import Stage
from labelplane_operator.builders import JOB_LABEL
from labelplane_operator.cache import JobKey, ObjectCache
from labelplane_operator.job_services import JobServices
from labelplane_operator.kinds import DEPLOYMENT
from labelplane_operator.observed import OperationState, OperationView
from labelplane_operator.requests import StageRequest
from labelplane_operator.service_calls import ServiceCalls
from labelplane_operator.service_channels import ServiceChannels


class _Ended:
    """A service whose operations have all ended."""

    async def start(self, request: StageRequest) -> OperationView:
        return OperationView(request.request_id, OperationState.SUCCEEDED)


class _ChannelsToEnded(ServiceChannels):
    def calls(self, *_: Any, **__: Any) -> ServiceCalls:
        return cast("ServiceCalls", _Ended())


@pytest.fixture
def cache() -> ObjectCache:
    """A cache that shows a ready pod."""
    cache = ObjectCache()
    owner = {"controller": True, "uid": make_cluster_job().build().metadata.uid}
    identity = {"namespace": "default", "name": "digits", "uid": "d", "resourceVersion": "1"}
    metadata = {**identity, "ownerReferences": [owner]}
    manifest = {"metadata": metadata | {"labels": {JOB_LABEL: "digits"}}, "status": {"readyReplicas": 1}}
    cache.put(DEPLOYMENT, {"apiVersion": "apps/v1", "kind": "Deployment", **manifest})
    return cache


async def test_a_stage_that_has_ended_wakes_its_job_once_however_often_it_is_started(cache: ObjectCache) -> None:
    woken: list[JobKey] = []
    services = JobServices(cache, _ChannelsToEnded("{service}"), token_of=lambda _: "token", wake=woken.append)
    world = PlannedWorld(make_cluster_job().build(), installation=CLUSTER)
    first = world.reach(Stage.PREPARE).start
    assert first is not None
    for _ in range(5):  # as while the API server takes no status
        await services.start(world.job, first)
    assert woken == [("default", "digits")]

    second = world.reach(Stage.VOTE).start
    assert second is not None
    await services.start(world.job, second)
    assert len(woken) == 2
