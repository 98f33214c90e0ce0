"""What keeps pods from running, in one sentence: from Kubernetes' own words."""

import pytest

from labelplane_operator.observed import ContainerView, DeploymentView, PodView
from labelplane_operator.policies.pod_problems import find_problem


def pod(name: str = "digits-7", *, unschedulable: str = "", gated: str = "", **fields: object) -> PodView:
    """Return a pod with one container of these fields."""
    container = ContainerView(name="small", image="labelplane/small:1", **fields)  # type: ignore[arg-type]
    return PodView(name, (container,), unschedulable=unschedulable, gated=gated)


def deployment(replica_failure: str = "") -> DeploymentView:
    return DeploymentView("digits", replica_failure)


QUOTA = (
    'pods "digits-5d4f-x2x" is forbidden: exceeded quota: team, requested: limits.memory=4Gi, used: limits.memory=6Gi, '
    "limited: limits.memory=8Gi"
)
SECURITY = (
    'pods "digits-5d4f-x2x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true '
    '(container "small" must set securityContext.runAsNonRoot=true)'
)
GPU = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are available"
SELECTOR = "0/3 nodes are available: 3 node(s) didn't match Pod's node affinity/selector."

IN = "container small of pod digits-7"
CASES = [
    pytest.param(
        pod(waiting_reason="CreateContainerConfigError", waiting_message='secret "minio" not found'),
        "MissingSecret",
        f"{IN} cannot be made: there is no Secret minio: create it in the job's namespace, or correct its name",
        id="a Secret is missing",
    ),
    pytest.param(
        pod(waiting_reason="CreateContainerConfigError", waiting_message='configmap "ca" not found'),
        "MissingConfigMap",
        f"{IN} cannot be made: there is no ConfigMap ca: create it",
        id="a ConfigMap is missing",
    ),
    pytest.param(
        pod(
            waiting_reason="CreateContainerConfigError",
            waiting_message="couldn't find key AWS_ACCESS_KEY_ID in Secret default/minio",
        ),
        "MissingSecret",
        f"{IN} cannot be made: Secret minio has no key AWS_ACCESS_KEY_ID: add the key",
        id="a Secret lacks a key",
    ),
    pytest.param(
        pod(waiting_reason="CreateContainerConfigError", waiting_message="container has runAsNonRoot, image is root"),
        "InvalidPodConfig",
        f"{IN} cannot be made: container has runAsNonRoot, image is root: see kubectl describe pod",
        id="something else of the container is wrong",
    ),
    *(
        pytest.param(
            pod(waiting_reason=reason, waiting_message="whatever the registry said"),
            "ImageUnavailable",
            f"{IN}: image labelplane/small:1 cannot be pulled: see that its name is right",
            id=f"the image cannot be had: {reason}",
        )
        for reason in ("ErrImagePull", "ImagePullBackOff", "InvalidImageName")
    ),
    pytest.param(
        pod(unschedulable=GPU),
        "Unschedulable",
        "pod digits-7: no node has nvidia.com/gpu free: it waits for one; add a GPU node",
        id="no GPU is free",
    ),
    pytest.param(
        pod(unschedulable=SELECTOR),
        "Unschedulable",
        "pod digits-7: no node takes it: 0/3 nodes are available: 3 node(s) didn't match",
        id="no node fits",
    ),
    pytest.param(
        pod(ended_reason="OOMKilled", exit_code=137, restarts=1, waiting_reason="CrashLoopBackOff"),
        "OutOfMemory",
        f"{IN} used more memory than its limit and was killed: raise resources.limits.memory",
        id="memory runs out",
    ),
    pytest.param(
        pod(waiting_reason="CrashLoopBackOff", ended_reason="Error", exit_code=2, restarts=1),
        "CrashLoop",
        f"{IN} ends with exit code 2 again and again: see kubectl logs digits-7 -c small --previous",
        id="a container crashes",
    ),
    pytest.param(
        pod(ended_reason="Error", exit_code=2, restarts=4),
        "CrashLoop",
        f"{IN} ends with exit code 2 again and again",
        id="a container that crashes has just been started again",
    ),
    pytest.param(
        pod(gated="LocalQueue team-a to admit it"),
        "NotAdmitted",
        "pod digits-7 waits for LocalQueue team-a to admit it: it goes on by itself then",
        id="its queue has not admitted it",
    ),
]


@pytest.mark.parametrize(("seen", "want_reason", "want_message"), CASES)
def test_pod_cannot_run_because(seen: PodView, want_reason: str, want_message: str) -> None:
    problem = find_problem([seen], [deployment()])

    assert problem is not None
    assert problem.reason == want_reason
    assert problem.message.startswith(want_message)


@pytest.mark.parametrize(
    ("text", "want_reason", "want_words"),
    [
        pytest.param(QUOTA, "QuotaExceeded", "raise the ResourceQuota of the namespace", id="the quota is used up"),
        pytest.param(SECURITY, "PodSecurity", "take out of podOverrides", id="the namespace's pod security forbids it"),
        pytest.param("webhook denied it", "PodsRefused", "webhook denied it", id="somebody else refuses it"),
    ],
)
def test_pod_is_not_made_because(text: str, want_reason: str, want_words: str) -> None:
    problem = find_problem([], [deployment(text)])

    assert problem is not None
    assert problem.reason == want_reason
    assert problem.message.startswith("Deployment digits gets no pod: ")
    assert want_words in problem.message


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(pod(is_ready=True), id="runs"),
        pytest.param(pod(waiting_reason="ContainerCreating"), id="is being made"),
        pytest.param(pod(is_ready=True, restarts=9, ended_reason="OOMKilled", exit_code=137), id="has recovered"),
        pytest.param(pod(restarts=1, ended_reason="Error", exit_code=1), id="was started again once"),
        pytest.param(pod(restarts=5, ended_reason="Completed", exit_code=0), id="ends well and is started again"),
        pytest.param(PodView("digits-7"), id="is not seen yet"),
    ],
)
def test_nothing_is_told_of_a_pod_that(seen: PodView) -> None:
    assert find_problem([seen], [deployment()]) is None


def test_most_pressing_problem_is_told_whatever_the_order() -> None:
    crashing = pod("a", waiting_reason="CrashLoopBackOff", exit_code=1)
    no_image = pod("b", waiting_reason="ErrImagePull")
    no_secret = pod("c", waiting_reason="CreateContainerConfigError", waiting_message='secret "s" not found')

    assert _reasons([crashing, no_image, no_secret]) == _reasons([no_secret, no_image, crashing]) == "MissingSecret"
    assert _reasons([crashing, no_image]) == "ImageUnavailable"
    assert _reasons([pod("A", gated="LocalQueue q to admit it"), crashing]) == "CrashLoop"
    assert _reasons([no_secret], [deployment(QUOTA)]) == "QuotaExceeded"


def test_of_equal_problems_that_of_the_first_name_is_told() -> None:
    pods = [pod(name, waiting_reason="CrashLoopBackOff", exit_code=1) for name in ("b", "a")]

    problem = find_problem(pods, [])

    assert problem is not None
    assert "pod a " in problem.message


def test_words_stay_the_same_while_kubernetes_tries_again() -> None:
    tries = [
        pod(waiting_reason="ErrImagePull", waiting_message="manifest unknown"),
        pod(waiting_reason="ImagePullBackOff", waiting_message="Back-off pulling image"),
    ]
    crashes = [pod(waiting_reason="CrashLoopBackOff", exit_code=1, restarts=count) for count in (2, 30)]

    assert len({find_problem([each], []) for each in tries}) == 1
    assert len({find_problem([each], []) for each in crashes}) == 1


def test_long_words_of_kubernetes_are_cut() -> None:
    problem = find_problem([pod(unschedulable="no\n" * 5000)], [])

    assert problem is not None
    assert len(problem.message) < 500
    assert "\n" not in problem.message


def _reasons(pods: list[PodView], deployments: list[DeploymentView] | None = None) -> str:
    problem = find_problem(pods, deployments or [])
    assert problem is not None
    return problem.reason
