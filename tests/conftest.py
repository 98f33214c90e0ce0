"""What holds for all tests."""

import pytest
from hypothesis import settings

# A slow example on a busy machine is no failure; pytest's own timeout bounds every test.
settings.register_profile("default", deadline=None)
# pytest --hypothesis-profile=thorough
settings.register_profile("thorough", max_examples=500, deadline=None)
settings.load_profile("default")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest: where two processes share the tests, neither is left alone with it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("longest") is None)
