"""LabelingJobs of the end-to-end tests, applied and watched with kubectl."""

import csv
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kubectl_and_helm import User
from points_on_cluster import Change, condition, point_job, storage_secret, write_bucket
from s3_server import S3Server

Labels = dict[str, tuple[str, str, str]]
Object = dict[str, Any]


@dataclass(frozen=True)
class Jobs:
    """The jobs of one namespace, whose data lie in a bucket of its name."""

    user: User
    s3: S3Server
    namespace: str

    def prepare(self) -> None:
        """Put the points into the bucket, and the credentials into the namespace."""
        write_bucket(self.s3, self.namespace)
        self.user.apply(storage_secret(self.namespace))

    def apply(self, name: str, *changes: Change) -> None:
        self.user.apply(point_job(name, self.namespace, self.s3, self.namespace, *changes))

    def wait(self, name: str, condition_type: str, *, seconds: int = 600) -> None:
        """Wait for a condition, as users do."""
        words = (f"--for=condition={condition_type}", f"labelingjob/{name}", f"--timeout={seconds}s")
        self.user.kubectl("wait", *words, "-n", self.namespace, seconds=seconds + 30)

    def get(self, name: str) -> Object:
        found: Object = self.user.get("labelingjob", name, "-n", self.namespace)
        return found

    def reason(self, name: str, condition_type: str) -> str:
        return str(condition(self.get(name), condition_type).get("reason", ""))

    def labels(self, name: str) -> Labels:
        """Return label, confidence and state of each item of the export."""
        file = self.s3.buckets / self.namespace / "out" / self.namespace / name / "export" / "labels.csv"
        with file.open(newline="", encoding="utf-8") as text:
            return {row["item"]: (row["label"], row["confidence"], row["state"]) for row in csv.DictReader(text)}

    def pods(self, **labels: str) -> list[str]:
        """Return the names of the pods that are not on their way out."""
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        found = self.user.get("pods", "-n", self.namespace, *(["-l", selector] if selector else []))["items"]
        return [pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]]


def until(holds: Callable[[], bool], *, seconds: float = 120.0) -> None:
    """Return once something holds.

    Raises:
        AssertionError: it does not in time.
    """
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to hold"
        time.sleep(0.5)
