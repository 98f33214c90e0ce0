"""How torch is set up for one training: device, threads, determinism."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["choose_device", "torch_configured"]


def choose_device(*, is_deterministic: bool) -> torch.device:
    """Return the graphics processor when there is one and equal bits are not asked for, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() and not is_deterministic else "cpu")


@contextmanager
def torch_configured(*, threads: int, is_deterministic: bool) -> Iterator[None]:
    """Use `threads` threads (0 leaves torch's own choice) and, if asked, deterministic algorithms only, in the block.

    These are settings of the whole process: two trainings must not run at once in one.
    """
    # `torch.use_deterministic_algorithms` sets the same mode, but imports torch's compiler first, which takes seconds.
    threads_before, mode_before = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    try:
        if is_deterministic or threads > 0:
            torch.set_num_threads(1 if is_deterministic else threads)
        if is_deterministic:
            torch.set_deterministic_debug_mode("error")
        yield
    finally:
        torch.set_num_threads(threads_before)
        torch.set_deterministic_debug_mode(mode_before)
