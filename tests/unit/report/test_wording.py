import pytest
from report_data import make_report, share

from labelplane_report import wording
from labelplane_report.data import Accuracy, Cost, Stop

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("value", "want"),
    [(0, "0"), (1234567, "1,234,567"), (3.25, "3.2"), (12.4, "12"), (2.0, "2")],
)
def test_counts_have_thousands_apart_and_no_needless_decimals(value: float, want: str) -> None:
    assert wording.digits(value) == want


@pytest.mark.parametrize(
    ("value", "want"),
    [
        pytest.param(0.9812, "98.1 %", id="one decimal"),
        pytest.param(1.0, "100 %", id="all"),
        pytest.param(0.9999, "> 99.9 %", id="nearly all is not all"),
        pytest.param(0.0, "0 %", id="none"),
        pytest.param(0.0001, "< 0.1 %", id="nearly none is not none"),
        pytest.param(None, "–", id="not known"),
    ],
)
def test_shares_are_percent(value: float | None, want: str) -> None:
    assert wording.percent(value).replace(NBSP, " ") == want


@pytest.mark.parametrize(
    ("seconds", "want"),
    [(None, "–"), (0, "0 s"), (0.25, "0.25 s"), (41.4, "41 s"), (60, "1 min"), (370, "6 min 10 s"), (7500, "2 h 5 min"),
     (3600, "1 h"), (3599.7, "1 h")],
)  # fmt: skip
def test_durations_have_two_units(seconds: float | None, want: str) -> None:
    assert wording.duration(seconds).replace(NBSP, " ") == want


@pytest.mark.parametrize(
    ("amount", "currency", "want"),
    [
        (53.784, "USD", "53.78 USD"),
        (0.0, "EUR", "0.00 EUR"),
        (0.000123, "USD", "0.000123 USD"),
        (1234.5, "", "1,234.50"),
    ],
)
def test_money_keeps_small_prices_readable(amount: float, currency: str, want: str) -> None:
    assert wording.money(amount, currency).replace(NBSP, " ") == want


def test_counts_agree_with_their_noun() -> None:
    assert wording.count_of(1, "class", "classes") == f"1{NBSP}class"
    assert wording.count_of(2, "class", "classes") == f"2{NBSP}classes"


def test_the_headline_says_what_was_measured() -> None:
    measured = make_report(accuracy=Accuracy(share(97, 100), {}))
    assert wording.headline(measured).replace(NBSP, " ") == "100 labels from 120 votes, 97.0 % right."
    assert "97.0" in wording.headline(make_report(audit=share(97, 100)))
    assert "was not measured" in wording.headline(make_report())


@pytest.mark.parametrize(
    ("changes", "want"),
    [
        pytest.param({"accuracy": Accuracy(share(97, 100), {})}, "against the truth of 100 items", id="truth"),
        pytest.param({"audit": share(9, 10)}, "on 10 audit gold items", id="audit gold"),
        pytest.param({}, "what the labels claim of themselves", id="neither"),
    ],
)
def test_the_accuracy_is_said_with_its_source(changes: dict[str, object], want: str) -> None:
    assert want in wording.accuracy_sentence(make_report(**changes)).replace(NBSP, " ")


@pytest.mark.parametrize(
    ("stop", "want"),
    [
        (Stop("VoteBudgetSpent"), "Vote budget spent."),
        (Stop("X", "the target is reached!"), "The target is reached!"),
        (Stop(""), "Not known."),
    ],
)
def test_the_stop_is_a_sentence(stop: Stop, want: str) -> None:
    assert wording.stop_sentence(stop) == want


@pytest.mark.parametrize(
    ("cost", "labels", "want"),
    [
        (Cost(100), 0, "100 votes."),
        (Cost(100, 5, "USD", 60), 50, "100 votes (2.00 a label) and 1 min of CPU time; 5.00 USD in all."),
        (Cost(9, 0, "", 60, 90), 0, "9 votes, 1 min of CPU time and 1 min 30 s of GPU time."),
    ],
)
def test_the_cost_is_a_sentence(cost: Cost, labels: int, want: str) -> None:
    assert wording.cost_sentence(cost, labels).replace(NBSP, " ") == want
