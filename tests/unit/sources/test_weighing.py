import numpy as np
import pyarrow as pa
import pytest
from source_cases import CLASSES, block, rule

from labelplane_aggregation.sources import Family, KnownClasses, RuleWeights, weigh_rules
from labelplane_core.tables import RULES, VOTES

EVEN = np.full(3, 1 / 3)
NAMES = pa.array(CLASSES)
NOTHING = KnownClasses(pa.array([], pa.string()), np.zeros((0, 3)))


def votes_of(rows: list[tuple[str, str, str, float]]) -> pa.Table:
    """Make votes of (item, annotator, answer, weight)."""
    table = Family(RULES, (rule(""),), CLASSES).vote(block(*("x" for _ in rows)), number=0)
    columns = {name: table.column(name) for name in VOTES.columns.names}
    for place, name in enumerate(("item_id", "annotator", "answer", "weight")):
        columns[name] = pa.array([row[place] for row in rows])
    return pa.table(columns, schema=VOTES.arrow)


def posterior(weights: RuleWeights, shares: np.ndarray = EVEN) -> dict[str, list[float]]:  # type: ignore[type-arg]
    joined = weights.evidence * shares
    rows = joined / joined.sum(axis=1, keepdims=True)
    return dict(zip(weights.item_ids.to_pylist(), rows.round(6).tolist(), strict=True))


def known(rows: dict[str, str]) -> KnownClasses:
    return KnownClasses(pa.array(list(rows)), np.eye(3)[[CLASSES.index(label) for label in rows.values()]])


def test_a_single_vote_gives_exactly_the_precision_of_its_rule_and_the_rest_to_where_it_errs() -> None:
    truth = {f"k{number}": "animal" if number < 30 else "food" for number in range(40)}
    votes = votes_of([(item, "r", "animal", 1.0) for item in (*truth, "new")])
    skewed = np.array([0.2, 0.5, 0.3])

    weights = weigh_rules(votes, classes=NAMES, known=known(truth), class_shares=skewed)

    precision = weights.accuracy[0]
    assert precision == pytest.approx(0.75, abs=0.05)
    right, food, plant = posterior(weights, skewed)["new"]
    assert right == pytest.approx(precision, abs=1e-5)
    assert food > 3 * plant  # each of its ten errors was food


def test_a_rule_is_judged_by_what_is_known() -> None:
    truth = {f"k{number}": "animal" for number in range(30)}
    rows = [(item, "good", "animal", 1.0) for item in truth] + [(item, "bad", "food", 1.0) for item in truth]
    votes = votes_of([*rows, ("new", "good", "animal", 1.0), ("new", "bad", "food", 1.0)])

    weights = weigh_rules(votes, classes=NAMES, known=known(truth), class_shares=EVEN)

    accuracy = dict(zip(weights.annotators.to_pylist(), weights.accuracy, strict=True))
    assert accuracy["good"] > 0.8
    assert accuracy["bad"] < 0.3
    assert posterior(weights)["new"][0] > 0.8
    assert dict(zip(weights.annotators.to_pylist(), weights.n_votes.tolist(), strict=True)) == {"good": 31, "bad": 31}


def test_without_anything_known_a_rule_that_contradicts_the_others_loses() -> None:
    rows = [(f"i{number}", name, "animal", 1.0) for number in range(40) for name in ("a", "b", "c")]
    votes = votes_of([*rows, *((f"i{number}", "odd", "food", 1.0) for number in range(40))])

    weights = weigh_rules(votes, classes=NAMES, known=NOTHING, class_shares=EVEN)

    accuracy = dict(zip(weights.annotators.to_pylist(), weights.accuracy, strict=True))
    assert accuracy["odd"] < 0.4
    assert min(accuracy[name] for name in "abc") > 0.6
    assert all(row[0] > 0.9 for row in posterior(weights).values())


def test_a_split_vote_says_what_its_weights_say() -> None:
    truth = {f"k{number}": "animal" for number in range(20)}
    votes = votes_of(
        [*((item, "kb", "animal", 1.0) for item in truth), ("new", "kb", "animal", 0.75), ("new", "kb", "plant", 0.25)]
    )

    row = posterior(weigh_rules(votes, classes=NAMES, known=known(truth), class_shares=EVEN))["new"]

    assert row[0] > row[2] > row[1]


def test_no_rule_is_believed_beyond_doubt() -> None:
    truth = {f"k{number}": "animal" for number in range(5000)}
    votes = votes_of([(item, name, "animal", 1.0) for item in truth for name in ("a", "b")])

    weights = weigh_rules(votes, classes=NAMES, known=known(truth), class_shares=EVEN)

    assert weights.accuracy.tolist() == [0.99, 0.99]


def test_the_result_does_not_depend_on_the_order_of_the_votes() -> None:
    rng = np.random.default_rng(1)
    rows = [(f"i{number % 20}", f"r{number % 7}", CLASSES[number % 3], 1.0) for number in range(60)]
    one = weigh_rules(votes_of(rows), classes=NAMES, known=NOTHING, class_shares=EVEN)
    other = weigh_rules(
        votes_of([rows[place] for place in rng.permutation(60)]), classes=NAMES, known=NOTHING, class_shares=EVEN
    )

    assert {item: pytest.approx(row, abs=1e-5) for item, row in posterior(one).items()} == posterior(other)
