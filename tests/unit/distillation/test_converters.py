from importlib.util import find_spec
from typing import Any

import pytest

from labelplane.distillation.v1 import distillation_pb2 as pb
from labelplane_api.training import Teacher
from labelplane_core.errors import InvalidInput
from labelplane_distillation.converters import train_request

NETWORK: dict[str, Any] = {
    "encoder": "Linear",
    "members": 3,
    "hidden_size": 8,
    "epochs": 5,
    "learning_rate": 0.1,
    "batch_size": 16,
}

NUMBERS = ["members", "hidden_size", "epochs", "batch_size", "learning_rate", "weight_decay", "dropout", "patience"]


def make_message(
    *, teacher: dict[str, Any] | None = None, distillation: dict[str, Any] | None = None, **fields: Any
) -> pb.StartTrainRequest:
    values: dict[str, Any] = {
        "round": {"number": 3, "attempt": 2},
        "task": {"type": "ImageClassification", "classes": ["a", "b"]},
        "index_ref": "dataset/manifest.json",
        "posteriors_ref": "rounds/0003/aggregate/1/manifest-0000.json",
        "teacher": {**NETWORK, **(teacher or {})},
        "student": NETWORK,
        "distillation": {"temperature": 2.0, "lambda": 0.7, "unlabelled": True, **(distillation or {})},
        "validation_share": 0.1,
        "seed": 11,
        **fields,
    }
    return pb.StartTrainRequest(**values)


def test_a_message_becomes_a_request() -> None:
    request = train_request(make_message())
    assert (request.round_number, request.attempt, request.classes, request.seed) == (3, 2, ("a", "b"), 11)
    assert (request.mixing.temperature, request.mixing.share, request.uses_unlabelled) == (2.0, 0.7, True)
    assert (request.teacher.encoder, request.teacher.members, request.teacher.learning_rate) == ("Linear", 3, 0.1)
    assert request.standing_model_ref == ""


@pytest.mark.parametrize(
    ("task", "teacher", "student"),
    [("ImageClassification", "SmallCnn", "Mlp"), ("TextClassification", "HashedNgrams", "HashedNgrams")],
    ids=["image", "text"],
)
@pytest.mark.skipif(find_spec("torch") is None, reason="needs the extra `local`")
def test_encoder_that_is_left_open_suits_the_items(task: str, teacher: str, student: str) -> None:
    message = make_message(task={"type": task, "classes": ["a", "b"]}, teacher={"encoder": "Auto"})
    message.student.encoder = "Auto"
    request = train_request(message)
    assert (request.teacher.encoder, request.student.encoder) == (teacher, student)


@pytest.mark.parametrize(
    ("change", "want"),
    [
        ({"index_ref": ""}, "index_ref and posteriors_ref"),
        ({"posteriors_ref": ""}, "index_ref and posteriors_ref"),
        ({"validation_share": 0.6}, r"validation_share must be from 0.0 to 0.5, got 0.6"),
        ({"validation_share": float("nan")}, "validation_share"),
        ({"task": {"type": "ImageClassification", "classes": ["a"]}}, "task.classes"),
        ({"task": {"type": "Poetry", "classes": ["a", "b"]}}, "Poetry"),
        ({"teacher": {"encoder": "Resnet"}}, "no encoder 'Resnet'"),
        ({"teacher": {"encoder": "HashedNgrams"}}, "does not read items of kind image"),
        ({"teacher": {"members": 0}}, "teacher.members must be from 1 to 32, got 0"),
        ({"teacher": {"members": 33}}, "teacher.members"),
        ({"teacher": {"hidden_size": 65_537}}, "teacher.hidden_size must be from 1 to 65536, got 65537"),
        ({"teacher": {"epochs": 0}}, "teacher.epochs"),
        ({"teacher": {"epochs": 100_001}}, "teacher.epochs must be from 1 to 100000, got 100001"),
        ({"teacher": {"learning_rate": 0.0}}, "teacher.learning_rate must be above 0"),
        ({"teacher": {"learning_rate": float("inf")}}, "teacher.learning_rate"),
        ({"teacher": {"weight_decay": -1.0}}, "teacher.weight_decay"),
        ({"teacher": {"batch_size": 0}}, "teacher.batch_size"),
        ({"teacher": {"dropout": 1.0}}, "teacher.dropout must be at least 0 and below 1"),
        ({"distillation": {"temperature": 0.0}}, "distillation.temperature must be above 0"),
        ({"distillation": {"lambda": 1.5}}, "distillation.lambda must be from 0 to 1"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_its_name(change: dict[str, Any], want: str) -> None:
    with pytest.raises(InvalidInput, match=want):
        train_request(make_message(**change))


def bounds_of(field: str) -> list[Any]:
    """The least and the largest value that a job's teacher may have."""
    ends = [getattr(each, end, None) for each in Teacher.model_fields[field].metadata for end in ("ge", "le")]
    return [end for end in ends if end is not None]


@pytest.mark.parametrize(
    ("field", "value"),
    [pytest.param(field, value, id=f"{field} {value}") for field in NUMBERS for value in bounds_of(field)],
)
def test_a_value_at_the_bounds_of_a_job_is_taken(field: str, value: Any) -> None:
    assert getattr(train_request(make_message(teacher={field: value})).teacher, field) == value
