"""What the plugin asks of a cluster, and how kubectl's complaints become errors."""

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from labelplane_kubectl.errors import KubectlFailed, NoSuchJob, NotInstalled
from labelplane_kubectl.kubectl import Kubectl, Stream

__all__ = ["RESOURCE", "Children", "Cluster", "Target"]

RESOURCE: Final = "labelingjobs.labelplane.io"
"""Always with its group: AWS Controllers for Kubernetes have a LabelingJob too."""

_JOB_LABEL: Final = "labelplane.io/job"
_LOG_LINE: Final = re.compile(r"^[EWIF]\d{4} ")
_CLOSE_NAMES: Final = 3

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Target:
    """Which cluster and namespace are meant; what is None is left to the kubeconfig."""

    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags that tell kubectl."""
        given = {"--namespace": self.namespace, "--context": self.context, "--kubeconfig": self.kubeconfig}
        return tuple(f"{flag}={value}" for flag, value in given.items() if value is not None)


@dataclass(frozen=True, slots=True)
class Children:
    """The Deployments and pods of a job, as the API server has them.

    Attributes:
        deployments: by name.
        pods: by name.
        hindrance: why they could not be read; empty when they were.
    """

    deployments: tuple[Object, ...] = ()
    pods: tuple[Object, ...] = ()
    hindrance: str = ""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster as its user reaches it with kubectl."""

    kubectl: Kubectl
    target: Target = Target()

    def jobs(self, *, everywhere: bool = False) -> list[Object]:
        """Return the jobs of the namespace, or of all.

        Raises:
            NotInstalled: the cluster knows no LabelingJobs.
            KubectlFailed: any other refusal; so it is for every method here.
        """
        scope = ("--all-namespaces",) if everywhere else ()
        listed: list[Object] = self._get(RESOURCE, *scope)["items"]
        return listed

    def job(self, name: str) -> Object:
        """Return a job.

        Raises:
            NoSuchJob: there is none of that name; the error names those that are spelt alike.
        """
        return self._get(f"{RESOURCE}/{name}", job=name)

    def children(self, name: str) -> Children:
        """Return the Deployments and pods of a job; where they may not be read, why."""
        try:
            listed = self._get("deployments.apps,pods", f"--selector={_JOB_LABEL}={name}")["items"]
        except KubectlFailed as error:
            return Children(hindrance=str(error))
        by_name = sorted(listed, key=lambda each: str(each["metadata"]["name"]))
        return Children(
            deployments=tuple(each for each in by_name if each["kind"] == "Deployment"),
            pods=tuple(each for each in by_name if each["kind"] == "Pod"),
        )

    def merge(self, name: str, patch: Object) -> Object:
        """Change a job by a merge patch, and return it as it is then."""
        text = self._ask(
            "patch", f"{RESOURCE}/{name}", "--type=merge", f"--patch={json.dumps(patch)}", "--output=json", job=name
        )
        changed: Object = json.loads(text)
        return changed

    def logs(self, pod: str, container: str, options: Sequence[str]) -> Stream:
        """Start to write the log of a container to standard output, each line with where it comes from."""
        return self.kubectl.stream([*self.target.flags, "logs", pod, f"--container={container}", "--prefix", *options])

    def failure(self, verb: str, complaint: str) -> KubectlFailed:
        """Return the error for what kubectl complains about."""
        return KubectlFailed(f"kubectl {verb}: {_said(complaint)}")

    def _get(self, what: str, *options: str, job: str = "") -> Object:
        found: Object = json.loads(self._ask("get", what, *options, "--output=json", job=job))
        return found

    def _ask(self, verb: str, *arguments: str, job: str) -> str:
        answer = self.kubectl.ask([*self.target.flags, verb, *arguments])
        if answer.code == 0:
            return answer.output
        if "the server doesn't have a resource type" in answer.complaint:
            raise NotInstalled(
                "this cluster knows no LabelingJobs: install the operator (docs/install.md), or give another --context"
            )
        if job and "(NotFound)" in answer.complaint:
            raise NoSuchJob(self._missing(job))
        raise self.failure(verb, answer.complaint)

    def _missing(self, name: str) -> str:
        listed = self._ask("get", RESOURCE, "--output=name", job="").split()
        close = difflib.get_close_matches(name, [each.rpartition("/")[2] for each in listed], n=_CLOSE_NAMES)
        where = f"namespace {self.target.namespace}" if self.target.namespace else "the namespace of the kubeconfig"
        hint = f"did you mean {', '.join(close)}?" if close else "kubectl labelplane status --all-namespaces lists all"
        return f"no LabelingJob {name} in {where}: {hint}"


def _said(complaint: str) -> str:
    """Return the last thing that kubectl said to its user; lines of its log come before."""
    lines = [line.strip() for line in complaint.splitlines() if line.strip() and not _LOG_LINE.match(line)]
    if not lines:
        return "it failed without a word"
    return lines[-1].removeprefix("error: ").removeprefix("Error: ")
