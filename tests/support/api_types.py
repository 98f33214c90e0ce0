"""All types of the API, for tests that hold for every one of them."""

from collections.abc import Iterator

from labelplane_api import LabelingJob
from labelplane_api.schema import ApiModel


def _subclasses(root: type[ApiModel]) -> Iterator[type[ApiModel]]:
    for model in root.__subclasses__():
        yield model
        yield from _subclasses(model)


# Naming LabelingJob makes sure that every module of types is imported.
assert issubclass(LabelingJob, ApiModel)
MODELS = sorted(set(_subclasses(ApiModel)), key=lambda model: model.__name__)
