import json

import pytest
from report_data import make_job, make_report, share

from labelplane_report.charts import accuracy_chart, confidence_chart, votes_chart, votes_to_reach
from labelplane_report.data import Curve, RoundPoint

POINTS = (
    RoundPoint(0, 100, 80, 0.7, share(60, 100)),
    RoundPoint(1, 200, 90, 0.8, share(80, 100), share(7, 10)),
    RoundPoint(2, 200, 100, 0.9, share(85, 100)),
)


def test_accuracy_is_drawn_at_its_votes_with_its_band() -> None:
    line = accuracy_chart(make_report(rounds=POINTS)).series[0]
    assert (line.places, line.values) == ((100, 200, 200), (0.6, 0.8, 0.85))
    assert all(low < value < high for low, value, high in zip(line.low, line.values, line.high, strict=True))


def test_what_is_not_known_is_not_drawn() -> None:
    names = [line.name for line in accuracy_chart(make_report()).series]
    assert names == ["Mean confidence"]


def test_a_round_without_a_gate_leaves_a_gap() -> None:
    gate = accuracy_chart(make_report(rounds=POINTS)).series[1]
    assert gate.values == (None, 0.7, None)


def test_target_and_baseline_are_dashed_and_reach_the_last_vote() -> None:
    report = make_report(rounds=POINTS, job=make_job(target=0.95), baseline=Curve("random", (100, 400), (0.5, 0.7)))
    baseline, target = accuracy_chart(report).series[-2:]
    assert (baseline.name, baseline.is_dashed, target.is_dashed) == ("random", True, True)
    assert target.places == (0, 400)


def test_every_chart_has_a_table_with_a_cell_for_each_column() -> None:
    report = make_report(rounds=POINTS)
    for chart in (accuracy_chart(report), confidence_chart(report), votes_chart(report)):
        assert chart is not None
        assert chart.rows
        assert {len(row) for row in chart.rows} == {len(chart.header)}


def test_the_table_says_what_the_picture_draws() -> None:
    rows = accuracy_chart(make_report(rounds=POINTS)).rows
    assert rows[1][0] == "1"
    assert rows[1][3].startswith("80.0")
    assert rows[-1][0] == "end"


def test_states_without_labels_have_no_bars() -> None:
    chart = confidence_chart(make_report())
    assert [series.name for series in chart.series] == ["human", "accepted", "predicted"]
    assert chart.categories == ("under 0.5", "0.5–1")


def test_votes_of_a_round_are_those_since_the_last() -> None:
    chart = votes_chart(make_report(rounds=POINTS))
    assert chart is not None
    assert (chart.categories, chart.series[0].values) == (("0", "1"), (100, 100))


def test_votes_after_the_last_round_are_drawn_as_the_end() -> None:
    chart = votes_chart(make_report(rounds=(*POINTS[:2], RoundPoint(2, 260, 100, 0.9))))
    assert chart is not None
    assert (chart.categories[-1], chart.series[0].values[-1]) == ("end", 60)


def test_one_point_is_no_chart_of_votes() -> None:
    assert votes_chart(make_report()) is None


def test_a_chart_is_plain_json_without_its_table() -> None:
    record = accuracy_chart(make_report(rounds=POINTS)).to_json()
    assert json.loads(json.dumps(record, allow_nan=False))["id"] == "accuracy-over-votes"
    assert not record.keys() & {"rows", "header"}


@pytest.mark.parametrize(
    ("accuracy", "want"),
    [
        pytest.param(0.5, 100, id="at the first point"),
        pytest.param(0.6, 150, id="half way between points"),
        pytest.param(0.7, 200, id="at a point"),
        pytest.param(0.9, None, id="never"),
        pytest.param(0.2, 100, id="below all"),
    ],
)
def test_votes_to_reach_an_accuracy_lie_on_the_line_between_points(accuracy: float, want: float | None) -> None:
    found = votes_to_reach(Curve("random", (100, 200, 300), (0.5, 0.7, 0.6)), accuracy)
    assert found == (None if want is None else pytest.approx(want))
