"""People label a job of a cluster on its page: real API server, rights, services and two fronts, one of them killed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_server import ApiServer
from front_process import (
    USER_HEADER,
    FrontProcess,
    Visitor,
    account,
    bind,
    by_proxy,
    by_token,
    front_process,
    install_rights,
    user,
)
from helm import Chart
from hollow_node import HollowNode
from operator_process import operator_process
from operator_rights import Right, await_right
from points_on_cluster import condition, is_true, jobs_path, point_job, wait_for
from real_parts import find_tool
from s3_server import S3Server

from labelplane_cli.pushing.client import ReviewClient
from labelplane_cli.pushing.target import Target
from labelplane_review.inbox_client import NewVote

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

ADDRESS = "https://labels.example.com"
JUDGE = "judy@example.com"
ANNOTATOR = "zoe@example.com"
VOTES = 24
LIST = Right("list", "labelplane.io", "labelingjobs")
LABEL = Right("create", "labelplane.io", "labelingjobs", "votes")


@dataclass
class Desk:
    """One job and two fronts before it."""

    server: ApiServer
    namespace: str
    fronts: tuple[FrontProcess, FrontProcess]
    ann: Visitor
    importer: Visitor
    node: HollowNode

    @property
    def job(self) -> str:
        return f"{self.namespace}/points"

    def lease(self, who: Visitor, front: FrontProcess, *, count: int = 1) -> Any:
        answer = who.post(front, f"/api/jobs/{self.job}/lease", {"count": count})
        assert answer.status_code == 200, answer.text
        return answer.json()["tasks"]

    def vote(self, who: Visitor, front: FrontProcess, task: Any) -> Any:
        answer = who.post(front, f"/api/jobs/{self.job}/votes", {"votes": [ballot(task)]})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def await_tasks(self) -> None:
        wait_for(self.server, self.namespace, "points", is_true("WaitingForAnnotations"), seconds=150)


def ballot(task: Any) -> dict[str, Any]:
    """An answer to a task, the same whenever it is sent."""
    label = ("left", "right", "top")[task["number"] % 3]
    return {"id": f"vote-{task['item']}", "item": task["item"], "answer": label, "lease": task["lease"]}


@pytest.fixture
def desk(
    crd_server: ApiServer, s3: S3Server, namespace: str, bucket: str, node: HollowNode, tmp_path: Path
) -> Iterator[Desk]:
    """An operator that knows the page, two fronts, a job, and people with and without rights."""
    chart = Chart(helm=find_tool("helm"), folder=tmp_path)
    roles = install_rights(chart, crd_server, namespace)
    ann = by_token(crd_server, namespace, "ann", tmp_path)
    importer = by_token(crd_server, namespace, "importer", tmp_path)
    for role in ("view", "edit"):
        bind(crd_server, namespace, f"{roles}-{role}", account("importer", namespace))
    bind(crd_server, namespace, f"{roles}-annotator", account("ann", namespace))
    bind(crd_server, namespace, f"{roles}-annotator", user(ANNOTATOR))
    bind(crd_server, namespace, f"{roles}-adjudicator", user(JUDGE))
    await_right(crd_server, LIST, namespace, user=f"system:serviceaccount:{namespace}:labelplane-review")
    for name in (JUDGE, ANNOTATOR, f"system:serviceaccount:{namespace}:ann"):
        await_right(crd_server, LABEL, namespace, user=name)

    def ask_people(fields: dict[str, Any]) -> None:
        fields["spec"]["sources"]["humans"] = {"votesPerItem": 1, "inbox": {}}
        fields["spec"]["budget"]["votes"] = VOTES
        del fields["spec"]["dataset"]["truthField"]

    job = point_job("points", namespace, s3, bucket, ask_people)
    crd_server.apply(jobs_path(namespace, "points"), job, manager="kubectl")
    told = {"service_address": node.service_address, "watch_namespaces": namespace, "lease_name": namespace}
    shown = {"namespace": namespace, "service_address": node.service_address}
    with (
        front_process(crd_server, tmp_path, name="front-0", **shown) as first,
        front_process(crd_server, tmp_path, name="front-1", **shown) as second,
        operator_process(crd_server, tmp_path / "operator", review_address=ADDRESS, **told),
    ):
        first.await_ready()
        second.await_ready()
        yield Desk(crd_server, namespace, (first, second), ann, importer, node)


def test_people_label_a_job_to_its_end_and_a_killed_front_loses_nothing(desk: Desk) -> None:
    first, second = desk.fronts
    zoe, judge = by_proxy(ANNOTATOR), by_proxy(JUDGE)
    desk.await_tasks()
    waiting = condition(desk.server.get(jobs_path(desk.namespace, "points")), "WaitingForAnnotations")
    assert waiting["message"].startswith(f"12 votes are missing: vote at {ADDRESS}/t/{desk.job}")
    _refuses_whom_it_does_not_know(desk)

    sent = []
    for turn in range(6):
        (task,) = desk.lease(desk.ann if turn % 2 else zoe, first)
        assert desk.vote(desk.ann if turn % 2 else zoe, first, task)["accepted"] == 1
        sent.append(task)
    (in_hand,) = desk.lease(zoe, first)
    first.kill()
    # The page goes on at the other front: what it has in hand counts there, what it had sent is a duplicate.
    assert desk.vote(zoe, second, in_hand)["accepted"] == 1
    assert desk.vote(zoe, second, sent[-2])["duplicates"] == 1
    first.start()
    first.await_ready()
    assert desk.vote(desk.ann, first, sent[-1])["duplicates"] == 1

    given = len(sent) + 1
    while given < VOTES - 1:
        tasks = desk.lease(desk.ann, first)
        for task in tasks:
            assert desk.vote(desk.ann, second, task)["accepted"] == 1
        given += len(tasks)
        if given == VOTES // 2:
            wait_for(desk.server, desk.namespace, "points", _asks_again, seconds=150)

    _push_the_last(desk)
    log = judge.get(first, f"/api/v1/jobs/{desk.job}/audit").json()
    done = wait_for(desk.server, desk.namespace, "points", is_true("Complete"), seconds=150)
    assert done["status"]["progress"]["votes"] == VOTES
    assert log["end"] is True
    _says_that_it_is_over(desk)


def _says_that_it_is_over(desk: Desk) -> None:
    """Check what people hear of a job whose pod is gone."""
    front, job = desk.fronts[0], desk.job
    wait_for(desk.server, desk.namespace, "points", lambda _: not desk.node.running(), seconds=60)

    told = desk.ann.post(front, f"/api/jobs/{job}/lease", {"count": 1, "holding": ["one"]})
    assert (told.json()["standing"]["state"], told.json()["lost"]) == ("complete", ["one"])
    late = desk.ann.post(front, f"/api/jobs/{job}/votes", {"votes": [{"id": "late", "item": "point-0001"}]})
    assert (late.status_code, late.json()["error"]["reason"]) == (409, "JobIsOver")
    with httpx.stream("GET", f"{front.url}/api/jobs/{job}/events", headers=desk.ann.headers, timeout=60) as events:
        line = next(each for each in events.iter_lines() if each.startswith("data: "))
    assert json.loads(line.removeprefix("data: "))["votes"] == VOTES


def _push_the_last(desk: Desk) -> None:
    """Bring the last vote of somebody else's tool, as `labelplane votes push` does."""
    tasks = desk.ann.get(desk.fronts[0], f"/api/v1/jobs/{desk.job}/tasks").json()["tasks"]
    target = Target(desk.fronts[0].url, desk.importer.headers["Authorization"].removeprefix("Bearer "))
    vote = NewVote("pushed", tasks[0]["item"], "elsewhere", "left", origin="answers.csv:2")
    with ReviewClient(target, patience_seconds=30) as client:
        assert client.push(client.job(desk.job), [vote], origin="answers.csv").accepted == 1


def _asks_again(job: dict[str, Any]) -> bool:
    return bool(is_true("WaitingForAnnotations")(job)) and job["status"]["rounds"][-1]["round"] == 1


def _refuses_whom_it_does_not_know(desk: Desk) -> None:
    """Check who is refused with which word, on the second front."""
    front = desk.fronts[1]
    page, api = f"/t/{desk.job}", f"/api/v1/jobs/{desk.job}"
    stranger, judge, annotator = by_proxy("mallory@example.com"), by_proxy(JUDGE), by_proxy(ANNOTATOR)
    cases = (
        (Visitor({}), page, 401, "NotSignedIn"),
        (Visitor({"Authorization": "Bearer nobody"}), api, 401, "WrongToken"),
        (Visitor({USER_HEADER: JUDGE}), api, 401, "ForgedHeader"),
        (Visitor({USER_HEADER: JUDGE, "X-Labelplane-Proxy-Secret": "guessed"}), api, 401, "ForgedHeader"),
        (Visitor({**desk.ann.headers, USER_HEADER: JUDGE}), api, 401, "ForgedHeader"),
        (by_proxy("system:admin"), api, 401, "NotSignedIn"),
        (stranger, page, 403, "NotAllowed"),
        (stranger, f"/api/v1/jobs/{desk.namespace}/none", 403, "NotAllowed"),
        (annotator, f"{api}/conflicts", 403, "NotAllowed"),
        (annotator, f"/jobs/{desk.job}/audit", 403, "NotAllowed"),
        (annotator, f"/api/v1/jobs/{desk.namespace}/none", 404, "UnknownJob"),
        (annotator, page, 200, ""),
        (annotator, f"/jobs/{desk.job}", 200, ""),
        (desk.ann, f"{api}/tasks", 200, ""),
        (judge, f"/jobs/{desk.job}/conflicts", 200, ""),
        (judge, f"{api}/audit", 200, ""),
    )
    for who, path, status, reason in cases:
        answer = who.get(front, path)
        assert (answer.status_code, path) == (status, path), answer.text
        if reason and path.startswith("/api/"):
            assert answer.json()["error"]["reason"] == reason
        assert "set-cookie" not in answer.headers
    assert desk.job in annotator.get(front, "/jobs").text
    assert desk.job not in stranger.get(front, "/jobs").text
    assert [each["name"] for each in desk.ann.get(front, "/api/v1/jobs").json()["jobs"]] == [desk.job]
    pushed = annotator.post(front, f"{api}/votes", {"votes": [{"vote_id": "a", "item": "b", "annotator": "c"}]})
    assert pushed.status_code == 403
    foreign = annotator.post(front, f"/api/jobs/{desk.job}/lease", {"count": 1}, **{"Sec-Fetch-Site": "cross-site"})
    assert (foreign.status_code, foreign.json()["error"]["reason"]) == (403, "ForeignCall")
