"""`kubectl labelplane demo`: the first job, in three commands.

It applies nothing by itself: a job on a cluster reads and writes a bucket, and only its user knows which one, and with
whose credentials.
"""

from shlex import quote
from typing import Annotated

import typer

from labelplane_cli.terminal import output, printable
from labelplane_kubectl.first_job import BUCKET
from labelplane_kubectl.options import ContextOption, KubeconfigOption, NamespaceOption

__all__ = ["demo"]


def demo(
    *,
    bucket: Annotated[str, typer.Option(metavar="ADDRESS", help="Where its data and results lie.")] = BUCKET,
    endpoint: Annotated[str, typer.Option(metavar="ADDRESS", help="Of an S3 server of your own.")] = "",
    namespace: NamespaceOption = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Print the three commands of a first job; nothing is applied, as only you know a bucket and its credentials."""
    from labelplane_kubectl.cluster import Target
    from labelplane_kubectl.first_job import NAME, SECRET, job_text

    flags = "".join(f" {quote(each)}" for each in Target(namespace, context, kubeconfig).flags)
    job = job_text(bucket, endpoint)
    keys = "--from-literal=AWS_ACCESS_KEY_ID=... --from-literal=AWS_SECRET_ACCESS_KEY=..."
    console = output()
    for line in (
        "# 1,797 scanned digits and a simulated crowd; the operator must be installed (docs/install.md).",
        f"# First put the folder manifests/samples/digits into {printable(bucket)} as digits.",
        "",
        "# 1. The credentials of the bucket:",
        f"kubectl create secret generic {SECRET}{flags} {keys}",
        "",
        "# 2. The job:",
        f"kubectl apply{flags} -f - <<'JOB'",
        job + "JOB",
        "",
        "# 3. Look on until its labels are written:",
        f"kubectl labelplane status {NAME} --watch{flags}",
        "",
        "# Every field: docs/reference/labelingjob.md. Without a cluster: labelplane demo",
    ):
        console.print(line)
