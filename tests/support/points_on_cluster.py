"""A small job for a cluster: the points of the demo in a bucket of a real S3 server."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import obstore
import obstore.store
import yaml
from api_server import ApiServer
from hollow_node import HollowNode
from operator_process import OperatorProcess
from s3_server import ACCESS_KEY, SECRET_KEY, S3Server

from labelplane_cli.sample_points import JOB, Points, write_points

Change = Callable[[dict[str, Any]], None]
Object = dict[str, Any]

SECRET = "storage"
_LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Cluster:
    """What a test of the operator works with; its jobs live in a namespace and a bucket of their own."""

    server: ApiServer
    s3: S3Server
    namespace: str
    bucket: str
    node: HollowNode
    operator: OperatorProcess


def open_bucket(s3: S3Server, name: str) -> obstore.store.S3Store:
    """Return a bucket to put files into."""
    return obstore.store.S3Store(
        name,
        endpoint=s3.endpoint,
        access_key_id=ACCESS_KEY,
        secret_access_key=SECRET_KEY,
        client_options={"allow_http": True},
        virtual_hosted_style_request=False,
    )


def write_bucket(s3: S3Server, name: str, *, items: int = 150) -> str:
    """Put the points into a bucket, and return its address."""
    address = s3.make_bucket(name)
    store = open_bucket(s3, name)
    with tempfile.TemporaryDirectory() as folder:
        write_points(Points.draw(items), Path(folder))
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                obstore.put(store, str(path.relative_to(folder)), path.read_bytes())
    return address


def point_job(name: str, namespace: str, s3: S3Server, bucket: str, *changes: Change) -> Object:
    """Return a LabelingJob of the points; `changes` edit it first."""
    fields: Object = yaml.safe_load(JOB)
    fields["metadata"] = {"name": name, "namespace": namespace}
    spec = fields["spec"]
    spec["dataset"]["uri"] = f"s3://{bucket}/data"
    spec["storage"] = {
        "uri": f"s3://{bucket}/out",
        "endpoint": s3.endpoint,
        "pathStyle": True,
        "credentialsSecret": SECRET,
    }
    spec["sampling"].update(initialBatchSize=12, batchSize=12)
    spec["budget"]["votes"] = 72
    spec["run"] = {"deterministic": True, "seed": 3}
    for change in changes:
        change(fields)
    return fields


def storage_secret(namespace: str) -> Object:
    """Return the Secret with the credentials of the S3 server."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": namespace},
        "stringData": {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY},
    }


def make_storage_secret(server: ApiServer, namespace: str) -> None:
    """Make the Secret with the credentials of the S3 server."""
    server.create(f"/api/v1/namespaces/{namespace}/secrets", storage_secret(namespace))


def jobs_path(namespace: str, name: str = "") -> str:
    """Return the path of LabelingJobs, or of one."""
    return f"/apis/labelplane.io/v1alpha1/namespaces/{namespace}/labelingjobs{f'/{name}' if name else ''}"


def condition(job: Object, kind: str) -> Object:
    """Return a condition of a job, empty when it has none of that type."""
    found = job.get("status", {}).get("conditions", ())
    return next((each for each in found if each["type"] == kind), {})


def wait_for(
    server: ApiServer, namespace: str, name: str, reached: Callable[[Object], bool], *, seconds: float = 120.0
) -> Object:
    """Return the job once `reached` holds of it, as `kubectl wait` does.

    Raises:
        AssertionError: it did not hold in time; with the job's status.
    """
    deadline = time.monotonic() + seconds
    while True:
        job = server.get(jobs_path(namespace, name))
        if reached(job):
            return job
        if time.monotonic() > deadline:
            raise AssertionError(f"{name} after {seconds} s: {yaml.safe_dump(job.get('status', {}))[:3000]}")
        time.sleep(_LOOK_SECONDS)


def is_true(kind: str) -> Callable[[Object], bool]:
    """Return whether a condition is True, as a function of the job."""
    return lambda job: condition(job, kind).get("status") == "True"


def is_false(kind: str) -> Callable[[Object], bool]:
    """Return whether a condition is False, as a function of the job."""
    return lambda job: condition(job, kind).get("status") == "False"


def logs(*files: Path) -> str:
    """Return the ends of some log files, for a message of a failed test."""
    return "\n".join(f"== {path.name}\n{path.read_text()[-2000:]}" for path in files if path.exists())
