"""Rules and a gazetteer vote in a job of the cluster as they do on one machine, from the job and from a ConfigMap."""

import time
from itertools import islice
from pathlib import Path
from typing import Any

import obstore
import pytest
import yaml
from api_server import ApiServer
from hollow_node import HollowNode
from operator_process import operator_process
from points_on_cluster import SECRET, Cluster, condition, is_true, jobs_path, open_bucket, wait_for
from s3_server import S3Server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(700)]

SAMPLES = Path(__file__).resolve().parents[3] / "manifests" / "samples"
ITEMS = 300
MOST_LOOKUPS = 20
"""Looks at one ConfigMap until the pod is ready: one for each thing that happens to the job meanwhile."""

Object = dict[str, Any]


def _texts_into(cluster: Cluster) -> list[str]:
    """Put texts and terms into the bucket, and return the texts' ids."""
    store = open_bucket(cluster.s3, cluster.bucket)
    with (SAMPLES / "glosses" / "items.jsonl").open(encoding="utf-8") as file:
        lines = list(islice(file, ITEMS))
    obstore.put(store, "texts/items.jsonl", "".join(lines).encode())
    obstore.put(store, "terms/terms.csv", (SAMPLES / "glosses-rules" / "terms.csv").read_bytes())
    return [yaml.safe_load(line)["id"] for line in lines]


def _sample(cluster: Cluster) -> tuple[Object, Object]:
    """Return the sample's job with its addresses in the bucket and little to do, and its ConfigMap as it stands."""
    job, rules = yaml.safe_load_all((SAMPLES / "glosses-rules.yaml").read_text(encoding="utf-8"))
    job["metadata"] = {"name": "glosses", "namespace": cluster.namespace}
    spec = job["spec"]
    spec["dataset"]["uri"] = f"s3://{cluster.bucket}/texts"
    spec["storage"] = {
        "uri": f"s3://{cluster.bucket}/out",
        "endpoint": cluster.s3.endpoint,
        "pathStyle": True,
        "credentialsSecret": SECRET,
    }
    spec["sources"]["knowledgeBases"][0]["gazetteer"]["uri"] = f"s3://{cluster.bucket}/terms/terms.csv"
    spec["model"] = {"teacher": {"encoder": "Linear"}, "student": {"encoder": "Linear"}}
    spec["sampling"].update(initialBatchSize=20, batchSize=20)
    spec["budget"]["votes"] = 40
    return job, rules


def _apply(cluster: Cluster, *objects: Object) -> None:
    for each in objects:
        name = each["metadata"]["name"]
        path = jobs_path(cluster.namespace, name)
        if each["kind"] == "ConfigMap":
            path = f"/api/v1/namespaces/{cluster.namespace}/configmaps/{name}"
        cluster.server.apply(path, each, manager="kubectl")


def _events(cluster: Cluster, reason: str) -> list[Object]:
    found = cluster.server.get(f"/apis/events.k8s.io/v1/namespaces/{cluster.namespace}/events")["items"]
    return [each for each in found if each["reason"] == reason]


def test_the_sample_waits_for_its_rules_and_runs_to_the_end_once_they_are_there(cluster: Cluster) -> None:
    _texts_into(cluster)
    job, rules = _sample(cluster)
    rules["data"]["rules.yaml"] = rules["data"]["rules.yaml"].replace(
        "name: beasts", "name: beasts\n    reviewShare: 1.0"
    )
    _apply(cluster, job)

    waiting = wait_for(
        cluster.server,
        cluster.namespace,
        "glosses",
        lambda job: condition(job, "Progressing").get("reason") == "MissingConfigMap",
        seconds=120,
    )

    assert condition(waiting, "Progressing")["status"] == "False"
    assert condition(waiting, "Progressing")["message"] == (
        "no pod can start: there is no ConfigMap gloss-rules (spec.sources.rules[1].configMap): create it in the job's "
        "namespace, or correct its name in the job"
    )
    _apply(cluster, rules)
    done = wait_for(cluster.server, cluster.namespace, "glosses", is_true("Complete"), seconds=300)
    assert len(_events(cluster, "MissingConfigMap")) == 1
    lookups = cluster.operator.metric("labelplane_operator_api_requests_total", kind="configmaps")
    assert 0 < lookups <= MOST_LOOKUPS
    assert done["status"]["progress"]["votes"] == 40
    assert done["status"]["cost"]["votes"] == 40
    out = cluster.s3.buckets / cluster.bucket / "out" / cluster.namespace / "glosses"
    assert {each.name for each in (out / "votes").iterdir()} >= {"humans", "knowledge-bases", "rules"}
    votes = done["status"]["rounds"][0]["stages"]["Vote"]
    (kept,) = yaml.safe_load((out / votes["results"]["rule_files"]).read_text())["files"]
    assert done["status"]["rounds"][0]["stages"]["Select"]["figures"]["rule"] > 0
    assert kept == {"config_map": "gloss-rules", "key": "rules.yaml", "text": rules["data"]["rules.yaml"]}


def test_a_config_map_that_changes_counts_from_the_next_round(cluster: Cluster) -> None:
    ids = _texts_into(cluster)
    job, rules = _sample(cluster)
    people = f"s3://{cluster.bucket}/people"
    job["spec"]["sources"]["humans"] = {"votesPerItem": 1, "files": {"uri": people, "pollSeconds": 1}}
    job["spec"]["sampling"]["minPerClass"] = 1_000  # nothing is trained
    _apply(cluster, rules, job)
    wait_for(cluster.server, cluster.namespace, "glosses", is_true("WaitingForAnnotations"), seconds=300)

    text = rules["data"]["rules.yaml"].replace("name: beasts", "name: creatures")
    _apply(cluster, {**rules, "data": {"rules.yaml": text}})
    mounted = cluster.node.folder / "mounts" / "glosses" / "rules" / "gloss-rules" / "rules.yaml"
    _await(lambda: mounted.read_text() == text)
    answers = "".join(f"{each},animal,reader\n" for each in ids)
    obstore.put(
        open_bucket(cluster.s3, cluster.bucket), "people/votes.csv", f"item,label,annotator\n{answers}".encode()
    )

    done = wait_for(cluster.server, cluster.namespace, "glosses", is_true("Complete"), seconds=300)
    first, second, *_ = (each["stages"]["Vote"]["results"] for each in done["status"]["rounds"])
    assert first["rule_files"] != second["rule_files"]
    out = cluster.s3.buckets / cluster.bucket / "out" / cluster.namespace / "glosses"
    (kept,) = yaml.safe_load((out / second["rule_files"]).read_text())["files"]
    assert kept["text"] == text
    assert second["rule_change"].startswith("new: creatures; gone: beasts. On 300 items drawn at random they cover ")
    (told,) = _events(cluster, "RulesMeasured")
    assert second["rule_change"] in told["note"]


def test_a_function_votes_where_the_installation_trusts_its_package(
    crd_server: ApiServer, s3: S3Server, namespace: str, bucket: str, node: HollowNode, tmp_path: Path
) -> None:
    settings = {"service_address": node.service_address, "watch_namespaces": namespace, "lease_name": namespace}
    with operator_process(crd_server, tmp_path / "operator", **settings, trusted_packages="builtins") as operator:
        cluster = Cluster(crd_server, s3, namespace, bucket, node, operator)
        _texts_into(cluster)
        job, _ = _sample(cluster)
        job["spec"]["sampling"]["minPerClass"] = 1_000  # nothing is trained
        job["spec"]["sources"] = {"rules": [{"name": "any", "label": "animal", "function": "builtins:bool"}]}
        _apply(cluster, job)

        done = wait_for(crd_server, namespace, "glosses", is_true("Complete"), seconds=300)

    assert condition(done, "Complete")["reason"] == "NobodyAsked"
    assert done["status"]["rounds"][0]["stages"]["Vote"]["figures"]["source_votes"] == ITEMS


def _await(holds: Any, *, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)
