"""The objects of a job, whole, as files that people review.

After a change that is meant: `LABELPLANE_WRITE_GOLDEN=1 pytest tests/unit/operator/test_builders_golden.py`, then read
the difference.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster_jobs import CASES

from labelplane_operator.builders import Child

GOLDEN = Path(__file__).parent / "golden"
REVIEWED = (
    "small",
    "small-with-a-crowd",
    "small-with-overrides",
    "small-with-rules",
    "small-while-an-image-trains",
    "distributed-while-it-scores",
)
"""The other cases differ from these in numbers and names that other tests tell."""


class _PlainDumper(yaml.SafeDumper):
    """Writes what stands twice twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def as_text(children: tuple[Child, ...]) -> str:
    """Return the objects as YAML documents; the wanted replicas, which no manifest holds, are comments."""
    return "".join(_document(child) for child in children)


def _document(child: Child) -> str:
    replicas = "" if child.replicas is None else f"# replicas: {child.replicas}\n"
    manifest = yaml.dump(dict(child.manifest), Dumper=_PlainDumper, sort_keys=False, width=120)
    return f"---\n{replicas}{manifest}"


@pytest.mark.parametrize("case", REVIEWED)
def test_the_objects_of_a_job_are_those_that_were_reviewed(case: str) -> None:
    _check(f"{case}.yaml", CASES[case].children())


@pytest.mark.parametrize("case", ["small-with-a-crowd", "distributed-with-overrides"])
def test_what_removes_the_results_is_what_was_reviewed(case: str) -> None:
    _check(f"cleanup-{case}.yaml", CASES[case].cleanup())


def _check(name: str, children: tuple[Child, ...]) -> None:
    path, text = GOLDEN / name, as_text(children)
    if os.environ.get("LABELPLANE_WRITE_GOLDEN") == "1":
        path.write_text(text)

    assert text == path.read_text(), f"{path.name} differs: read how, and write it as the top of this file says"
