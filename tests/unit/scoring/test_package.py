import subprocess
import sys

import pytest

import labelplane_scoring
from labelplane_scoring import errors


def loaded_after(code: str) -> set[str]:
    program = f"{code}\nimport sys\nprint(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    )


def test_importing_the_package_loads_no_numpy() -> None:
    assert not {"numpy", "numba"} & loaded_after("import labelplane_scoring")


def test_importing_the_algorithms_loads_no_compiler_transport_storage_or_framework() -> None:
    loaded = loaded_after("import labelplane_scoring.strategies, labelplane_scoring.stability")
    assert not {"numba", "grpc", "torch", "asyncio", "obstore", "pyarrow", "labelplane_core"} & loaded


@pytest.mark.parametrize("name", labelplane_scoring.__all__)
def test_every_public_name_loads_from_its_module(name: str) -> None:
    assert getattr(labelplane_scoring, name) is not None
    assert name in dir(labelplane_scoring)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Teacher'"):
        labelplane_scoring.Teacher  # noqa: B018


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_a_scoring_error_that_is_never_retried(name: str) -> None:
    kind = getattr(errors, name)
    assert issubclass(kind, errors.ScoringError)
    assert not kind.retryable
