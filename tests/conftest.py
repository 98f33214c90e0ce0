"""What holds for all tests."""

from hypothesis import settings

# pytest --hypothesis-profile=thorough
settings.register_profile("thorough", max_examples=500, deadline=None)
