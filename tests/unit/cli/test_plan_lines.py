import pytest
from job_builder import JobBuilder, make_job

from labelplane_cli.planning import Counted, plan_lines


def job() -> JobBuilder:
    return make_job().with_sampling(initial_batch_size=40, batch_size=20).with_stop(max_rounds=2)


def test_plan_tells_items_parts_batches_and_their_sum() -> None:
    assert plan_lines(job().with_sampling(strategy="Entropy").build(), Counted(items=1200, gold=100)) == [
        "1,200 items, 100 of them gold; 10 classes",
        "strategy Entropy, aggregation Auto, teacher Auto, student Auto",
        "round  0   asks about 40 items   120 votes   without a model",
        "round  1   asks about 20 items   60 votes",
        "at most 180 votes on 60 items; a stop rule may end the rounds before",
    ]


@pytest.mark.parametrize(
    ("currency", "want"),
    [
        pytest.param("USD", ", $45.00 for votes", id="dollars"),
        pytest.param("CHF", ", 45.00 CHF for votes", id="francs"),
    ],
)
def test_price_of_the_votes_is_told_in_the_jobs_currency(currency: str, want: str) -> None:
    priced = job().with_humans(price_per_vote=0.25).with_budget(currency=currency)

    assert want in plan_lines(priced.build(), Counted(items=1000, gold=0))[-1]


def test_budget_bounds_what_is_planned() -> None:
    lines = plan_lines(job().with_budget(votes=135).build(), Counted(items=1000, gold=0))

    assert lines[-2:] == [
        "round  1   asks about 5 items   15 votes",
        "at most 135 votes on 45 items; a stop rule may end the rounds before",
    ]


def test_budget_that_pays_for_no_item_is_told() -> None:
    lines = plan_lines(job().with_budget(votes=2).build(), Counted(items=1000, gold=0))

    assert lines[-1] == "people are not asked: sources.humans is not set, or the budget pays for no item"
    assert len(lines) == 3


@pytest.mark.parametrize(
    ("rules", "bases", "want"),
    [
        (2, 1, "2 rules and 1 knowledge base vote on every item first, and abstain where they know nothing"),
        (0, 2, "2 knowledge bases vote on every item first, and abstain where they know nothing"),
    ],
)
def test_sources_that_are_no_people_are_told(rules: int, bases: int, want: str) -> None:
    sources = job()
    if rules:
        named = [{"name": f"r{number}", "label": "1", "regex": "a"} for number in range(rules)]
        sources = sources.having("spec.sources.rules", named)
    named_bases = [{"name": f"k{number}", "gazetteer": {"uri": "t.csv"}} for number in range(bases)]
    sources = sources.having("spec.sources.knowledgeBases", named_bases)

    assert plan_lines(sources.build(), Counted(items=1000, gold=0))[2] == want
