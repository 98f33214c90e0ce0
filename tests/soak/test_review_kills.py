"""kill -9 of the run behind the review page, twenty times under the load of fifty people."""

from pathlib import Path

from review_kills import label_while_it_is_killed


async def test_no_vote_is_lost_or_doubled_in_twenty_kills_under_load(tmp_path: Path) -> None:
    await label_while_it_is_killed(tmp_path, kills=20, people=50, seed=7)
