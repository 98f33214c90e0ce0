"""Rules and a gazetteer vote in a job of the cluster as they do on one machine."""

from itertools import islice
from pathlib import Path
from typing import Any

import obstore
import pytest
import yaml
from points_on_cluster import SECRET, Cluster, condition, is_false, is_true, jobs_path, open_bucket, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

SAMPLES = Path(__file__).resolve().parents[3] / "manifests" / "samples"
ITEMS = 300


def _texts_into(cluster: Cluster) -> None:
    store = open_bucket(cluster.s3, cluster.bucket)
    with (SAMPLES / "glosses" / "items.jsonl").open(encoding="utf-8") as file:
        obstore.put(store, "texts/items.jsonl", "".join(islice(file, ITEMS)).encode())
    obstore.put(store, "terms/terms.csv", (SAMPLES / "glosses-rules" / "terms.csv").read_bytes())


def _job(cluster: Cluster) -> dict[str, Any]:
    job: dict[str, Any] = next(yaml.safe_load_all((SAMPLES / "glosses-rules.yaml").read_text(encoding="utf-8")))
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
    return job


def test_rules_and_a_gazetteer_vote_beside_people(cluster: Cluster) -> None:
    _texts_into(cluster)
    job = _job(cluster)
    path = jobs_path(cluster.namespace, "glosses")
    cluster.server.apply(path, job, manager="kubectl")

    refused = wait_for(cluster.server, cluster.namespace, "glosses", is_false("Accepted"), seconds=60)

    assert "configMap" in condition(refused, "Accepted")["message"]
    job["spec"]["sources"]["rules"] = [each for each in job["spec"]["sources"]["rules"] if "configMap" not in each]
    cluster.server.apply(path, job, manager="kubectl")
    done = wait_for(cluster.server, cluster.namespace, "glosses", is_true("Complete"), seconds=300)
    assert done["status"]["progress"]["votes"] == 40
    assert done["status"]["cost"]["votes"] == 40
    votes = cluster.s3.buckets / cluster.bucket / "out" / cluster.namespace / "glosses" / "votes"
    assert {each.name for each in votes.iterdir()} >= {"humans", "knowledge-bases", "rules"}
