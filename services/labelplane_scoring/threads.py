"""Row-parallel execution of kernels that release the interpreter lock.

Numba's own parallel layers are not used: the portable one ends the process when two Python threads enter it at once,
and the OpenMP one when the process has forked. Plain threads over nogil kernels have neither fault, and a result does
not depend on how many there are.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["run_over_rows", "thread_count"]

# Below this many array elements a thread costs more than it saves.
_MIN_ELEMENTS_PER_THREAD = 1 << 18
# Chunks per thread: one that waits for a busy core delays the others by an eighth of its share.
_CHUNKS_PER_THREAD = 8


def thread_count() -> int:
    """Number of threads the kernels use when the caller does not say.

    It is what numba sees: the cores this process may run on, or ``NUMBA_NUM_THREADS`` where that is set.
    """
    import numba

    config: Any = numba.config
    return int(config.NUMBA_NUM_THREADS)


def run_over_rows(
    kernel: Callable[[int, int], int], rows: int, *, elements_per_row: int, threads: int | None = None
) -> list[int]:
    """Call ``kernel(start, stop)`` over all rows, split over threads, and return what each call returned, in order.

    Args:
        kernel: works on rows ``start <= i < stop``; must release the interpreter lock to gain anything.
        rows: number of rows.
        elements_per_row: size of a row; small inputs run in the calling thread.
        threads: most threads to use; None means `thread_count`.
    """
    limit = thread_count() if threads is None else threads
    used = max(1, min(limit, rows * elements_per_row // _MIN_ELEMENTS_PER_THREAD))
    if used == 1:
        return [kernel(0, rows)]
    chunks = min(rows, used * _CHUNKS_PER_THREAD)
    edges = [rows * i // chunks for i in range(chunks + 1)]
    with ThreadPoolExecutor(used, thread_name_prefix="scoring-rows") as pool:
        return list(pool.map(kernel, edges[:-1], edges[1:]))
