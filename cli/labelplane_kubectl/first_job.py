"""A first job for a cluster: the sample of scanned digits, in a bucket of the user's own."""

from typing import Final
from urllib.parse import urlsplit

from labelplane_cli.errors import BadUsage

__all__ = ["BUCKET", "NAME", "SECRET", "job_text"]

BUCKET: Final = "s3://my-bucket"
NAME: Final = "digits"
SECRET: Final = "digits-storage"  # noqa: S105 - a Secret's name

_JOB: Final = """\
apiVersion: labelplane.io/v1alpha1
kind: LabelingJob
metadata:
  name: digits
spec:
  task:
    type: ImageClassification
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
  dataset:
    uri: s3://my-bucket/digits
    format: Csv
    index: items.csv
    idField: id
    itemField: image
    goldField: gold
    truthField: truth
  storage:
    uri: s3://my-bucket/labelplane
    credentialsSecret: digits-storage
  sources:
    humans:
      votesPerItem: 3
      simulated:
        annotators:
          - name: careful
            count: 12
            accuracy: 0.85
          - name: careless
            count: 3
            random: true
  budget:
    votes: 1347
"""


def job_text(bucket: str = BUCKET, endpoint: str = "") -> str:
    """Return the job as YAML, its data and results in a bucket.

    Args:
        bucket: `s3://` and the bucket's name, or a prefix in it.
        endpoint: the address of an S3 server of one's own; empty for AWS.

    Raises:
        BadUsage: an address is none.
    """
    if urlsplit(bucket).scheme != "s3" or not urlsplit(bucket).netloc:
        raise BadUsage(f"--bucket {bucket}: is no bucket: write s3://NAME or s3://NAME/PREFIX")
    text = _JOB.replace(BUCKET, bucket.rstrip("/"))
    if not endpoint:
        return text
    if urlsplit(endpoint).scheme not in {"http", "https"}:
        raise BadUsage(f"--endpoint {endpoint}: is no address: write https://HOST:PORT")
    secret = f"    credentialsSecret: {SECRET}\n"
    return text.replace(secret, f"{secret}    endpoint: {endpoint}\n    pathStyle: true\n")
