"""Every rule between fields: a job that it accepts, one that it refuses, and the sentence that the user reads."""

from typing import Any

import pytest
from job_builder import JobBuilder, make_job

JOB = make_job()
HUMANS = "spec.sources.humans"
CROWD = f"{HUMANS}.simulated"
MATRIX = [[0.9, 0.1], [0.2, 0.8]]


def _crowd(**group: Any) -> JobBuilder:
    return JOB.with_crowd({"name": "a", **group})


def _two_classes() -> JobBuilder:
    return JOB.with_classes("no", "yes")


RULES = [
    pytest.param(
        JOB.with_scaling(min_replicas=2, max_replicas=2),
        JOB.with_scaling(min_replicas=5, max_replicas=2),
        "spec.scaling.minReplicas (5) is above maxReplicas (2): lower it or raise maxReplicas",
        id="fewest workers above the most",
    ),
    pytest.param(
        JOB.with_classes("1", "7"),
        JOB.with_classes("1", "7", "7"),
        'spec.task.classes: "7" is listed twice: remove one',
        id="a class twice",
    ),
    pytest.param(
        JOB,
        JOB.with_dataset(index=None),
        "spec.dataset.index: is needed for a table format: add it",
        id="a table without its path",
    ),
    pytest.param(
        JOB.with_dataset(format="ClassFolders", index=None, idField=None, itemField=None),
        JOB.with_dataset(format="ClassFolders"),
        "spec.dataset.index: has a meaning only when format is not ClassFolders: remove it",
        id="class folders with a table",
    ),
    pytest.param(
        JOB, JOB.with_dataset(item_field=None), "spec.dataset.itemField: is needed with an index: add it", id="no items"
    ),
    pytest.param(
        JOB.with_dataset(format="Auto", index=None, itemField=None, idField=None),
        JOB.with_dataset(format="Auto", index=None, idField=None),
        "spec.dataset.itemField: has a meaning only with an index: remove it",
        id="a column of items without a table",
    ),
    pytest.param(
        JOB,
        JOB.with_dataset(format="Auto", index=None, itemField=None),
        "spec.dataset.idField: has a meaning only with an index: remove it",
        id="a column of ids without a table",
    ),
    pytest.param(
        JOB,
        JOB.with_dataset(gold_field="truth"),
        'spec.dataset.goldField ("truth") is also truthField: name two fields, or every truth would be gold and '
        "nothing would be left to measure",
        id="gold is all of the truth",
    ),
    pytest.param(
        JOB.with_dataset(metadata_fields=["author", "year"]),
        JOB.with_dataset(metadata_fields=["year", "year"]),
        'spec.dataset.metadataFields: "year" is listed twice: remove one',
        id="a metadata column twice",
    ),
    *(
        pytest.param(
            JOB.with_storage(uri="s3://labels/run", **{name: value}),
            JOB.with_storage(uri="out", **{name: value}),
            f"spec.storage.{name}: has a meaning only when uri is s3://bucket/prefix: remove it",
            id=f"a folder with {name}",
        )
        for name, value in (
            ("endpoint", "https://minio:9000"),
            ("region", "eu-west-1"),
            ("credentialsSecret", "s3"),
            ("caBundleConfigMap", "ca"),
        )
    ),
    pytest.param(
        JOB,
        JOB.having(HUMANS, {}),
        "spec.sources.humans: none of simulated, files, labelStudio, inbox is set: set exactly one",
        id="people without a connector",
    ),
    pytest.param(
        JOB,
        JOB.having(f"{HUMANS}.files", {"uri": "votes"}),
        "spec.sources.humans: simulated and files are set together: keep exactly one of simulated, files, "
        "labelStudio, inbox",
        id="two connectors",
    ),
    pytest.param(
        JOB.having("spec.sources", {"models": [{"name": "m", "student": True}]}),
        JOB.having("spec.sources", {}),
        "spec.sources: none of humans, rules, knowledgeBases, models is set: set at least one",
        id="nothing that votes",
    ),
    pytest.param(
        _crowd(random=True),
        _crowd(random=True, accuracy=0.9),
        "spec.sources.humans.simulated.annotators[0]: accuracy and random are set together: keep exactly one of "
        "accuracy, random, confusion",
        id="random and right",
    ),
    pytest.param(
        JOB.with_crowd({"name": "a", "accuracy": 1}, {"name": "b", "accuracy": 1}),
        JOB.with_crowd({"name": "a", "accuracy": 1}, {"name": "a", "accuracy": 1}),
        'spec.sources.humans.simulated.annotators: "a" is listed twice: remove one',
        id="two groups of one name",
    ),
    pytest.param(
        _two_classes().with_crowd({"name": "a", "confusion": MATRIX}),
        _two_classes().with_crowd({"name": "a", "confusion": [[1, 0], [0, 0.5]]}),
        "spec.sources.humans.simulated.annotators[0].confusion[1]: adds up to 0.5: a row adds up to 1",
        id="a confusion row that is no distribution",
    ),
    pytest.param(
        _two_classes().with_crowd({"name": "a", "confusion": MATRIX}),
        _two_classes().with_crowd({"name": "a", "confusion": [[0.5, 0.5], [0.5, 0.25, 0.25]]}),
        "spec.sources.humans.simulated.annotators[0].confusion[1]: has 3 numbers for 2 rows: the matrix is square",
        id="a confusion matrix that is not square",
    ),
    pytest.param(
        _two_classes().with_crowd({"name": "a", "confusion": MATRIX}),
        JOB.with_classes("a", "b", "c").with_crowd({"name": "x", "random": True}, {"name": "a", "confusion": MATRIX}),
        "spec.sources.humans.simulated.annotators[1].confusion: has 2 rows for 3 task.classes: give one row a class",
        id="a confusion matrix of other classes",
    ),
    pytest.param(
        JOB.having("spec.sources.rules", [{"name": "r", "label": "1", "regex": "one"}]),
        JOB.having("spec.sources.rules", [{"name": "r", "label": "1"}]),
        "spec.sources.rules[0]: none of configMap, regex, keywords, metadata, expression, function is set: set "
        "exactly one",
        id="a rule without a condition",
    ),
    pytest.param(
        JOB.having("spec.sources.rules", [{"name": "r", "configMap": {"name": "rules"}}]),
        JOB.having("spec.sources.rules", [{"name": "r", "regex": "one"}]),
        "spec.sources.rules[0].label: is needed: name the class that the rule votes",
        id="a rule without a class",
    ),
    *(
        pytest.param(
            JOB.having(f"spec.sources.{kind}", [{"name": "a", **entry}, {"name": "b", **entry}]),
            JOB.having(f"spec.sources.{kind}", [{"name": "a", **entry}, {"name": "a", **entry}]),
            f'spec.sources.{kind}: "a" is listed twice: remove one',
            id=f"two {kind} of one name",
        )
        for kind, entry in (
            ("rules", {"label": "1", "regex": "one"}),
            ("knowledgeBases", {"gazetteer": {"uri": "terms.csv"}}),
            ("models", {"student": True}),
        )
    ),
    pytest.param(
        JOB.having("spec.sources.rules", [{"name": "r", "label": "1", "keywords": {"any": ["one"]}}]),
        JOB.having("spec.sources.rules", [{"name": "r", "label": "1", "keywords": {}}]),
        "spec.sources.rules[0].keywords: none of any, all is set: set at least one",
        id="keywords without a word",
    ),
    pytest.param(
        JOB.having("spec.sources.knowledgeBases", [{"name": "k", "wikipedia": {"uri": "dump.xml"}}]),
        JOB.having("spec.sources.knowledgeBases", [{"name": "k"}]),
        "spec.sources.knowledgeBases[0]: none of gazetteer, wordNet, wikipedia is set: set exactly one",
        id="a knowledge base of nothing",
    ),
    pytest.param(
        JOB.having("spec.sources.models", [{"name": "m", "model": "s3://models/m"}]),
        JOB.having("spec.sources.models", [{"name": "m"}]),
        "spec.sources.models[0]: none of student, model, zeroShot is set: set exactly one",
        id="a model source without a model",
    ),
    pytest.param(
        JOB.with_sampling(initial_batch_size=5, batch_size=5, candidate_pool=5),
        JOB.with_sampling(initial_batch_size=6, batch_size=5, candidate_pool=5),
        "spec.sampling.initialBatchSize (6) is above candidatePool (5): lower it or raise candidatePool",
        id="a first batch above the pool",
    ),
    pytest.param(
        JOB.with_sampling(initial_batch_size=5, batch_size=5, candidate_pool=5),
        JOB.with_sampling(initial_batch_size=5, batch_size=6, candidate_pool=5),
        "spec.sampling.batchSize (6) is above candidatePool (5): lower it or raise candidatePool",
        id="a batch above the pool",
    ),
    pytest.param(
        JOB.with_sampling(gold_share=0.5, check_share=0.25),
        JOB.with_sampling(gold_share=0.5, check_share=0.5),
        "spec.sampling.goldShare (0.5) and checkShare (0.5) leave nothing to label: lower one",
        id="a batch of gold and checks alone",
    ),
    *(
        pytest.param(
            JOB.having(f"spec.model.{role}", {"encoder": "Torchvision", "architecture": "resnet18"}),
            JOB.having(f"spec.model.{role}", {"encoder": "Torchvision"}),
            f"spec.model.{role}.architecture: is needed for encoder Torchvision: name one of its models, as in "
            "resnet18",
            id=f"a torchvision {role} without a name",
        )
        for role in ("teacher", "student")
    ),
    pytest.param(
        JOB.with_teacher(encoder="HuggingFace", weights="models/tiny"),
        JOB.with_teacher(encoder="HuggingFace"),
        "spec.model.teacher.architecture: or weights is needed for encoder HuggingFace: name a model, or give its "
        "folder",
        id="a hugging face teacher without a name",
    ),
    pytest.param(
        JOB.with_teacher(encoder="HuggingFace", architecture="vit"),
        JOB.with_teacher(encoder="Mlp", architecture="vit"),
        "spec.model.teacher.architecture: has a meaning only for encoder Torchvision or HuggingFace: remove it",
        id="a name for an encoder that has none",
    ),
    pytest.param(
        JOB.with_teacher(encoder="SmallCnn"),
        JOB.of_texts().with_teacher(encoder="SmallCnn"),
        "spec.model.teacher.encoder (SmallCnn) reads images, task.type is TextClassification: take Auto",
        id="a network of pixels for texts",
    ),
    pytest.param(
        JOB.of_texts().with_student(encoder="HashedNgrams"),
        JOB.with_student(encoder="HashedNgrams"),
        "spec.model.student.encoder (HashedNgrams) reads texts, task.type is ImageClassification: take Auto",
        id="a network of words for images",
    ),
    pytest.param(
        JOB.with_serving(mode="External", endpoint="triton:8001"),
        JOB.with_serving(mode="External"),
        "spec.serving.endpoint: is needed for mode External: add it",
        id="an external server without an address",
    ),
    pytest.param(
        JOB.with_serving(mode="External", endpoint="triton:8001", model="digits"),
        JOB.with_serving(model="digits"),
        "spec.serving.model: has a meaning only for mode External: remove it",
        id="a model's name without its server",
    ),
    pytest.param(
        JOB.with_humans(votes_per_item=2, max_votes_per_item=2),
        JOB.with_humans(votes_per_item=3, max_votes_per_item=2),
        "spec.sources.humans.votesPerItem (3) is above maxVotesPerItem (2): lower it or raise maxVotesPerItem",
        id="more votes than the most",
    ),
    pytest.param(
        JOB.with_humans(max_votes_per_item=5),
        JOB.with_label_studio().with_humans(max_votes_per_item=5),
        "spec.sources.humans.maxVotesPerItem does not go with labelStudio, whose projects ask about all items alike: "
        "leave it out",
        id="asking again in Label Studio",
    ),
    pytest.param(
        JOB.with_serving(mode="External", endpoint="triton:8001"),
        JOB.with_serving(endpoint="triton:8001"),
        "spec.serving.endpoint: has a meaning only for mode External: remove it",
        id="an address without an external server",
    ),
    pytest.param(
        JOB.with_budget(money=5).with_humans(price_per_vote=0.02),
        JOB.with_budget(money=5),
        "spec.budget.money (5) is never used up, as nothing has a price: set sources.humans.pricePerVote or "
        "budget.prices",
        id="money without prices",
    ),
    pytest.param(
        JOB.with_review(deadline_seconds=60, on_deadline="Fail"),
        JOB.with_review(on_deadline="Fail"),
        "spec.review.deadlineSeconds: is needed for onDeadline Fail: add it",
        id="failing at no deadline",
    ),
    pytest.param(
        JOB.with_review(people=[{"name": "Ada"}, {"name": "Ben"}]),
        JOB.with_review(people=[{"name": "Ada"}, {"name": "Ada"}]),
        'spec.review.people: "Ada" is listed twice: remove one',
        id="a person twice",
    ),
    pytest.param(
        JOB.with_review(people=[{"name": "Ada", "classes": ["cat", "dog"]}]),
        JOB.with_review(people=[{"name": "Ada", "classes": ["cat", "cat"]}]),
        'spec.review.people[0].classes: "cat" is listed twice: remove one',
        id="a class of a person twice",
    ),
    pytest.param(
        JOB.with_output(formats=["Csv", "Jsonl"]),
        JOB.with_output(formats=["Csv", "Csv"]),
        'spec.output.formats: "Csv" is listed twice: remove one',
        id="a format twice",
    ),
    pytest.param(
        JOB.deterministic(),
        JOB.deterministic().with_serving(mode="Shared"),
        "spec.run.deterministic cannot hold with serving.mode Shared: take InProcess",
        id="determinism on a shared server",
    ),
    pytest.param(
        JOB.having("spec.podOverrides.scoring", {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "1"}]}),
        JOB.having("spec.podOverrides.scoring", {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}),
        'spec.podOverrides.scoring.env: "A" is listed twice: remove one',
        id="a variable twice",
    ),
    pytest.param(
        JOB.named("a" * 63),
        JOB.named("a.b"),
        'metadata.name ("a.b") is no DNS label: use at most 63 small letters, digits and -',
        id="a name with a dot",
    ),
]

CHANGES = [
    pytest.param(
        JOB.with_classes("1", "2", "3"),
        JOB.with_classes("1", "3"),
        'spec.task.classes: "2" was removed: the list may grow, never shrink',
        id="a class is taken away",
    ),
    pytest.param(
        JOB,
        JOB.of_texts(),
        "spec.task.type: cannot change from ImageClassification to TextClassification: make a new job for that",
        id="another kind of task",
    ),
    pytest.param(
        JOB,
        JOB.without_gold(),
        "spec.dataset.goldField: cannot change from gold to nothing: make a new job for that",
        id="gold is taken away",
    ),
    pytest.param(
        JOB,
        JOB.with_storage(uri="elsewhere"),
        "spec.storage.uri: cannot change from out to elsewhere: make a new job for that",
        id="another store",
    ),
    pytest.param(
        JOB,
        JOB.having("spec.profile", "Small"),
        "spec.profile: cannot change from Auto to Small: make a new job for that",
        id="another profile",
    ),
    pytest.param(
        JOB,
        JOB.with_run(seed=1),
        "spec.run.seed: cannot change from 0 to 1: make a new job for that",
        id="another seed",
    ),
    pytest.param(
        _crowd(random=True),
        JOB.with_crowd({"name": "a", "random": True}, seed=3),
        "spec.sources.humans.simulated.seed: cannot change from nothing to 3: make a new job for that",
        id="another crowd",
    ),
    pytest.param(
        JOB,
        JOB.with_output(prefix="other"),
        "spec.output.prefix: cannot change from nothing to other: make a new job for that",
        id="another prefix",
    ),
]
