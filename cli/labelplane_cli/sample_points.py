"""Made-up data to show the loop on: points of three clouds, each drawn as a tiny picture. Seeded, no network."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from labelplane_cli.replacing import replace_file

__all__ = ["CLASSES", "JOB", "Points", "draw_points", "write_points"]

CLASSES: Final = ("left", "right", "top")
_CENTRES: Final = ((-1.0, -0.55), (1.0, -0.55), (0.0, 0.85))
_SPREAD: Final = 0.42
_REACH: Final = 2.4
"""Half of the plane's width that a picture shows."""
_PIXELS: Final = 12
_GLOW_PIXELS: Final = 1.3
_GOLD_EVERY: Final = 5
_ROWS, _COLUMNS = 12, 48

JOB: Final = """\
# Written by labelplane demo: 1,000 points of three clouds, labelled by five simulated annotators.
apiVersion: labelplane.io/v1alpha1
kind: LabelingJob
metadata:
  name: demo
spec:
  task:
    type: ImageClassification
    classes: [left, right, top]
  dataset:
    uri: data
    format: Csv
    index: items.csv
    idField: id
    itemField: image
    goldField: gold # one point in five has a known class
    truthField: truth # for the simulated annotators and the report
  storage:
    uri: .
  sources:
    humans:
      votesPerItem: 3
      simulated:
        annotators:
          - {name: careful, count: 4, accuracy: 0.9}
          - {name: careless, random: true} # answers at random; the run finds that out
  sampling:
    strategy: Margin
    initialBatchSize: 40
    batchSize: 40
  model:
    teacher: {encoder: Linear}
    student: {encoder: Linear}
  stop:
    maxRounds: 6
  budget:
    votes: 600
"""


@dataclass(frozen=True, slots=True)
class Points:
    """Points and their classes.

    Attributes:
        places: (n, 2) coordinates.
        classes: (n,) each point's place in CLASSES.
    """

    places: npt.NDArray[np.float64]
    classes: npt.NDArray[np.int64]

    @classmethod
    def draw(cls, count: int = 1000, *, seed: int = 0) -> "Points":
        """Draw points of equally large clouds."""
        rng = np.random.default_rng(seed)
        classes = rng.integers(len(CLASSES), size=count)
        places = np.asarray(_CENTRES)[classes] + rng.normal(0, _SPREAD, (count, 2))
        return cls(places.clip(-_REACH, _REACH), classes)


def draw_points(points: Points, names: list[str]) -> list[str]:
    """Return the plane as lines of text, each point as the first letter of its name."""
    grid = [[" "] * _COLUMNS for _ in range(_ROWS)]
    x, y = ((points.places.T / _REACH) + 1) / 2
    columns = (x * (_COLUMNS - 1)).round().astype(int)
    rows = ((1 - y) * (_ROWS - 1)).round().astype(int)
    for row, column, name in zip(rows, columns, names, strict=True):
        grid[row][column] = name[:1]
    return ["".join(line).rstrip() for line in grid]


def write_points(points: Points, folder: Path) -> None:
    """Write the pictures and their table below `folder`; what is there already is left as it is."""
    data = folder / "data"
    (data / "images").mkdir(parents=True, exist_ok=True)
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["id", "image", "gold", "truth"])
    for number, (place, code) in enumerate(zip(points.places, points.classes, strict=True)):
        name = f"point-{number:04d}"
        picture = data / "images" / f"{name}.png"
        if not picture.exists():
            _picture(place).save(picture)
        truth = CLASSES[code]
        rows.writerow([name, f"images/{name}.png", truth if number % _GOLD_EVERY == 0 else "", truth])
    replace_file(data / "items.csv", table.getvalue().encode())


def _picture(place: npt.NDArray[np.float64]) -> Image.Image:
    """Return a dark picture with a light spot where the point lies."""
    scale = np.linspace(-_REACH, _REACH, _PIXELS)
    x, y = np.meshgrid(scale, -scale)
    glow = _GLOW_PIXELS * 2 * _REACH / _PIXELS
    light = np.exp(-((x - place[0]) ** 2 + (y - place[1]) ** 2) / (2 * glow**2))
    return Image.fromarray((255 * light).astype(np.uint8))
