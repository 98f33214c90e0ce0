"""The page of operations says of every reason what is the case and what to do."""

import re
from pathlib import Path

import pytest

from labelplane_api.conditions import ConditionType, Reason
from labelplane_api.status import Stage

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", PAGE, re.MULTILINE)
UNUSED = set(re.findall(r"`(\w+)`", PAGE[PAGE.index("No version sets") :]))
CODE = "\n".join(
    path.read_text(encoding="utf-8") for path in sorted((ROOT / "operator/labelplane_operator").rglob("*.py"))
)
OF_SERVICES = {"TooManyItemErrors", "InvalidInput"}
"""Reasons that come as the errors of services."""


def test_every_reason_has_one_row() -> None:
    told = [row[0] for row in ROWS]

    assert len(told) == len(set(told))
    assert set(told) | UNUSED == {reason.value for reason in Reason}
    assert not set(told) & UNUSED


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.value)
def test_page_calls_unused_what_no_code_sets(reason: Reason) -> None:
    is_set = f"Reason.{reason.name}" in CODE or reason.value in OF_SERVICES

    assert is_set == (reason.value not in UNUSED)


def test_rows_name_conditions_that_there_are() -> None:
    kinds = {word for row in ROWS for word in re.findall(r"[A-Z]\w+", row[1])} - {"False", "Unknown"}

    assert kinds <= {kind.value for kind in ConditionType}


def test_every_stage_is_explained() -> None:
    words = PAGE[PAGE.index("## Where a job stands") : PAGE.index("## Holding a job")]

    assert {stage.value for stage in Stage} <= set(re.findall(r"\w+", words))
