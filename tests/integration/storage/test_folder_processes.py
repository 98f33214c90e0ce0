import multiprocessing
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from folder_race import count_wins

PROCESSES = 3
ROUNDS = 25


def test_of_several_processes_exactly_one_wins_each_create_and_each_replace(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Manager() as manager, ProcessPoolExecutor(PROCESSES, mp_context=context) as pool:
        barrier = manager.Barrier(PROCESSES)
        races = [pool.submit(count_wins, tmp_path, f"process {number}", ROUNDS, barrier) for number in range(PROCESSES)]
        wins = Counter(win for race in races for win in race.result(120))

    assert wins == {f"{kind}-{number}": 1 for kind in ("create", "replace") for number in range(ROUNDS)}
