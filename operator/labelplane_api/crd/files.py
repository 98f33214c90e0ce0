"""The generated files of the API, by their path in the repository."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from labelplane_api.crd.definition import PLURAL, crd_yaml
from labelplane_api.crd.reference import reference_page
from labelplane_api.job import API_GROUP, LabelingJob


def _json_schema() -> str:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **LabelingJob.model_json_schema(by_alias=True),
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


GENERATED: Final[Mapping[str, Callable[[], str]]] = {
    f"manifests/crd/{API_GROUP}_{PLURAL}.yaml": crd_yaml,
    "docs/reference/labelingjob.md": reference_page,
    "docs/reference/labelingjob.schema.json": _json_schema,
}
"""What makes each file's text."""


def rendered() -> dict[str, str]:
    """Return the text of every file by its path.

    Raises:
        SchemaError: a type says what a structural schema cannot.
    """
    return {path: render() for path, render in GENERATED.items()}


def differing(root: Path) -> Iterator[str]:
    """Yield the paths whose file below `root` is missing or has another text."""
    for path, text in rendered().items():
        file = root / path
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            yield path


def write(root: Path) -> None:
    """Write every file below `root`."""
    for path, text in rendered().items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
