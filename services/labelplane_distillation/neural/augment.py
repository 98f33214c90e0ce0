"""Moves images a little: shift, turn, zoom and shear by one affine map an image, all images at once."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Augmentation", "move_images"]


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
    """Return moved copies of (..., C, H, W) images, sampled bilinearly; what comes in from outside is zero."""
    flat = images.reshape(-1, *images.shape[-3:])
    maps = torch.from_numpy(_draw_maps(len(flat), augmentation, generator)).to(flat.device)
    grid = functional.affine_grid(maps, list(flat.shape), align_corners=False)
    return functional.grid_sample(flat, grid, align_corners=False).view(images.shape)


def _draw_maps(count: int, augmentation: Augmentation, generator: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
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
