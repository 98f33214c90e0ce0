"""Job files: what is read, and the line of everything that is wrong."""

import base64
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from job_builder import make_job

from labelplane_api import JobFileError, load_documents, parse_job, parse_manifests, read_manifests
from labelplane_api.documents import scalar

JOB = """\
apiVersion: labelplane.io/v1alpha1
kind: LabelingJob
metadata:
  name: digits
spec:
  task:
    type: ImageClassification
    classes: ["0", "1"]
  dataset:
    uri: digits
  storage:
    uri: out
  sources:
    humans:
      simulated:
        annotators:
          - name: right
            accuracy: 0.85
"""
END = JOB.count("\n")


def _lines(text: str) -> tuple[str, ...]:
    with pytest.raises(JobFileError) as caught:
        parse_manifests(text, source="job.yaml")
    return caught.value.lines


def test_a_job_file_is_read() -> None:
    job = parse_job(JOB, source="job.yaml")

    assert job.metadata.name == "digits"
    assert job.spec.task.classes == ("0", "1")


def test_json_is_read_too() -> None:
    job = parse_job(make_job().build().model_dump_json(by_alias=True), source="job.json")

    assert job == make_job().build()


def _replaced(old: str, new: str) -> str:
    assert old in JOB
    return JOB.replace(old, new)


INVALID = [
    pytest.param(
        JOB + "  scaling:\n    minReplicas: 5\n    maxReplicas: 2\n",
        f"job.yaml:{END + 2}: spec.scaling.minReplicas (5) is above maxReplicas (2): lower it or raise maxReplicas",
        id="a rule between two fields",
    ),
    pytest.param(
        _replaced('["0", "1"]', '["0", "7", "7"]'),
        'job.yaml:8: spec.task.classes: "7" is listed twice: remove one',
        id="a class twice",
    ),
    pytest.param(
        _replaced('["0", "1"]', "[0, off]"),
        'job.yaml:8: spec.task.classes[0]: 0 is a number: put it in quotes ("0")',
        id="a number for a class",
    ),
    pytest.param(
        _replaced('["0", "1"]', "[0, off]"),
        "job.yaml:8: spec.task.classes[1]: false is read as true or false: put the word in quotes",
        id="a word that YAML takes for false",
    ),
    pytest.param(
        _replaced('["0", "1"]', "none"),
        'job.yaml:8: spec.task.classes: "none" is no list: write one, even of a single entry',
        id="a word for a list",
    ),
    pytest.param(
        _replaced('["0", "1"]', '["0"]'),
        "job.yaml:8: spec.task.classes: has 1 entries: give at least 2",
        id="one class",
    ),
    pytest.param(
        _replaced('["0", "1"]', '["0", " 1"]'),
        'job.yaml:8: spec.task.classes[1]: " 1" is not allowed: remove the space at its start or end',
        id="a class with a space before it",
    ),
    pytest.param(
        _replaced('["0", "1"]', str([str(number) for number in range(1001)])),
        "job.yaml:8: spec.task.classes: has more than 1000 entries: give fewer",
        id="too many classes",
    ),
    pytest.param(
        _replaced("ImageClassification", "imageclasification"),
        'job.yaml:7: spec.task.type: "imageclasification" is not known: did you mean ImageClassification?',
        id="a misspelt value",
    ),
    pytest.param(
        _replaced("ImageClassification", "Poetry"),
        'job.yaml:7: spec.task.type: "Poetry" is not known: take one of ImageClassification, TextClassification, '
        "TokenClassification, ObjectDetection, VideoClassification",
        id="an unknown value",
    ),
    pytest.param(
        _replaced("v1alpha1", "v1alpha2"),
        'job.yaml:1: apiVersion: "labelplane.io/v1alpha2" is not known: did you mean labelplane.io/v1alpha1?',
        id="another version",
    ),
    pytest.param(
        _replaced("apiVersion: labelplane.io/v1alpha1\n", ""),
        "job.yaml:1: apiVersion: is missing: add apiVersion: labelplane.io/v1alpha1",
        id="no version",
    ),
    pytest.param(
        _replaced("    uri: digits\n", "    uri: digits\n    formt: Csv\n"),
        "job.yaml:11: spec.dataset.formt: unknown field: did you mean format?",
        id="a misspelt field",
    ),
    pytest.param(
        _replaced("            accuracy", "            name_prefix: x\n            accuracy"),
        "job.yaml:18: spec.sources.humans.simulated.annotators[0].name_prefix: unknown field: known are name, count, "
        "accuracy, random, confusion, responseSeconds",
        id="an unknown field of a list's entry",
    ),
    pytest.param(
        JOB + "  zzz: 1\n", f"job.yaml:{END + 1}: spec.zzz: unknown field: remove it", id="a field like no other"
    ),
    pytest.param(
        JOB + "  storage_class: 1\n  min_per_class: 1\n",
        f"job.yaml:{END + 2}: spec.min_per_class: unknown field: remove it",
        id="a field of another group",
    ),
    pytest.param(
        _replaced("  storage:\n    uri: out\n", ""),
        "job.yaml:5: spec.storage: is missing: add it",
        id="a missing group",
    ),
    pytest.param(
        JOB + "  budget:\n    votes: 0\n",
        f"job.yaml:{END + 2}: spec.budget.votes: 0 is too low: give 1 or more",
        id="a budget of nothing",
    ),
    pytest.param(
        JOB + "  quality: {acceptance: {maximumRisk: 1, confidence: 0}}\n",
        f"job.yaml:{END + 1}: spec.quality.acceptance.maximumRisk: 1 is too high: give less than 1",
        id="a risk of one",
    ),
    pytest.param(
        JOB + "  quality: {acceptance: {maximumRisk: 1, confidence: 0}}\n",
        f"job.yaml:{END + 1}: spec.quality.acceptance.confidence: 0 is too low: give more than 0",
        id="no confidence",
    ),
    pytest.param(
        _replaced("0.85", "1.5"),
        "job.yaml:18: spec.sources.humans.simulated.annotators[0].accuracy: 1.5 is too high: give 1 or less",
        id="more than right",
    ),
    pytest.param(
        _replaced("0.85", ".nan"),
        "job.yaml:18: spec.sources.humans.simulated.annotators[0].accuracy: nan is no finite number: give one",
        id="not a number",
    ),
    pytest.param(
        _replaced("0.85", '"0.85"'),
        'job.yaml:18: spec.sources.humans.simulated.annotators[0].accuracy: "0.85" is no number: write one without '
        "quotes",
        id="a number in quotes",
    ),
    pytest.param(
        JOB + "  run:\n    seed: 1.5\n",
        f"job.yaml:{END + 2}: spec.run.seed: 1.5 is no whole number: round it",
        id="half a seed",
    ),
    pytest.param(
        JOB + "  run:\n    seed: one\n",
        f'job.yaml:{END + 2}: spec.run.seed: "one" is no number: write one without quotes',
        id="a word for a seed",
    ),
    pytest.param(
        JOB + "  run:\n    deterministic: 1\n",
        f"job.yaml:{END + 2}: spec.run.deterministic: 1 is neither true nor false: write one of them",
        id="one for true",
    ),
    pytest.param(
        JOB + "  run: 0\n",
        f"job.yaml:{END + 1}: spec.run: 0 stands where fields belong: write an object with suspend, "
        "activeDeadlineSeconds, backoffLimit, ttlSecondsAfterFinished, deterministic, seed",
        id="a number for a group",
    ),
    pytest.param(
        _replaced("metadata:\n  name: digits", "metadata:\n  name: Digits"),
        'job.yaml:4: metadata.name: "Digits" is not allowed: use small letters, digits, - and ., a letter or digit at '
        "both ends",
        id="a capital letter in the name",
    ),
    pytest.param(
        _replaced("uri: digits", "uri: file:///etc/passwd"),
        'job.yaml:10: spec.dataset.uri: "file:///etc/passwd" is not allowed: give s3://bucket/prefix, or a path '
        "without a colon",
        id="a file address",
    ),
    pytest.param(
        _replaced("uri: digits", f"uri: {'d' * 1025}"),
        "job.yaml:10: spec.dataset.uri: has 1025 characters: 1024 is the most",
        id="a long address",
    ),
    pytest.param(
        _replaced("uri: digits", "uri: [digits]"),
        "job.yaml:10: spec.dataset.uri: a list is no text: write one",
        id="a list for a text",
    ),
    pytest.param(
        _replaced("uri: digits", 'uri: digits\n    idField: ""'),
        "job.yaml:11: spec.dataset.idField: is empty: write something or remove it",
        id="an empty column name",
    ),
    pytest.param(
        JOB + f"  storag: {{}}\n  output: {{prefix: {'../x' * 30}}}\n",
        f'job.yaml:{END + 2}: spec.output.prefix: "{("../x" * 30)[:60]}…" is not allowed: give a relative path of '
        "letters, digits, ., _ and -, without .. and without / at the ends",
        id="a prefix that climbs",
    ),
    pytest.param(
        _replaced("  name: digits", "  name: digits\n  labels: {team: {a: b}}"),
        "job.yaml:5: metadata.labels.team: an object is no text: write one",
        id="an object for a label",
    ),
    pytest.param(
        _replaced("  name: digits", f"  name: digits\n  labels: {{{'k' * 318}: v}}"),
        f"job.yaml:5: metadata.labels.{'k' * 318}: has 318 characters: 317 is the most",
        id="a long label",
    ),
    pytest.param(
        _replaced("  name: digits", "  name: digits\n  labels: [team]"),
        "job.yaml:5: metadata.labels: a list stands where fields belong: write an object",
        id="a list for labels",
    ),
    pytest.param(
        _replaced("metadata:\n  name: digits", "metadata: digits"),
        'job.yaml:3: metadata: "digits" stands where fields belong: write an object with name, namespace, uid, '
        "generation, labels, annotations, deletionTimestamp, finalizers",
        id="a word for metadata",
    ),
]


@pytest.mark.parametrize(("text", "want_line"), INVALID)
def test_what_is_wrong_is_told_with_its_line(text: str, want_line: str) -> None:
    assert want_line in _lines(text)


def test_all_problems_of_a_file_are_told_in_its_order() -> None:
    text = _replaced("ImageClassification", "Poetry").replace("    uri: out", "    url: out") + "  budget: {votes: 0}\n"

    assert [line.split(":")[1] for line in _lines(text)] == ["7", "11", "12", "19"]


@pytest.mark.parametrize(
    ("text", "want_line"),
    [
        pytest.param("", "job.yaml: holds no LabelingJob: add a document with kind: LabelingJob", id="an empty file"),
        pytest.param(
            "# only\n---\n", "job.yaml: holds no LabelingJob: add a document with kind: LabelingJob", id="none"
        ),
        pytest.param(
            JOB + "---\n" + JOB,
            f"job.yaml:{END + 2}: a second LabelingJob (the first begins in line 1): keep one in a file",
            id="two jobs",
        ),
        pytest.param("a: 1\n", "job.yaml:1: kind: is missing: add kind: LabelingJob", id="no kind"),
        pytest.param(
            "kind: Labelingjob\n", 'job.yaml:1: kind: "Labelingjob" is not known: did you mean LabelingJob?', id="kind"
        ),
        pytest.param(
            JOB + "---\n\nkind: Deployment\n",
            f'job.yaml:{END + 3}: kind: "Deployment" is not read here: keep only LabelingJob, ConfigMap, Secret in a '
            "job file",
            id="another kind",
        ),
        pytest.param("just words\n", "job.yaml:1: holds no fields: begin with apiVersion and kind", id="words"),
        pytest.param(
            "a:\n\tb: 1\n", "job.yaml:2: a tab stands where YAML wants spaces: replace it by spaces", id="a tab"
        ),
        pytest.param(
            "a: [1, 2\nb: 1\n",
            "job.yaml:2: is no YAML (expected ',' or ']', but got ':'): check this line and the one before",
            id="an open bracket",
        ),
        pytest.param(
            "a: 1\nb: \x07\n", "job.yaml:2: holds a character that YAML does not allow: remove it", id="a bell"
        ),
        pytest.param(
            "a:\n  b: 1\n  c: 2\n  b: 3\n",
            "job.yaml:4: a.b: stands twice (first in line 2): remove one",
            id="a key twice",
        ),
        pytest.param(
            "a: !!binary eA==\n",
            "job.yaml:1: a: the tag tag:yaml.org,2002:binary is not read here: remove it",
            id="a tag",
        ),
        pytest.param(
            "a: {[1, 2]: x}\n", "job.yaml:1: a: a key is a single word: write it on one line", id="a list as key"
        ),
        pytest.param("a: 1\n<<: b\n", "job.yaml:2: << merges fields: give it an alias of an object", id="a bad merge"),
        pytest.param(
            "a: &a [*a]\n",
            "job.yaml:1: a[0][0]: is too large or too deep: a job file holds no data, give its address",
            id="an alias of itself",
        ),
    ],
)
def test_a_file_that_is_no_job_file_is_told(text: str, want_line: str) -> None:
    assert _lines(text) == (want_line,)


def test_aliases_cannot_blow_a_file_up() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 10)
    )

    (line,) = _lines(bomb)
    assert line.endswith("is too large or too deep: a job file holds no data, give its address")


def test_config_maps_and_secrets_beside_the_job_are_read() -> None:
    encoded = base64.b64encode(b"key-id").decode()
    beside = dedent(f"""\
        ---
        kind: ConfigMap
        metadata: {{name: ca}}
        data: {{ca.crt: "certificate"}}
        ---
        kind: Secret
        metadata: {{name: s3}}
        data: {{AWS_ACCESS_KEY_ID: {encoded}}}
        stringData: {{AWS_SECRET_ACCESS_KEY: hush}}
        """)

    manifests = parse_manifests(JOB + beside, source="job.yaml")

    assert manifests.job.metadata.name == "digits"
    assert manifests.config_maps == {"ca": {"ca.crt": "certificate"}}
    assert manifests.secrets == {"s3": {"AWS_ACCESS_KEY_ID": "key-id", "AWS_SECRET_ACCESS_KEY": "hush"}}
    assert "hush" not in repr(manifests)


@pytest.mark.parametrize(
    ("beside", "want_line"),
    [
        pytest.param("kind: Secret\n", "metadata.name: is missing: add it", id="a secret without a name"),
        pytest.param("kind: ConfigMap\nmetadata: ca\n", "metadata.name: is missing: add it", id="a name for metadata"),
        pytest.param(
            "kind: Secret\nmetadata: {name: s}\ndata: {k: hush!}\n",
            "data.k: is no text in base64: encode it, or move it to stringData",
            id="a secret that is not encoded",
        ),
        pytest.param(
            "kind: ConfigMap\nmetadata: {name: c}\ndata: {k: 1}\n",
            "data.k: is no text: put it in quotes",
            id="a number",
        ),
        pytest.param(
            "kind: ConfigMap\nmetadata: {name: c}\ndata: words\n",
            "data: is no object: write keys with texts",
            id="a word for the data",
        ),
        pytest.param(
            "kind: ConfigMap\nmetadata: {name: c}\n---\nkind: ConfigMap\nmetadata: {name: c}\n",
            "a second ConfigMap c: remove one",
            id="two of one name",
        ),
    ],
)
def test_what_is_wrong_beside_the_job_is_told(beside: str, want_line: str) -> None:
    (line,) = _lines(f"{JOB}---\n{beside}")

    assert line.endswith(f": {want_line}")
    assert "hush" not in line


def test_a_status_in_the_file_is_not_read() -> None:
    job = parse_job(JOB + "status: {observedGeneration: 7}\n", source="job.yaml")

    assert job.status.observed_generation == 0


def test_anchors_and_merges_are_read_and_own_keys_win() -> None:
    (document,) = load_documents(
        "base: &base {a: 1, b: 2}\nmore: &more {b: 3, c: 4}\nmine:\n  b: 9\n  <<: [*base, *more]\n", source="f"
    )

    assert document.data["mine"] == {"a": 1, "b": 9, "c": 4}
    assert document.line(("mine", "b")) == 4


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("1e-3", 0.001, id="an exponent without a point"),
        pytest.param("-2.5E+1", -25.0, id="an exponent with a point"),
        pytest.param("1:30", "1:30", id="no base of sixty"),
        pytest.param("2026-01-31", "2026-01-31", id="no date"),
        pytest.param("0x1F", 31, id="hexadecimal"),
        pytest.param("0o17", 15, id="octal"),
        pytest.param("017", 15, id="old octal"),
        pytest.param("1_000", "1_000", id="no underscores"),
        pytest.param("Yes", True, id="yes"),
        pytest.param("oFF", "oFF", id="mixed case is a word"),
        pytest.param("~", None, id="null"),
        pytest.param("-.INF", float("-inf"), id="infinity"),
        pytest.param("1" * 5000, float("inf"), id="more digits than any field takes"),
        pytest.param("v1.2", "v1.2", id="a version"),
    ],
)
def test_a_plain_scalar_means_what_kubernetes_reads(text: str, want: object) -> None:
    assert scalar(text) == want


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_refused_with_lines(text: str) -> None:
    assert all(line.startswith("job.yaml:") for line in _lines(text))


def test_a_job_file_on_disk_is_read(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text("\ufeff" + JOB, encoding="utf-8")

    assert read_manifests(path).job.metadata.name == "digits"


def _missing(_path: Path) -> None: ...


@pytest.mark.parametrize(
    ("write", "want_text"),
    [
        pytest.param(_missing, "no such file: check the path, or write one with labelplane init", id="missing"),
        pytest.param(lambda path: path.mkdir(), "cannot be read (Is a directory)", id="a folder"),
        pytest.param(lambda path: path.write_bytes(b"a: \xff"), "is no UTF-8 text (byte 3): save it", id="not UTF-8"),
        pytest.param(lambda path: path.write_bytes(b" " * (4 << 20) + b"x"), "is larger than 4 MiB", id="too large"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_by_its_path(tmp_path: Path, write: Any, want_text: str) -> None:
    path = tmp_path / "job.yaml"
    write(path)

    with pytest.raises(JobFileError) as caught:
        read_manifests(path)
    assert caught.value.lines[0].startswith(f"{path}: {want_text}")
