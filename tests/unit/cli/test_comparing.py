import io

import pytest
from rich.console import Console

from labelplane_api.status import Stage
from labelplane_cli.comparing import print_comparison
from labelplane_cli.embedded.replay import Compared

EXACT = Compared(Stage.AGGREGATE, is_same=True, is_exact=True, detail="digest 0af3")
SAME = Compared(Stage.SCORE, is_same=True, is_exact=False, detail="100.0 % of labels alike")
OTHER = Compared(Stage.SELECT, is_same=False, is_exact=False, detail="3 of 20 items differ")


@pytest.mark.parametrize(
    ("compared", "want_lines", "want_same"),
    [
        pytest.param(
            [EXACT, SAME],
            [
                "  Aggregate  same to the bit  digest 0af3",
                "  Score      the same         100.0 % of labels alike",
                "  round 2 gives the same results again; nothing was written",
            ],
            True,
            id="all is the same",
        ),
        pytest.param(
            [EXACT, OTHER],
            [
                "  Aggregate  same to the bit  digest 0af3",
                "  Select     DIFFERENT        3 of 20 items differ",
                "  round 2 does not give the same results again; nothing was written",
            ],
            False,
            id="one stage differs",
        ),
    ],
)
def test_replay_is_told_by_stage_and_as_a_whole_when(
    compared: list[Compared], want_lines: list[str], want_same: bool
) -> None:
    sink = io.StringIO()

    is_same = print_comparison(Console(file=sink, width=160, highlight=False, markup=False), 2, compared)

    assert sink.getvalue().splitlines() == want_lines
    assert is_same is want_same
