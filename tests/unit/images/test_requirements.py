"""An image holds what its programs import, and nothing else."""

from pathlib import Path

import pytest
from import_closure import distributions_of

REQUIREMENTS = Path(__file__).resolve().parents[3] / "requirements" / "images"
PROGRAMS = {
    "operator": ("labelplane_operator.__main__",),
    "scoring": ("labelplane_scoring.__main__", "labelplane_scoring.worker"),
    "aggregation": ("labelplane_aggregation.__main__", "labelplane_aggregation.cleanup"),
    "distillation": (
        "labelplane_distillation.__main__",
        "labelplane_distillation.handover.collect",
        "labelplane_distillation.handover.stage",
    ),
    "review": ("labelplane_review.__main__", "labelplane_review.web.__main__"),
    "small": ("labelplane_small.__main__",),
}
ON_TOP = frozenset({"torchvision", "transformers", "triton_python_backend_utils"})
"""What is there where it is imported: encoders with pretrained weights come with an image of one's own, and training
names what it misses; the last is inside of Triton, whose Python backend runs our module."""


def _required(image: str) -> set[str]:
    lines = (REQUIREMENTS / f"{image}.in").read_text().splitlines()
    return {line.split("[")[0] for line in lines if line and not line.startswith("#")}


@pytest.mark.parametrize("image", PROGRAMS)
def test_an_image_requires_what_its_programs_import(image: str) -> None:
    needed = set().union(*(distributions_of(program) for program in PROGRAMS[image]))

    assert _required(image) == needed - ON_TOP


def test_every_image_has_a_program() -> None:
    assert {path.stem for path in REQUIREMENTS.glob("*.in")} == PROGRAMS.keys()


@pytest.mark.parametrize("image", sorted(PROGRAMS.keys() - {"distillation", "small"}))
def test_torch_is_in_the_images_that_train_and_no_other(image: str) -> None:
    lock = (REQUIREMENTS / f"{image}.txt").read_text()

    assert not any(line.startswith(("torch==", "nvidia-")) for line in lock.splitlines())
