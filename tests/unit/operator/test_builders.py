"""What holds for the objects of every job."""

import json
import re
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
from cluster_jobs import ALL_PARTS, CASES, PLATFORM, TOKEN, UID, ClusterJob, in_bucket, in_own_store, of_kind, pod_specs
from job_builder import JobBuilder

from labelplane_api.names import fitted
from labelplane_api.parts import Part
from labelplane_api.running import Profile, ResourceRequirements
from labelplane_api.status import Stage
from labelplane_operator.builders import Child, build_children, service_name, training_name
from labelplane_operator.builders.resources import Resources, amount
from labelplane_operator.builders.variables import can_be_told

EVERY_CASE = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def kinds_and_names(children: tuple[Child, ...]) -> list[tuple[str, str]]:
    return [(child.manifest["kind"], child.manifest["metadata"]["name"]) for child in children]


def replicas(case: ClusterJob) -> dict[str, int | None]:
    return {
        child.manifest["metadata"]["name"]: child.replicas
        for child in case.children()
        if child.manifest["kind"] == "Deployment"
    }


def containers_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return [*spec.get("initContainers", ()), *spec["containers"]]


def container(children: tuple[Child, ...], name: str) -> dict[str, Any]:
    (found,) = (each for spec in pod_specs(children) for each in containers_of(spec) if each["name"] == name)
    return dict(found)


def variables(children: tuple[Child, ...], name: str) -> dict[str, Any]:
    """Return the variables of a container: their value, or what else they come from."""
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container(children, name)["env"]}


# -- every object -----------------------------------------------------------------------------------------------------


@EVERY_CASE
def test_every_object_is_owned_by_its_job_and_labelled_with_it(case: ClusterJob) -> None:
    job = case.build()
    for child in case.children():
        metadata = child.manifest["metadata"]
        assert metadata["namespace"] == "team-a"
        assert metadata["ownerReferences"] == [
            {
                "apiVersion": "labelplane.io/v1alpha1",
                "kind": "LabelingJob",
                "name": job.metadata.name,
                "uid": UID,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ]
        assert metadata["labels"]["labelplane.io/job"] == job.metadata.name
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "labelplane"
        assert metadata["annotations"] == {"labelplane.io/installation": "tests"}


@EVERY_CASE
def test_every_name_is_a_dns_label_and_stands_once_a_kind(case: ClusterJob) -> None:
    names = kinds_and_names(case.children())

    assert len(set(names)) == len(names)
    assert all(DNS_LABEL.fullmatch(name) for _, name in names)
    assert all(name[0].isalpha() for kind, name in names if kind == "Service")


@EVERY_CASE
def test_the_same_job_gives_the_same_objects(case: ClusterJob) -> None:
    assert case.children() == case.children()


@EVERY_CASE
def test_only_deployments_have_replicas_and_never_in_their_manifest(case: ClusterJob) -> None:
    for child in case.children():
        assert (child.replicas is not None) == (child.manifest["kind"] == "Deployment")
        assert "replicas" not in child.manifest.get("spec", {})


@EVERY_CASE
def test_the_token_stands_in_its_secret_alone(case: ClusterJob) -> None:
    (secret,) = of_kind(case.children(), "Secret")
    others = [child.manifest for child in case.children() if child.manifest["kind"] != "Secret"]
    encoded = b64encode(TOKEN.encode()).decode()

    assert secret["data"] == {"token": encoded}
    assert TOKEN not in json.dumps(others)
    assert encoded not in json.dumps(others)
    assert TOKEN not in repr(case.children())


def test_a_secret_is_the_same_in_both_profiles_as_nobody_may_change_it() -> None:
    (small,) = of_kind(CASES["small-with-overrides"].children(), "Secret")
    (distributed,) = of_kind(CASES["distributed-with-overrides"].children(), "Secret")

    assert small == distributed


def test_a_job_that_is_applied_again_has_a_secret_of_its_own() -> None:
    first, second = (ClusterJob(in_bucket().with_uid(uid)).children() for uid in ("one", "two"))

    assert next(of_kind(first, "Secret"))["metadata"]["name"] != next(of_kind(second, "Secret"))["metadata"]["name"]


def test_a_job_without_a_cluster_owns_nothing() -> None:
    job = in_bucket().having("metadata.uid", None).build()

    with pytest.raises(ValueError, match="team-a/digits has no uid"):
        build_children(job, ALL_PARTS, PLATFORM, token=TOKEN)


# -- topologies -------------------------------------------------------------------------------------------------------


def test_a_small_job_is_one_deployment_and_one_service() -> None:
    names = kinds_and_names(CASES["small"].children())

    assert [name for name in names if name[0] in {"Deployment", "Service"}] == [
        ("Service", "digits"),
        ("Deployment", "digits"),
    ]


@pytest.mark.parametrize("profile", ["Auto", "Small", "Distributed"])
def test_every_job_begins_in_the_small_pod(profile: str) -> None:
    job = in_bucket().having("spec.profile", profile).build()

    children = build_children(job, frozenset({Part.AGGREGATION}), PLATFORM, token=TOKEN)

    assert [each["metadata"]["name"] for each in of_kind(children, "Deployment")] == ["digits"]
    assert service_name(job, Stage.PREPARE) == "digits"


@pytest.mark.parametrize(
    ("parts", "want_up"),
    [
        pytest.param(frozenset(), set(), id="suspended"),
        pytest.param({Part.AGGREGATION}, {"digits-aggregation"}, id="people vote"),
        pytest.param({Part.DISTILLATION}, {"digits-distillation"}, id="training alone"),
        pytest.param(
            {Part.SCORING, Part.SCORING_WORKER}, {"digits-scoring", "digits-scoring-worker"}, id="scoring with workers"
        ),
        pytest.param(
            ALL_PARTS,
            {"digits-aggregation", "digits-scoring", "digits-scoring-worker", "digits-distillation"},
            id="everything",
        ),
    ],
)
def test_only_the_wanted_parts_have_a_pod(parts: frozenset[Part], want_up: set[str]) -> None:
    case = ClusterJob(in_bucket(), frozenset(parts), Profile.DISTRIBUTED)

    wanted = replicas(case)

    assert len(wanted) == 4
    assert {name for name, count in wanted.items() if count} == want_up
    assert replicas(replace(case, profile=Profile.SMALL)) == {"digits": int(bool(parts))}


@EVERY_CASE
def test_a_suspended_job_keeps_every_object(case: ClusterJob) -> None:
    suspended = replace(case, parts=frozenset())

    assert kinds_and_names(suspended.children()) == kinds_and_names(case.children())
    assert set(replicas(suspended).values()) == {0}


def test_without_a_queue_no_worker_runs_and_none_is_reached() -> None:
    job = CASES["distributed-while-it-scores"].build()

    children = build_children(job, ALL_PARTS, replace(PLATFORM, queue=None), token=TOKEN, workers=2)

    wanted = {child.manifest["metadata"]["name"]: child.replicas for child in children if child.replicas is not None}
    assert wanted == {
        "digits-aggregation": 1,
        "digits-scoring": 1,
        "digits-scoring-worker": 0,
        "digits-distillation": 1,
    }
    (policy,) = of_kind(children, "NetworkPolicy")
    assert 4222 not in [port["port"] for rule in policy["spec"]["egress"] for port in rule.get("ports", ())]
    names = [each["name"] for spec in pod_specs(children) for box in spec["containers"] for each in box["env"]]
    assert not [name for name in names if name.startswith("LABELPLANE_QUEUE_")]


@pytest.mark.parametrize("workers", [None, 0, 3])
def test_workers_are_as_many_as_the_queue_wants_while_items_are_scored_and_none_otherwise(workers: int | None) -> None:
    scoring = ClusterJob(in_bucket(), ALL_PARTS, Profile.DISTRIBUTED, workers)
    training = ClusterJob(in_bucket(), ALL_PARTS - {Part.SCORING_WORKER}, Profile.DISTRIBUTED, workers)

    wanted = {child.manifest["metadata"]["name"]: child.replicas for child in scoring.children()}
    assert wanted["digits-scoring-worker"] == workers
    assert replicas(training)["digits-scoring-worker"] == 0


def test_those_who_put_and_take_shards_know_the_queue_and_the_others_do_not() -> None:
    children = CASES["distributed-while-it-scores"].children()

    told = {}
    for each in of_kind(children, "Deployment"):
        (box, *_), volumes = (each["spec"]["template"]["spec"][name] for name in ("containers", "volumes"))
        variables = {each["name"]: each.get("value") for each in box["env"]}
        secrets = [volume["secret"]["secretName"] for volume in volumes if "secret" in volume]
        told[each["metadata"]["name"]] = (variables.get("LABELPLANE_QUEUE_NAMESPACE"), "queue" in secrets)
    assert told == {
        "digits-aggregation": (None, False),
        "digits-scoring": ("team-a", True),
        "digits-scoring-worker": ("team-a", True),
        "digits-distillation": (None, False),
    }


@pytest.mark.parametrize(
    ("stage_or_part", "want"),
    [
        (Stage.VOTE, "digits-aggregation"),
        (Stage.AGGREGATE, "digits-aggregation"),
        (Stage.TRAIN, "digits-distillation"),
        (Stage.SCORE, "digits-scoring"),
        (Stage.SELECT, "digits-scoring"),
        (Stage.REVIEW, "digits-aggregation"),
        (Stage.FINALIZE, "digits-aggregation"),
        (Part.AGGREGATION, "digits-aggregation"),
    ],
)
def test_each_stage_has_a_service_that_stands(stage_or_part: Stage | Part, want: str) -> None:
    case = ClusterJob(in_bucket(), ALL_PARTS, Profile.DISTRIBUTED)

    assert service_name(case.build(), stage_or_part) == want
    assert want in [each["metadata"]["name"] for each in of_kind(case.children(), "Service")]


@EVERY_CASE
def test_every_service_finds_the_pods_of_one_deployment(case: ClusterJob) -> None:
    pods = [each["spec"]["template"]["metadata"]["labels"] for each in of_kind(case.children(), "Deployment")]

    for service in of_kind(case.children(), "Service"):
        selector = service["spec"]["selector"].items()
        assert sum(selector <= labels.items() for labels in pods) == 1


def test_workers_take_no_calls() -> None:
    case = CASES["distributed-while-it-scores"]

    with pytest.raises(ValueError, match="the scoring service answers for them"):
        service_name(case.build(), Part.SCORING_WORKER)
    assert [port["name"] for port in container(case.children(), "scoring-worker")["ports"]] == ["metrics"]


def test_jobs_whose_names_meet_share_no_object() -> None:
    distributed = ClusterJob(in_bucket("a"), ALL_PARTS, Profile.DISTRIBUTED).children()
    for part in Part:
        small = ClusterJob(in_bucket(f"a-{part}")).children()
        assert set(kinds_and_names(distributed)).isdisjoint(kinds_and_names(small))


def test_a_name_is_cut_only_over_the_limit_and_keeps_telling_names_apart() -> None:
    assert fitted("a" * 63) == "a" * 63
    first, second = fitted("a" * 64), fitted("a" * 65)
    assert len(first) == len(second) == 63
    assert first != second
    assert "--" not in fitted("a" * 53 + "-" + "b" * 20)


# -- pods -------------------------------------------------------------------------------------------------------------


@EVERY_CASE
def test_every_pod_is_restricted_and_has_no_rights_on_the_api_server(case: ClusterJob) -> None:
    (account,) = of_kind(case.children(), "ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    for spec in pod_specs(case.children()):
        assert spec["serviceAccountName"] == account["metadata"]["name"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        assert not any("hostPath" in volume for volume in spec["volumes"])
        for each in containers_of(spec):
            assert each["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }


@EVERY_CASE
def test_every_container_has_requests_within_limits_and_each_variable_once(case: ClusterJob) -> None:
    for spec in pod_specs(case.children()):
        for each in containers_of(spec):
            requests, limits = each["resources"]["requests"], each["resources"]["limits"]
            assert {"cpu", "memory"} <= requests.keys() <= limits.keys()
            assert all(amount(requests[name]) <= amount(limits[name]) for name in requests)
            names = [variable["name"] for variable in each["env"]]
            assert len(set(names)) == len(names)


@EVERY_CASE
def test_every_mount_has_its_volume(case: ClusterJob) -> None:
    for spec in pod_specs(case.children()):
        volumes = {volume["name"] for volume in spec["volumes"]}
        assert all(mount["name"] in volumes for each in containers_of(spec) for mount in each["volumeMounts"])


@EVERY_CASE
def test_a_stopped_pod_has_longer_than_its_drain(case: ClusterJob) -> None:
    for deployment in of_kind(case.children(), "Deployment"):
        spec = deployment["spec"]["template"]["spec"]
        (drain,) = (
            int(variable["value"])
            for each in spec["containers"]
            for variable in each["env"]
            if variable["name"] == "LABELPLANE_DRAIN_GRACE_SECONDS"
        )
        assert spec["terminationGracePeriodSeconds"] > drain


def test_one_pod_that_owns_state_goes_before_the_next_comes() -> None:
    strategies = {
        each["metadata"]["name"]: each["spec"]["strategy"]["type"]
        for each in of_kind(CASES["distributed-while-it-scores"].children(), "Deployment")
    }

    assert strategies == {
        "digits-aggregation": "Recreate",
        "digits-scoring": "Recreate",
        "digits-scoring-worker": "RollingUpdate",
        "digits-distillation": "Recreate",
    }


@pytest.mark.parametrize(
    ("job", "want"),
    [
        pytest.param(in_own_store(), True, id="a simulated crowd"),
        pytest.param(in_bucket(), True, id="votes from files"),
        pytest.param(in_bucket().with_label_studio(), True, id="people at Label Studio"),
        pytest.param(
            in_bucket().having("spec.sources.humans", {"inbox": {}}),
            False,
            id="people at the review page",
        ),
        pytest.param(
            in_bucket()
            .having("spec.sources.humans", None)
            .having("spec.sources.rules", [{"name": "r", "label": "1", "regex": "one"}]),
            False,
            id="rules alone",
        ),
    ],
)
@pytest.mark.parametrize("profile", [Profile.SMALL, Profile.DISTRIBUTED])
def test_a_connector_runs_once_beside_the_inbox_of_humans_that_need_one(
    job: JobBuilder, want: bool, profile: Profile
) -> None:
    with_one = [
        spec["containers"][0]["name"]
        for spec in pod_specs(ClusterJob(job, ALL_PARTS, profile).children())
        if "connector" in [each["name"] for each in spec["containers"]]
    ]

    assert with_one == (["small" if profile is Profile.SMALL else "aggregation"] if want else [])


# -- what containers are told -----------------------------------------------------------------------------------------


def test_a_service_is_told_where_everything_lies_and_how_to_reach_it() -> None:
    told = variables(CASES["small-with-a-crowd"].children(), "small")

    assert told["LABELPLANE_STORE_URI"] == "s3://labels/team-a/pilot"
    assert told["LABELPLANE_DATA_URI"] == "s3://items/digits"
    assert told["LABELPLANE_S3_ENDPOINT"] == "https://minio.storage.svc:9443"
    assert told["LABELPLANE_S3_ALLOW_HTTP"] == "false"
    assert told["LABELPLANE_S3_PATH_STYLE"] == "true"
    assert "LABELPLANE_S3_REGION" not in told
    assert told["LABELPLANE_S3_CA_BUNDLE"] == "/etc/labelplane/storage-ca/ca.crt"
    assert told["LABELPLANE_S3_ACCESS_KEY"] == {"secretKeyRef": {"name": "s3-keys", "key": "AWS_ACCESS_KEY_ID"}}
    assert told["LABELPLANE_S3_SECRET_KEY"] == {"secretKeyRef": {"name": "s3-keys", "key": "AWS_SECRET_ACCESS_KEY"}}
    assert told["LABELPLANE_S3_SESSION_TOKEN"] == {
        "secretKeyRef": {"name": "s3-keys", "key": "AWS_SESSION_TOKEN", "optional": True}
    }


def test_what_lives_as_long_as_the_job_finds_keys_that_follow_their_secret() -> None:
    children = CASES["small-with-a-crowd"].children()

    for name in ("small", "connector"):
        folder = variables(children, name)["LABELPLANE_S3_CREDENTIALS"]
        mounts = {each["mountPath"]: each["name"] for each in container(children, name)["volumeMounts"]}
        (spec,) = pod_specs(children)
        volumes = {each["name"]: each for each in spec["volumes"]}
        assert volumes[mounts[folder]]["secret"] == {"secretName": "s3-keys", "optional": True}


def test_an_endpoint_without_tls_is_allowed_by_its_scheme() -> None:
    told = variables(ClusterJob(in_bucket().with_storage(endpoint="http://minio:9000")).children(), "small")

    assert told["LABELPLANE_S3_ALLOW_HTTP"] == "true"


def test_a_crowd_is_told_its_groups_and_where_the_truth_is() -> None:
    told = variables(CASES["small-with-a-crowd"].children(), "connector")

    assert told["LABELPLANE_CONNECTOR"] == "Simulated"
    assert told["LABELPLANE_INBOX_ADDRESS"] == "127.0.0.1:50051"
    assert json.loads(told["LABELPLANE_CLASSES"]) == [str(digit) for digit in range(10)]
    assert json.loads(told["LABELPLANE_ANNOTATORS"]) == [
        {"name": "right", "count": 3, "accuracy": 0.85, "responseSeconds": 4.0},
        {"name": "guess", "count": 1, "random": True, "responseSeconds": 0.0},
    ]
    assert told["LABELPLANE_SEED"] == "7"
    assert (told["LABELPLANE_TRUTH_URI"], told["LABELPLANE_TRUTH_TABLE"]) == ("s3://items/digits", "index.csv")
    assert (told["LABELPLANE_TRUTH_ID_FIELD"], told["LABELPLANE_TRUTH_FIELD"]) == ("id", "truth")


def test_the_seed_of_a_crowd_goes_before_that_of_the_run() -> None:
    job = in_own_store().with_crowd({"name": "right", "accuracy": 0.9}, seed=11)

    assert variables(ClusterJob(job).children(), "connector")["LABELPLANE_SEED"] == "11"


def test_the_connector_to_label_studio_is_told_its_server_and_takes_the_token_from_the_users_secret() -> None:
    job = in_bucket().with_label_studio("http://ls.tools:8080", project=4, caBundleConfigMap="trust")
    children = ClusterJob(job).children()

    told = variables(children, "connector")

    assert told["LABELPLANE_CONNECTOR"] == "LabelStudio"
    assert told["LABELPLANE_LABEL_STUDIO_URL"] == "http://ls.tools:8080"
    assert told["LABELPLANE_LABEL_STUDIO_TOKEN"] == {"secretKeyRef": {"name": "ls", "key": "token"}}
    assert told["LABELPLANE_LABEL_STUDIO_PROJECT"] == "4"
    assert told["LABELPLANE_LABEL_STUDIO_IMAGES"] == "Presigned"
    assert told["LABELPLANE_LABEL_STUDIO_CA_BUNDLE"] == "/etc/labelplane/label-studio-ca/ca.crt"
    assert told["LABELPLANE_STORE_URI"] == variables(children, "small")["LABELPLANE_STORE_URI"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container(children, "connector")["volumeMounts"]}
    assert mounts["label-studio-ca"] == "/etc/labelplane/label-studio-ca"
    assert "label-studio-ca" not in {mount["name"] for mount in container(children, "small")["volumeMounts"]}
    (spec,) = pod_specs(children)
    assert {"name": "trust", "items": [{"key": "ca.crt", "path": "ca.crt"}]} in [
        volume.get("configMap") for volume in spec["volumes"]
    ]


def test_a_class_that_looks_like_a_variable_stays_what_it_is() -> None:
    job = in_own_store().with_classes("$(HOME)", "$$")

    told = variables(ClusterJob(job).children(), "connector")["LABELPLANE_CLASSES"]

    # The kubelet makes one of two, and puts nothing in the place of what follows two.
    assert json.loads(told.replace("$$", "$")) == ["$(HOME)", "$$"]
    assert "$$(HOME)" in told


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("Wahrheit é\u00a0\u4f60", True),
        ("two\nlines\tand a tab", True),
        ("\x07", False),
        ("\x85", False),
        ("\U0001f600", False),
    ],
)
def test_a_text_is_told_when_the_api_server_reads_what_was_sent(text: str, want: bool) -> None:
    assert can_be_told(text) is want


# -- overrides --------------------------------------------------------------------------------------------------------


def test_overrides_change_the_pods_that_they_name_and_no_other() -> None:
    specs = {spec["containers"][0]["name"]: spec for spec in pod_specs(CASES["distributed-with-overrides"].children())}

    trained = specs.pop("distillation")
    assert trained["nodeSelector"] == {"example.com/pool": "gpu"}
    assert trained["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert trained["runtimeClassName"] == "nvidia"
    assert trained["priorityClassName"] == "gpu-first"
    assert trained["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    for spec in specs.values():
        assert not {"nodeSelector", "tolerations", "affinity", "runtimeClassName"} & spec.keys()
        assert spec["priorityClassName"] == "labels"
        assert "nvidia.com/gpu" not in json.dumps(spec)


def test_a_variable_of_the_job_goes_before_ours() -> None:
    told = variables(CASES["small-with-overrides"].children(), "small")

    assert told["OMP_NUM_THREADS"] == "2"
    assert told["HF_HUB_OFFLINE"] == "1"


def test_labels_of_the_job_never_hide_a_pod_from_its_service() -> None:
    labels = {"app.kubernetes.io/component": "mine", "labelplane.io/job": "other", "team": "vision"}
    case = ClusterJob(in_bucket().having("spec.podOverrides", {"small": {"labels": labels}}))
    (deployment,) = of_kind(case.children(), "Deployment")

    told = deployment["spec"]["template"]["metadata"]["labels"]

    assert told.items() >= deployment["spec"]["selector"]["matchLabels"].items()
    assert told["team"] == "vision"


def test_a_queue_is_named_on_what_runs_and_on_its_pods() -> None:
    for name in ("small-with-overrides", "distributed-with-overrides"):
        for deployment in of_kind(CASES[name].children(), "Deployment"):
            for labels in (deployment["metadata"]["labels"], deployment["spec"]["template"]["metadata"]["labels"]):
                assert labels["kueue.x-k8s.io/queue-name"] == "team-a"
            assert "kueue.x-k8s.io/queue-name" not in deployment["spec"]["selector"]["matchLabels"]


DEFAULTS = Resources(requests={"cpu": "1", "memory": "2Gi"}, limits={"cpu": "4", "memory": "8Gi"})


@pytest.mark.parametrize(
    ("override", "want_requests", "want_limits"),
    [
        pytest.param({}, {}, {}, id="nothing"),
        pytest.param({"requests": {"cpu": "2"}}, {"cpu": "2"}, {}, id="a request below the limit"),
        pytest.param(
            {"requests": {"memory": "9000Mi"}},
            {"memory": "9000Mi"},
            {"memory": "9000Mi"},
            id="a request raises the limit",
        ),
        pytest.param({"limits": {"cpu": "500m"}}, {"cpu": "500m"}, {"cpu": "500m"}, id="a limit lowers the request"),
        pytest.param(
            {"requests": {"cpu": "6"}, "limits": {"cpu": "8"}}, {"cpu": "6"}, {"cpu": "8"}, id="both as they are"
        ),
        pytest.param(
            {"limits": {"nvidia.com/gpu": "1"}},
            {"nvidia.com/gpu": "1"},
            {"nvidia.com/gpu": "1"},
            id="a GPU by its limit",
        ),
        pytest.param(
            {"requests": {"nvidia.com/gpu": "1"}},
            {"nvidia.com/gpu": "1"},
            {"nvidia.com/gpu": "1"},
            id="a GPU by its request",
        ),
        pytest.param({"limits": {"ephemeral-storage": "4Gi"}}, {}, {"ephemeral-storage": "4Gi"}, id="a limit of disk"),
    ],
)
def test_resources_are_what_the_job_says_on_top_of_defaults(
    override: dict[str, dict[str, str]], want_requests: dict[str, str], want_limits: dict[str, str]
) -> None:
    changed = DEFAULTS.changed_by(ResourceRequirements.model_validate(override))

    assert changed.requests == {**DEFAULTS.requests, **want_requests}
    assert changed.limits == {**DEFAULTS.limits, **want_limits}


@pytest.mark.parametrize(
    ("quantity", "want"),
    [("1500m", 1.5), ("2", 2), ("0.5", 0.5), ("1k", 1000), ("1Ki", 1024), ("3Gi", 3 * 2**30), ("2E", 2e18)],
)
def test_a_quantity_is_read_as_a_number(quantity: str, want: float) -> None:
    assert amount(quantity) == want


# -- network ----------------------------------------------------------------------------------------------------------


def ports_out(case: ClusterJob) -> set[int]:
    """Return the ports that pods may reach at any address."""
    (policy,) = of_kind(case.children(), "NetworkPolicy")
    return {port["port"] for rule in policy["spec"]["egress"] if "to" not in rule for port in rule["ports"]}


@pytest.mark.parametrize(
    ("case", "want"),
    [
        pytest.param(CASES["small"], {53, 443}, id="a cloud"),
        pytest.param(CASES["small-with-a-crowd"], {53, 9443}, id="an own server, with keys"),
        pytest.param(
            ClusterJob(in_bucket().with_storage(endpoint="http://minio:9000")),
            {53, 443, 9000},
            id="an own server, by role",
        ),
        pytest.param(CASES["distributed-suspended"], {53, 443, 4222}, id="with a queue"),
        pytest.param(
            ClusterJob(in_bucket().with_label_studio("http://ls.tools:8080")), {53, 443, 8080}, id="with Label Studio"
        ),
    ],
)
def test_pods_reach_names_storage_and_queue_and_nothing_else(case: ClusterJob, want: set[int]) -> None:
    assert ports_out(case) == want


@pytest.mark.parametrize(
    ("endpoint", "want"),
    [
        (
            "https://minio.storage.svc:9443",
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "storage"}}},
        ),
        (
            "http://minio.storage.svc.cluster.local",
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "storage"}}},
        ),
        ("http://minio.storage", {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "storage"}}}),
        ("http://minio:9000", {"podSelector": {}}),
        ("https://s3.eu.example.com", None),
        ("https://10.1.2.3:9000", None),
        ("https://[fd00::1]:9000", None),
    ],
)
def test_a_storage_in_the_cluster_is_reached_whatever_port_its_pods_have(
    endpoint: str, want: dict[str, Any] | None
) -> None:
    case = ClusterJob(in_bucket().with_storage(endpoint=endpoint, credentials_secret="keys"))
    (policy,) = of_kind(case.children(), "NetworkPolicy")

    peers = [rule["to"] for rule in policy["spec"]["egress"] if "ports" not in rule]

    assert peers == ([] if want is None else [[want]])


def test_services_are_called_by_operator_review_and_the_jobs_own_pods() -> None:
    (policy,) = of_kind(CASES["small"].children(), "NetworkPolicy")
    calls, metrics = policy["spec"]["ingress"]

    platform, own = calls["from"]
    assert platform["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "labelplane-system"}}
    assert platform["podSelector"]["matchExpressions"][0]["values"] == ["operator", "review"]
    assert own == {"podSelector": policy["spec"]["podSelector"]}
    assert calls["ports"] == [{"protocol": "TCP", "port": 50051}]
    assert metrics == {"from": [{"namespaceSelector": {}}], "ports": [{"protocol": "TCP", "port": 9090}]}


@EVERY_CASE
def test_the_policy_and_the_budget_hold_every_pod(case: ClusterJob) -> None:
    (policy,) = of_kind(case.children(), "NetworkPolicy")
    (budget,) = of_kind(case.children(), "PodDisruptionBudget")
    selectors = (policy["spec"]["podSelector"]["matchLabels"], budget["spec"]["selector"]["matchLabels"])

    for deployment in of_kind(case.children(), "Deployment"):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert all(selector.items() <= labels.items() for selector in selectors)


# -- the removal of results -------------------------------------------------------------------------------------------


@EVERY_CASE
def test_the_results_are_removed_by_a_restricted_pod_with_the_jobs_storage_and_no_token(case: ClusterJob) -> None:
    children = case.cleanup()
    (spec,) = pod_specs(children)
    (only,) = spec["containers"]
    (labels,) = (each["spec"]["template"]["metadata"]["labels"] for each in of_kind(children, "Job"))
    told = variables(children, "cleanup")

    assert [kind for kind, _ in kinds_and_names(children)] == ["ServiceAccount", "NetworkPolicy", "Job"]
    assert all(DNS_LABEL.fullmatch(name) for _, name in kinds_and_names(children))
    assert spec["serviceAccountName"] == children[0].manifest["metadata"]["name"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert only["securityContext"]["readOnlyRootFilesystem"] is True
    assert labels["labelplane.io/job"] == case.build().metadata.name
    assert "token" not in json.dumps(spec).replace("automountServiceAccountToken", "").replace("SESSION_TOKEN", "")
    assert told["LABELPLANE_STORE_URI"] == variables(case.children(), _inbox(case))["LABELPLANE_STORE_URI"]
    assert (told["LABELPLANE_JOB_NAMESPACE"], told["LABELPLANE_JOB_NAME"]) == ("team-a", case.build().metadata.name)
    assert told["LABELPLANE_INSTALLATION"] == "tests"


def _inbox(case: ClusterJob) -> str:
    return "small" if case.profile is Profile.SMALL else "aggregation"


@EVERY_CASE
def test_the_results_are_removed_where_and_by_the_image_with_which_the_inbox_ran(case: ClusterJob) -> None:
    (cleanup,) = pod_specs(case.cleanup())
    inbox = next(pod_specs(case.children()))

    assert cleanup["containers"][0]["image"] == inbox["containers"][0]["image"]
    for field in ("nodeSelector", "tolerations", "affinity", "priorityClassName", "runtimeClassName"):
        assert cleanup.get(field) == inbox.get(field)


def test_a_removal_asks_for_no_gpu_whatever_the_jobs_pods_have() -> None:
    (spec,) = pod_specs(CASES["small-with-overrides"].cleanup())

    assert set(spec["containers"][0]["resources"]["limits"]) == {"cpu", "memory"}


def test_the_job_that_removes_waits_in_the_queue_as_all_that_runs() -> None:
    (job,) = of_kind(CASES["small-with-overrides"].cleanup(), "Job")

    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert "kueue.x-k8s.io/queue-name" not in job["spec"]["template"]["metadata"]["labels"]


# -- a training image -------------------------------------------------------------------------------------------------

TRAINS = pytest.mark.parametrize(
    "case", [CASES["small-while-an-image-trains"], CASES["distributed-while-an-image-trains"]], ids=["small", "large"]
)


def training_job(case: ClusterJob) -> dict[str, Any]:
    (job,) = of_kind(case.children(), "Job")
    return job


@TRAINS
def test_an_image_of_the_users_has_no_key_no_token_and_no_folder_that_our_containers_work_in(case: ClusterJob) -> None:
    spec = training_job(case)["spec"]["template"]["spec"]
    stage, image = spec["initContainers"]
    (collect,) = spec["containers"]

    assert not any("secretKeyRef" in json.dumps(variable) for variable in image["env"])
    assert any("secretKeyRef" in json.dumps(variable) for variable in stage["env"])
    assert not any("secret" in volume for volume in spec["volumes"])
    may_write = {mount["name"] for mount in image["volumeMounts"] if not mount.get("readOnly")}
    assert may_write == {"model", "image-scratch"}
    ours = [mount for each in (stage, collect) for mount in each["volumeMounts"] if not mount.get("readOnly")]
    assert not may_write & {mount["name"] for mount in ours}, "what the image writes must not be code or cache of ours"
    assert "command" not in image


@TRAINS
def test_only_the_image_holds_the_gpu_of_a_training(case: ClusterJob) -> None:
    spec = training_job(case)["spec"]["template"]["spec"]

    with_gpu = [each["name"] for each in containers_of(spec) if "nvidia.com/gpu" in each["resources"]["limits"]]
    assert with_gpu == ["train"]
    assert spec["nodeSelector"] == {"example.com/pool": "gpu"}
    for each in of_kind(case.children(), "Deployment"):
        assert "gpu" not in json.dumps(
            [inner["resources"] for inner in containers_of(each["spec"]["template"]["spec"])]
        )


@TRAINS
def test_a_training_is_one_try_and_waits_in_the_queue_as_a_whole(case: ClusterJob) -> None:
    job = training_job(case)

    assert job["spec"]["backoffLimit"] == 0
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert "kueue.x-k8s.io/queue-name" not in job["spec"]["template"]["metadata"]["labels"]


@TRAINS
def test_the_policy_holds_a_training_and_the_budget_does_not(case: ClusterJob) -> None:
    labels = training_job(case)["spec"]["template"]["metadata"]["labels"]
    (policy,) = of_kind(case.children(), "NetworkPolicy")
    (budget,) = of_kind(case.children(), "PodDisruptionBudget")

    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    (left_out,) = budget["spec"]["selector"]["matchExpressions"]
    assert labels[left_out["key"]] in left_out["values"]
    assert left_out["operator"] == "NotIn"


def test_each_try_of_a_training_has_a_name_of_its_own() -> None:
    job = in_bucket("d" * 63).build()
    names = {training_name(job, round_number=n, attempt=a) for n in (1, 11) for a in (1, 11)}

    assert len(names) == 4
    assert all(DNS_LABEL.fullmatch(name) for name in names)


# -- rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("case", "voting"), [("small-with-rules", "small"), ("distributed-with-rules", "aggregation")])
def test_files_of_rules_are_mounted_where_stage_vote_runs_and_nowhere_else(case: str, voting: str) -> None:
    children = CASES[case].children()

    mounts = {
        each["name"]: [mount for mount in each["volumeMounts"] if mount["name"] == "rules"]
        for spec in pod_specs(children)
        for each in spec["containers"]
    }
    assert mounts.pop(voting) == [{"name": "rules", "mountPath": "/etc/labelplane/rules", "readOnly": True}]
    assert not any(mounts.values())
    assert [volume for spec in pod_specs(children) for volume in spec["volumes"] if volume["name"] == "rules"] == [
        {
            "name": "rules",
            "projected": {
                "sources": [
                    {
                        "configMap": {
                            "name": "team-rules",
                            "items": [
                                {"key": "rules.yaml", "path": "team-rules/rules.yaml"},
                                {"key": "more.yaml", "path": "team-rules/more.yaml"},
                            ],
                        }
                    },
                    {
                        "configMap": {
                            "name": "shared.rules",
                            "items": [{"key": "rules.yaml", "path": "shared.rules/rules.yaml"}],
                        }
                    },
                ]
            },
        }
    ]
    assert variables(children, voting)["LABELPLANE_RULES_FOLDER"] == "/etc/labelplane/rules"


@pytest.mark.parametrize(
    ("profile", "voting"), [(Profile.SMALL, {"small"}), (Profile.DISTRIBUTED, {"aggregation"})], ids=str
)
def test_the_pod_that_votes_is_told_which_packages_the_installation_trusts(profile: Profile, voting: set[str]) -> None:
    job = ClusterJob(in_bucket(), profile=profile).build()

    children = build_children(job, ALL_PARTS, replace(PLATFORM, trusted_packages=("house", "team")), token=TOKEN)

    told = {
        each["name"]: variable["value"]
        for spec in pod_specs(children)
        for each in spec["containers"]
        for variable in each["env"]
        if variable["name"] == "LABELPLANE_TRUSTED_PACKAGES"
    }
    assert told == dict.fromkeys(voting, "house,team")


def test_nothing_of_rules_is_told_where_there_are_none() -> None:
    names = variables(CASES["small"].children(), "small")

    assert {"LABELPLANE_RULES_FOLDER", "LABELPLANE_TRUSTED_PACKAGES"}.isdisjoint(names)
