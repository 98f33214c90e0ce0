"""What cannot run on a cluster is told before a pod is made, field by field."""

import pytest
from cluster_jobs import CASES, GPU_POD, ClusterJob, in_bucket, in_own_store
from job_builder import JobBuilder

from labelplane_operator.policies.cluster import refusals


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_the_builders_are_tested_with_is_not_refused(case: ClusterJob) -> None:
    assert refusals(case.build()) == ()


def overriding(**fields: object) -> JobBuilder:
    return in_bucket().having("spec.podOverrides", {"small": fields})


REFUSED = [
    pytest.param(
        in_bucket().having("spec.model.image", "me/train:1"),
        "spec.model.image: needs spec.storage.credentialsSecret: what a pod's own identity may reach, the image in "
        "that pod may reach too",
        id="an own training image in a pod that has keys of its own",
    ),
    pytest.param(
        in_own_store()
        .with_classes(*(f"{k:05}{'c' * 120}" for k in range(900)))
        .having("spec.model.image", "me/train:1"),
        "spec.task.classes: have more than 100,000 bytes, the most that a pod of spec.model.image is told: "
        "give shorter names",
        id="classes that do not fit a variable",
    ),
    pytest.param(
        in_bucket().with_dataset(uri="digits"),
        'spec.dataset.uri: "digits" is a folder of one machine, which no pod can reach: give s3://bucket/prefix',
        id="items in a folder",
    ),
    pytest.param(
        in_bucket().with_storage(uri="out", region=None),
        'spec.storage.uri: "out" is a folder of one machine, which no pod can reach: give s3://bucket/prefix',
        id="results in a folder",
    ),
    pytest.param(
        in_bucket().with_votes_from_files("votes"),
        'spec.sources.humans.files.uri: "votes" is a folder of one machine, which no pod can reach: '
        "give s3://bucket/prefix",
        id="votes in a folder",
    ),
    pytest.param(
        in_bucket().with_dataset(truth_field="right \U0001f600"),
        "spec.dataset.truthField: holds a character that no pod can be told: rename it",
        id="a column called by a picture",
    ),
    pytest.param(
        in_own_store().with_dataset(id_field=None, truth_field=None),
        "spec.sources.humans.simulated: on a cluster the crowd reads the truth from a table with ids: "
        "set spec.dataset.idField, spec.dataset.truthField",
        id="a crowd without a table of the truth",
    ),
    pytest.param(
        in_own_store()
        .with_classes(*(f"c{k}" for k in range(50)))
        .with_crowd(
            *(
                {
                    "name": f"g{k}",
                    "confusion": [
                        [1 / 64 + (0.21875 if row == column else 0) for column in range(50)] for row in range(50)
                    ],
                }
                for k in range(10)
            )
        ),
        "spec.sources.humans.simulated.annotators: has more than 100,000 bytes, the most that a pod is told: "
        "give accuracy in place of confusion, or fewer groups",
        id="a crowd that does not fit a variable",
    ),
    pytest.param(
        overriding(resources={"limits": {"gpu": "1"}}),
        "spec.podOverrides.small.resources.limits.gpu: is no resource: "
        "take cpu, ephemeral-storage, memory or one with a domain, as nvidia.com/gpu",
        id="a resource without a domain",
    ),
    pytest.param(
        overriding(resources={"limits": {"nvidia.com/": "1"}}),
        "spec.podOverrides.small.resources.limits.nvidia.com/: is no name of a resource: write it as nvidia.com/gpu",
        id="a domain without a resource",
    ),
    pytest.param(
        overriding(resources={"limits": {"requests.nvidia.com/gpu": "1"}}),
        "spec.podOverrides.small.resources.limits.requests.nvidia.com/gpu: is no name of a resource: "
        "write it as nvidia.com/gpu",
        id="a resource as quotas name it",
    ),
    pytest.param(
        overriding(resources={"limits": {"nvidia.com/gpu": "500m"}}),
        "spec.podOverrides.small.resources.limits.nvidia.com/gpu: 500m is no number of devices: "
        "give a whole one, at most 1,000,000",
        id="half a GPU",
    ),
    pytest.param(
        overriding(resources={"requests": {"memory": "4Gi"}, "limits": {"memory": "4G"}}),
        "spec.podOverrides.small.resources.requests.memory: 4Gi is more than its limit 4G: raise the limit",
        id="a request above its limit",
    ),
    pytest.param(
        overriding(resources={"requests": {"nvidia.com/gpu": "1"}, "limits": {"nvidia.com/gpu": "2"}}),
        "spec.podOverrides.small.resources.requests.nvidia.com/gpu: 1 is not its limit 2: devices are given whole",
        id="a GPU that is shared",
    ),
    pytest.param(
        overriding(nodeSelector={"a key": "b"}),
        "spec.podOverrides.small.nodeSelector.a key: is no name of a label: write it as name or example.com/name",
        id="a label's name with a space",
    ),
    pytest.param(
        overriding(nodeSelector={"Example.com/pool": "b"}),
        "spec.podOverrides.small.nodeSelector.Example.com/pool: is no name of a label: "
        "write it as name or example.com/name",
        id="a domain in capitals",
    ),
    pytest.param(
        overriding(labels={"team": "a/b"}),
        'spec.podOverrides.small.labels.team: "a/b" is no value of a label: use letters, digits, -, _ and .',
        id="a label's value with a slash",
    ),
    pytest.param(
        overriding(labels={"labelplane.io/job": "other"}),
        "spec.podOverrides.small.labels.labelplane.io/job: labelplane sets the labels of labelplane.io: remove it",
        id="a label of ours",
    ),
    pytest.param(
        overriding(env=[{"name": "LABELPLANE_STORE_URI", "value": "s3://other"}]),
        "spec.podOverrides.small.env[0].name: labelplane sets LABELPLANE_* itself: remove LABELPLANE_STORE_URI",
        id="a setting of ours",
    ),
    pytest.param(
        overriding(env=[{"name": "TEXT", "value": "two\nlines"}, {"name": "BELL", "value": "\x07"}]),
        "spec.podOverrides.small.env[1].value: holds a character that no pod can be told: remove it",
        id="a value with a bell",
    ),
    pytest.param(
        overriding(affinity={"hostAffinity": {}}),
        "spec.podOverrides.small.affinity.hostAffinity: is not known: take nodeAffinity, podAffinity, podAntiAffinity",
        id="an affinity that is not known",
    ),
    pytest.param(
        overriding(affinity={"nodeAffinity": ["a"]}),
        "spec.podOverrides.small.affinity.nodeAffinity: is no object: write it as in a pod",
        id="an affinity that is a list",
    ),
    pytest.param(
        overriding(tolerations=[{"value": "b"}]),
        "spec.podOverrides.small.tolerations[0].operator: Equal needs a key: "
        "name it, or take Exists to bear every taint",
        id="a toleration of nothing",
    ),
    pytest.param(
        overriding(tolerations=[{"key": "a b", "operator": "Exists"}]),
        'spec.podOverrides.small.tolerations[0].key: "a b" is no name of a taint: write it as name or example.com/name',
        id="a toleration of no taint",
    ),
    pytest.param(
        overriding(tolerations=[{"key": "a", "operator": "Exists", "value": "b"}]),
        "spec.podOverrides.small.tolerations[0].value: Exists compares with no value: remove it",
        id="a toleration with a value too many",
    ),
    pytest.param(
        overriding(tolerations=[{"key": "a", "value": "b c"}]),
        'spec.podOverrides.small.tolerations[0].value: "b c" is no value of a taint: use letters, digits, -, _ and .',
        id="a toleration of no value",
    ),
    pytest.param(
        overriding(tolerations=[{"key": "a", "operator": "Exists", "effect": "NoSchedule", "tolerationSeconds": 5}]),
        "spec.podOverrides.small.tolerations[0].tolerationSeconds: is for effect NoExecute alone: remove it",
        id="a toleration that ends",
    ),
]


@pytest.mark.parametrize(("job", "want"), REFUSED)
def test_what_no_pod_can_do_is_refused_with_field_reason_and_remedy(job: JobBuilder, want: str) -> None:
    assert refusals(job.build()) == (want,)


def test_all_refusals_are_told_together_with_their_service() -> None:
    bad = {"env": [{"name": "LABELPLANE_TOKEN", "value": "x"}]}
    job = in_bucket().with_dataset(uri="digits").having("spec.podOverrides", {"scoringWorker": bad, "small": GPU_POD})

    assert [refusal.split(":")[0] for refusal in refusals(job.build())] == [
        "spec.dataset.uri",
        "spec.podOverrides.scoringWorker.env[0].name",
    ]


def test_keda_must_be_switched_on() -> None:
    job = in_bucket().with_scaling(engine="Keda").build()

    assert refusals(job, has_keda=True) == ()
    (refusal,) = refusals(job)
    assert refusal.startswith("spec.scaling.engine: Keda is not switched on")
