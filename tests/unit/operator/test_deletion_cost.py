import pytest
from hypothesis import given
from hypothesis import strategies as st

from labelplane_operator.policies.deletion_cost import WorkerPod, deletion_costs

names = st.text("abcdef0123456789", min_size=1, max_size=8)
pods = st.lists(
    st.builds(
        WorkerPod,
        name=names,
        is_busy=st.none() | st.booleans(),
        mark=st.none() | st.sampled_from(["-100", "0", "100", "7", "many"]),
    ),
    max_size=20,
    unique_by=lambda pod: pod.name,
)


@pytest.mark.parametrize(
    ("pod", "want"),
    [
        pytest.param(WorkerPod("a", is_busy=True), "100", id="a busy worker is marked dear"),
        pytest.param(WorkerPod("a", is_busy=False), "-100", id="an idle worker is marked cheap"),
        pytest.param(WorkerPod("a", is_busy=None), None, id="a worker that nobody knows about needs no mark"),
        pytest.param(
            WorkerPod("a", is_busy=None, mark="100"), "0", id="an old mark of an unknown worker is taken back"
        ),
        pytest.param(WorkerPod("a", is_busy=True, mark="100"), None, id="a right mark is not written again"),
        pytest.param(WorkerPod("a", is_busy=True, mark="dear"), "100", id="a mark that is no number is replaced"),
    ],
)
def test_a_pod_is_marked_by_what_it_does(pod: WorkerPod, want: str | None) -> None:
    assert deletion_costs([pod]).get("a") == want


@given(pods=pods, count=st.integers(0, 20))
def test_no_busy_worker_goes_while_an_idle_one_stays(pods: list[WorkerPod], count: int) -> None:
    marks = deletion_costs(pods)
    # A ReplicaSet reads an absent mark as 0, and leaves the order of equal ones open.
    costs = {pod.name: int(marks.get(pod.name, pod.mark or "0")) for pod in pods}
    ordered = sorted(pods, key=lambda pod: costs[pod.name])
    removed, stay = ordered[:count], ordered[count:]
    if any(pod.is_busy for pod in removed):
        assert all(pod.is_busy for pod in stay)


@given(pods=pods)
def test_marks_that_were_set_are_not_set_again(pods: list[WorkerPod]) -> None:
    marks = deletion_costs(pods)
    marked = [WorkerPod(pod.name, pod.is_busy, marks.get(pod.name, pod.mark)) for pod in pods]
    assert not deletion_costs(marked)
