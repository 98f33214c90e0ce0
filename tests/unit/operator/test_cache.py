"""What the watches have shown: newer states win, the gone are forgotten, and each object belongs to a job."""

from typing import Any

from labelplane_operator.builders import JOB_LABEL
from labelplane_operator.cache import ObjectCache, job_key
from labelplane_operator.kinds import DEPLOYMENT, LABELING_JOB, POD

KEY = ("team", "digits")


def _job(version: int = 1, uid: str = "job-1", **fields: Any) -> dict[str, Any]:
    metadata = {"namespace": "team", "name": "digits", "uid": uid, "resourceVersion": str(version)}
    return {"apiVersion": "labelplane.io/v1alpha1", "kind": "LabelingJob", "metadata": metadata, **fields}


def _child(name: str, version: int = 1, uid: str = "", **fields: Any) -> dict[str, Any]:
    metadata = {
        "namespace": "team",
        "name": name,
        "uid": uid or f"uid-{name}",
        "resourceVersion": str(version),
        "labels": {JOB_LABEL: "digits"},
        "managedFields": [{"manager": "kubectl"}],
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, **fields}


def test_an_object_without_the_label_is_nobodys() -> None:
    stranger = _child("web")
    stranger["metadata"]["labels"] = {"app": "web"}
    cache = ObjectCache()
    cache.put(DEPLOYMENT, stranger)

    assert job_key(stranger) is None
    assert cache.keys() == set()


def test_an_old_event_after_a_newer_one_changes_nothing() -> None:
    cache = ObjectCache()
    cache.put(LABELING_JOB, _job(version=10, spec="new"))
    cache.put(LABELING_JOB, _job(version=9, spec="old"))

    assert cache.job(KEY) is not None
    assert cache.job(KEY)["spec"] == "new"  # type: ignore[index]


def test_a_state_that_is_known_is_no_news() -> None:
    cache = ObjectCache()

    assert cache.put(DEPLOYMENT, _child("digits", version=3))
    assert not cache.put(DEPLOYMENT, _child("digits", version=3))
    assert not cache.put(DEPLOYMENT, _child("digits", version=2))
    assert cache.put(DEPLOYMENT, _child("digits", version=4))


def test_versions_are_compared_as_numbers() -> None:
    cache = ObjectCache()
    cache.put(DEPLOYMENT, _child("digits", version=9))
    cache.put(DEPLOYMENT, _child("digits", version=10, spec="new"))

    assert cache.child(KEY, DEPLOYMENT, "digits")["spec"] == "new"  # type: ignore[index]


def test_a_successor_of_the_same_name_replaces_the_object_before() -> None:
    cache = ObjectCache()
    cache.put(LABELING_JOB, _job(version=5, uid="job-1"))
    cache.put(LABELING_JOB, _job(version=10, uid="job-2"))

    assert cache.job(KEY)["metadata"]["uid"] == "job-2"  # type: ignore[index]


def test_a_late_state_of_the_object_before_does_not_replace_its_successor() -> None:
    cache = ObjectCache()
    cache.put(LABELING_JOB, _job(version=10, uid="job-2"))

    assert not cache.put(LABELING_JOB, _job(version=5, uid="job-1"))
    assert cache.job(KEY)["metadata"]["uid"] == "job-2"  # type: ignore[index]


def test_the_answer_to_a_write_that_comes_after_the_deletion_brings_nothing_back() -> None:
    cache = ObjectCache()
    cache.put(LABELING_JOB, _job(version=5))
    cache.remove(LABELING_JOB, _job(version=7))

    assert not cache.put(LABELING_JOB, _job(version=6))
    assert cache.job(KEY) is None


def test_a_child_that_lost_its_label_comes_back_with_it() -> None:
    cache = ObjectCache()
    cache.put(DEPLOYMENT, _child("digits", version=5))
    cache.remove(DEPLOYMENT, _child("digits", version=6))

    assert cache.put(DEPLOYMENT, _child("digits", version=7))
    assert cache.child(KEY, DEPLOYMENT, "digits") is not None


def test_of_what_is_gone_a_bounded_number_is_remembered() -> None:
    cache = ObjectCache()
    for number in range(10_001):
        cache.remove(LABELING_JOB, _job(uid=f"job-{number}"))

    assert cache.put(LABELING_JOB, _job(uid="job-0"))
    assert not cache.put(LABELING_JOB, _job(uid="job-1"))


def test_a_late_deletion_of_the_object_before_leaves_its_successor() -> None:
    cache = ObjectCache()
    cache.put(LABELING_JOB, _job(uid="job-2"))
    cache.remove(LABELING_JOB, _job(uid="job-1"))

    assert cache.job(KEY) is not None


def test_a_removed_child_is_gone_and_the_job_without_children_too() -> None:
    cache = ObjectCache()
    cache.put(DEPLOYMENT, _child("digits"))
    cache.remove(DEPLOYMENT, _child("digits"))

    assert cache.children(KEY) == []
    assert cache.keys() == set()


def test_who_owns_which_field_is_not_kept() -> None:
    cache = ObjectCache()
    cache.put(DEPLOYMENT, _child("digits"))

    assert "managedFields" not in cache.child(KEY, DEPLOYMENT, "digits")["metadata"]  # type: ignore[index]


def test_a_list_forgets_what_vanished_unseen_and_names_its_jobs() -> None:
    cache = ObjectCache()
    cache.put(DEPLOYMENT, _child("digits-scoring", version=3))
    cache.put(DEPLOYMENT, _child("digits-aggregation", version=3))

    changed = cache.keep_only(DEPLOYMENT, {"uid-digits-scoring"}, version=8)

    assert changed == {KEY}
    assert [each["metadata"]["name"] for each in cache.children(KEY)] == ["digits-scoring"]


def test_a_list_does_not_forget_what_is_newer_than_itself() -> None:
    cache = ObjectCache()
    cache.put(DEPLOYMENT, _child("digits", version=9))

    assert cache.keep_only(DEPLOYMENT, set(), version=8) == set()
    assert cache.child(KEY, DEPLOYMENT, "digits") is not None


def test_children_of_one_kind_are_told_from_those_of_another() -> None:
    cache = ObjectCache()
    cache.put(DEPLOYMENT, _child("digits"))
    cache.put(POD, _child("digits-1"))

    assert [each["metadata"]["name"] for each in cache.children(KEY, POD)] == ["digits-1"]
    assert len(cache.children(KEY)) == 2
