"""What holds for all tests."""

from hypothesis import settings

# A slow example on a busy machine is no failure; pytest's own timeout bounds every test.
settings.register_profile("default", deadline=None)
# pytest --hypothesis-profile=thorough
settings.register_profile("thorough", max_examples=500, deadline=None)
settings.load_profile("default")
