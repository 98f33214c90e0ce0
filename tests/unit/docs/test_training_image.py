"""The page about training images shows what there is: the files of the example and the fields of the card."""

from pathlib import Path

import pytest

from labelplane_distillation.handover.contract import LARGEST_FILES, TASK_FILE, TrainedCard

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "training-image.md").read_text(encoding="utf-8")


def test_page_shows_the_dockerfile_of_the_example() -> None:
    assert (DOCS / "examples/training-image/Dockerfile").read_text(encoding="utf-8") in PAGE


@pytest.mark.parametrize("name", [*LARGEST_FILES, TASK_FILE, "train.parquet", *TrainedCard.model_fields])
def test_page_tells_every_file_and_every_field_of_the_card(name: str) -> None:
    assert name in PAGE
