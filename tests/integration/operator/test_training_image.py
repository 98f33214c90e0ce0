"""`spec.model.image`: a Job of the user's image trains each round; what goes wrong is told and can be mended."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hollow_node import HollowNode
from points_on_cluster import Cluster, condition, is_false, is_true, jobs_path, point_job, wait_for
from training_images import EXAMPLE, EXITS_WITH_3, ONE_CLASS_TOO_MANY, WRITES_A_PICKLE, WRITES_NOTHING

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

Object = dict[str, Any]


def _apply(cluster: Cluster, image: str) -> None:
    def with_image(fields: Object) -> None:
        fields["spec"]["model"] = {"image": f"me/train:{image}", "student": {"encoder": "Linear"}}
        fields["spec"]["budget"]["votes"] = 36
        fields["spec"]["run"]["backoffLimit"] = 0

    job = point_job("points", cluster.namespace, cluster.s3, cluster.bucket, with_image)
    cluster.server.apply(jobs_path(cluster.namespace, "points"), job, manager="kubectl")


def _change_image(cluster: Cluster, image: str) -> None:
    body = {"spec": {"model": {"image": f"me/train:{image}"}}}
    path = jobs_path(cluster.namespace, "points")
    cluster.server.request("PATCH", path, body=body, content_type="application/merge-patch+json")


def _have_image(node: HollowNode, name: str, script: str, folder: Path) -> None:
    """Put an image where the node finds it."""
    path = folder / f"image-{name}.py"
    path.write_text(script)
    node.images[f"me/train:{name}"] = path


def _wait(cluster: Cluster, reached: Callable[[Object], bool]) -> Object:
    return wait_for(cluster.server, cluster.namespace, "points", reached, seconds=300)


def _failed_again(job: Object, reason: str) -> bool:
    """Whether the job has failed with its present spec."""
    told = condition(job, "Failed")
    is_new = told.get("observedGeneration") == job["metadata"]["generation"]
    return is_new and (told["status"], told["reason"]) == ("True", reason)


def _message(job: Object, kind: str) -> str:
    return str(condition(job, kind)["message"])


FAULTS = (
    ("nothing", WRITES_NOTHING, "TrainingImageFailed", "there is nothing: a model is taken as ONNX"),
    ("pickle", WRITES_A_PICKLE, "TrainingImageFailed", "there is model.pkl"),
    ("three", EXITS_WITH_3, "BackoffLimitExceeded", "exit code 3: epoch 1 of 9 / CUDA error: device is lost"),
    ("shape", ONE_CLASS_TOO_MANY, "BadTrainedModel", "output logits has the shape"),
)
"""Images that train no model: name, script, the reason of Failed, and what its message says."""


def test_image_of_the_users_is_mended_step_by_step_and_then_trains_the_models_of_a_whole_job(
    cluster: Cluster, tmp_path: Path
) -> None:
    _apply(cluster, "away")
    waiting = _wait(cluster, is_false("Progressing"))
    assert condition(waiting, "Progressing")["reason"] == "ImageUnavailable"
    assert "container train of pod points-train-" in _message(waiting, "Progressing")
    assert "image me/train:away cannot be pulled" in _message(waiting, "Progressing")

    for name, script, want_reason, want_message in FAULTS:
        _have_image(cluster.node, name, script, tmp_path)
        _change_image(cluster, name)
        failed = _wait(cluster, lambda job: _failed_again(job, want_reason))  # noqa: B023 - it is called in this turn
        assert _message(failed, "Failed").startswith("Train of round ")
        assert want_message in _message(failed, "Failed")

    cluster.node.images["me/train:good"] = EXAMPLE
    _change_image(cluster, "good")
    done = _wait(cluster, is_true("Complete"))

    trains = [each["stages"]["Train"] for each in done["status"]["rounds"] if "Train" in each["stages"]]
    # The image that could not be pulled was changed within its try; each that failed has used one up.
    assert [each["attempt"] for each in trains] == [1 + len(FAULTS), *(1 for _ in trains[1:])]
    assert len(cluster.node.jobs.started) >= len(FAULTS) + len(trains)
    assert condition(done, "ModelPromoted")["status"] == "True"
    assert trains[-1]["figures"]["student_accuracy"] > 0.5
    assert trains[-1]["figures"]["cpu_seconds"] > 0
    out = cluster.s3.buckets / cluster.bucket / "out" / cluster.namespace / "points"
    model = json.loads((out / done["status"]["model"]["reference"] / "model.json").read_text())
    assert (model["encoder"], model["versions"]["image"]) == ("SoftmaxRegression", "me/train:good")
    assert (out / done["status"]["artifacts"]["report"]).read_text().startswith("<!DOCTYPE html>")
    assert cluster.server.get(f"/apis/batch/v1/namespaces/{cluster.namespace}/jobs")["items"] == []
