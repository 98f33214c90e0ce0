"""Moves images a little: shift, turn, zoom and shear by one affine map an image, all images at once."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["UNMOVED_SHARE", "VIEWS", "Augmentation", "move_images", "view_grids"]

UNMOVED_SHARE = 0.2
"""Images of a batch that stay as they are: sampling blurs, and networks must know sharp images too."""

VIEWS = 8
"""Copies of an image, the first one unmoved, over which a network that was trained on moved images averages."""

_VIEW_SEED = 20


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far an image may move: each value is drawn uniformly from its negative to itself.

    Attributes:
        shift: share of half the image's side.
        turn_degrees: angle.
        zoom: relative change of width, and of height.
        shear: shift of the upper edge against the lower, as a share of the side.
    """

    shift: float = 0.25
    turn_degrees: float = 12.0
    zoom: float = 0.10
    shear: float = 0.10


def move_images(images: Tensor, augmentation: Augmentation, generator: np.random.Generator) -> Tensor:
    """Return (..., C, H, W) images, most of them moved, sampled bilinearly; what comes in from outside is zero."""
    flat = images.reshape(-1, *images.shape[-3:])
    maps = _draw_maps(len(flat), augmentation, generator)
    is_unmoved = torch.from_numpy(generator.random(len(flat)) < UNMOVED_SHARE).to(flat.device)
    grid = functional.affine_grid(torch.from_numpy(maps).to(flat.device), list(flat.shape), align_corners=False)
    moved = functional.grid_sample(flat, grid, align_corners=False)
    return torch.where(is_unmoved.view(-1, 1, 1, 1), flat, moved).view(images.shape)


def view_grids(augmentation: Augmentation, *, height: int, width: int) -> Tensor:
    """Return the (VIEWS - 1, height, width, 2) sampling grids of the moved views, the same for every image."""
    maps = _draw_maps(VIEWS - 1, augmentation, np.random.default_rng(_VIEW_SEED))
    return functional.affine_grid(torch.from_numpy(maps), [VIEWS - 1, 1, height, width], align_corners=False)


def _draw_maps(count: int, augmentation: Augmentation, generator: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return (count, 2, 3) affine maps."""
    draws = generator.uniform(-1.0, 1.0, size=(6, count))
    angle = draws[0] * math.radians(augmentation.turn_degrees)
    wide, high = 1.0 + draws[1:3] * augmentation.zoom
    shear = draws[3] * augmentation.shear
    across, down = draws[4:6] * augmentation.shift
    rows = [
        [np.cos(angle) * wide, -np.sin(angle) * wide + shear, across],
        [np.sin(angle) * high, np.cos(angle) * high, down],
    ]
    return np.array(rows, dtype=np.float32).transpose(2, 0, 1).copy()
