"""A real cluster with the chart installed, and an S3 server beside it; started once, and taken down again."""

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from jobs_by_kubectl import Jobs
from kubectl_and_helm import ROOT, User
from one_node import NODE_ADDRESS, OneNode, running_node
from s3_server import S3Server, running_s3_server

RELEASE, SYSTEM = "labelplane", "labelplane-system"


@pytest.fixture(scope="session")
def images() -> Path:
    """The folder with the archives of hack/e2e-images."""
    return Path(os.environ["LABELPLANE_E2E_IMAGES"])


@pytest.fixture(scope="session")
def node(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneNode]:
    with running_node(tmp_path_factory.mktemp("node"), pause=images / "labelplane-pause.tar") as node:
        node.load_images(images)
        yield node


@pytest.fixture(scope="session")
def user(node: OneNode, tmp_path_factory: pytest.TempPathFactory) -> User:
    """The administrator of the cluster."""
    return User(node.server.kubeconfig(), tmp_path_factory.mktemp("user"))


@pytest.fixture(scope="session")
def s3(node: OneNode, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server outside the cluster, where pods reach it."""
    with running_s3_server(tmp_path_factory.mktemp("s3"), host=NODE_ADDRESS) as server:
        yield server


@pytest.fixture(scope="session")
def installed(user: User) -> User:
    """The cluster with the chart installed."""
    values = {"images": {"registry": "localhost", "tag": "e2e", "pullPolicy": "Never"}}
    chart = os.fspath(ROOT / "charts" / "labelplane")
    where = ("--namespace", SYSTEM, "--create-namespace")
    user.helm("install", RELEASE, chart, *where, "--wait", "--timeout", "5m", values=values)
    return user


@pytest.fixture
def namespace(installed: User, request: pytest.FixtureRequest) -> Iterator[str]:
    """A namespace under the restricted standard, gone with its jobs when the test ends."""
    name = f"e2e-{sha256(request.node.name.encode()).hexdigest()[:8]}"
    restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": name, "labels": restricted}
    installed.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    yield name
    installed.kubectl("delete", "namespace", name, "--timeout=120s")


@pytest.fixture
def jobs(installed: User, s3: S3Server, namespace: str) -> Jobs:
    """The jobs of a namespace with data and credentials."""
    made = Jobs(installed, s3, namespace)
    made.prepare()
    return made


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add to a failure what a person would look at first: the jobs, the pods, and what the operator said."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    user = getattr(item, "funcargs", {}).get("installed")
    if not report.failed or user is None:
        return
    for title, words in {
        "jobs": ("get", "labelingjobs", "-A", "-o", "yaml"),
        "pods": ("get", "pods", "-A", "-o", "wide"),
        "events": ("get", "events", "-A", "--sort-by=.lastTimestamp"),
        "operator": ("logs", "-n", SYSTEM, "-l", "app.kubernetes.io/name=labelplane", "--tail=60"),
    }.items():
        try:
            report.sections.append((title, user.kubectl(*words, seconds=30)[-6000:]))
        except AssertionError as error:
            report.sections.append((title, str(error)))
