import inspect
import re

import pytest

from labelplane_core import errors
from labelplane_core.errors import ErrorCode, LabelplaneError

CLASSES = [value for _, value in inspect.getmembers(errors, inspect.isclass) if issubclass(value, LabelplaneError)]
CONCRETE = [error for error in CLASSES if not error.__subclasses__()]


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_reason_is_the_class_name_so_that_people_find_it(error: type[LabelplaneError]) -> None:
    want = "Internal" if error is LabelplaneError else error.__name__

    assert error.reason == want
    assert re.fullmatch(r"[A-Z][A-Za-z]+", error.reason)


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
def test_only_codes_that_callers_try_again_are_retryable(error: type[LabelplaneError]) -> None:
    if error.code in {
        ErrorCode.INVALID_ARGUMENT,
        ErrorCode.FAILED_PRECONDITION,
        ErrorCode.NOT_FOUND,
        ErrorCode.ABORTED,
    }:
        assert not error.retryable
    if error.code in {ErrorCode.UNAVAILABLE, ErrorCode.DEADLINE_EXCEEDED, ErrorCode.RESOURCE_EXHAUSTED}:
        assert error.retryable


def test_reasons_are_unique() -> None:
    assert len({error.reason for error in CLASSES}) == len(CLASSES)


def test_every_error_is_exported_and_drawn_in_the_tree() -> None:
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__ or ""))

    assert drawn == {error.__name__ for error in CLASSES} - {"LabelplaneError"}
    assert {error.__name__ for error in CLASSES} | {"ErrorCode"} == set(errors.__all__)


def test_tree_is_drawn_as_the_classes_inherit() -> None:
    parents: dict[str, str] = {}
    path: list[str] = ["LabelplaneError"]
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"([│ ]*)[├└]── (\w+)", line)
        if match:
            depth = len(match.group(1)) // 4 + 1
            path[depth:] = [match.group(2)]
            parents[path[depth]] = path[depth - 1]

    assert parents == {error.__name__: error.__bases__[0].__name__ for error in CLASSES if error is not LabelplaneError}
