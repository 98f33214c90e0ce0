"""The review page's process dies while people answer: no acknowledged vote is lost, none counts twice."""

from pathlib import Path

from review_kills import label_while_it_is_killed


async def test_no_vote_is_lost_or_doubled_when_the_process_is_killed_under_load(tmp_path: Path) -> None:
    await label_while_it_is_killed(tmp_path, kills=2, people=10, seed=1)
