"""The kinds of objects that the operator deals with, and where the API server serves them."""

from dataclasses import dataclass

__all__ = [
    "CHILDREN",
    "CONFIG_MAP",
    "DEPLOYMENT",
    "JOB",
    "KINDS",
    "LABELING_JOB",
    "LEASE",
    "POD",
    "SCALED_OBJECT",
    "SECRET",
    "Kind",
    "kind_of",
]


@dataclass(frozen=True, slots=True)
class Kind:
    """A namespaced kind of the API."""

    group: str
    version: str
    kind: str
    plural: str

    @property
    def api_version(self) -> str:
        """As it stands in an object: v1, or apps/v1."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """Return the path of an object, or of all of them in a namespace, or everywhere."""
        parts = ["apis", self.group, self.version] if self.group else ["api", self.version]
        parts += ["namespaces", namespace] if namespace else []
        return "/" + "/".join(part for part in (*parts, self.plural, name, subresource) if part)


LABELING_JOB = Kind("labelplane.io", "v1alpha1", "LabelingJob", "labelingjobs")
DEPLOYMENT = Kind("apps", "v1", "Deployment", "deployments")
POD = Kind("", "v1", "Pod", "pods")
JOB = Kind("batch", "v1", "Job", "jobs")
SECRET = Kind("", "v1", "Secret", "secrets")
CONFIG_MAP = Kind("", "v1", "ConfigMap", "configmaps")
LEASE = Kind("coordination.k8s.io", "v1", "Lease", "leases")
EVENT = Kind("events.k8s.io", "v1", "Event", "events")
SCALED_OBJECT = Kind("keda.sh", "v1alpha1", "ScaledObject", "scaledobjects")
"""Watched only where KEDA is."""

CHILDREN = (
    DEPLOYMENT,
    JOB,
    Kind("", "v1", "Service", "services"),
    Kind("", "v1", "ServiceAccount", "serviceaccounts"),
    Kind("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
)
"""What the operator makes for a job and watches. Secrets are missing: it may create them, and read none."""

KINDS = (LABELING_JOB, POD, SECRET, CONFIG_MAP, LEASE, EVENT, SCALED_OBJECT, *CHILDREN)

_BY_NAME = {(kind.api_version, kind.kind): kind for kind in KINDS}


def kind_of(manifest: object) -> Kind:
    """Return the kind of an object.

    Raises:
        KeyError: the operator deals with no such kind.
    """
    assert isinstance(manifest, dict)
    return _BY_NAME[manifest["apiVersion"], manifest["kind"]]
