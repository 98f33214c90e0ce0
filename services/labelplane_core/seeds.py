"""Where randomness comes from: one generator for each use, never a shared one."""

from zlib import crc32

import numpy as np

__all__ = ["generator"]


def generator(seed: int, *purpose: str | int) -> np.random.Generator:
    """Return the generator for a purpose, such as ("select", round): the same in every process and on every machine."""
    words = [part if isinstance(part, int) else crc32(part.encode()) for part in purpose]
    return np.random.default_rng([seed, *words])
