"""Every measure is compared with a few lines of plain Python over the same rows."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from report_tables import make_index, make_labels, make_posteriors, make_scores

from labelplane_core.errors import BadTable
from labelplane_report.columns import References, references, rows_of
from labelplane_report.data import ConfusionBasis, LabelState
from labelplane_report.measures import (
    RoundTables,
    audit_accuracy,
    confusion,
    final_point,
    label_summary,
    round_point,
    truth_accuracy,
)

CLASSES = ("cat", "dog")
Row = tuple[str, str, float, str]


@st.composite
def labelled_jobs(draw: st.DrawFn) -> tuple[list[Row], dict[str, str], dict[str, tuple[str, str]]]:
    """Draw labels of up to 30 items, the truth of some of them, and the gold of some of them."""
    ids = [f"i{number}" for number in range(draw(st.integers(1, 30)))]
    answer, state = st.sampled_from(CLASSES), st.sampled_from([str(state) for state in LabelState])
    rows = [(name, draw(answer), draw(st.floats(0, 1)), draw(state)) for name in ids]
    truth = {name: draw(answer) for name in ids if draw(st.booleans())}
    roles = st.sampled_from(["", "", "", "gate", "audit"])
    gold = {name: (role, draw(answer)) for name in ids if (role := draw(roles))}
    return rows, truth, gold


def known_of(rows: list[Row], truth: Mapping[str, str], gold: Mapping[str, tuple[str, str]]) -> References:
    return references(make_index([row[0] for row in rows], gold=gold), CLASSES, truth=truth)


@given(labelled_jobs())
def test_accuracy_counts_the_items_outside_gold_whose_truth_is_known(job: tuple) -> None:
    rows, truth, gold = job
    found = truth_accuracy(make_labels(rows), known_of(*job), classes=CLASSES)
    judged = [(state, label == truth[name]) for name, label, _, state in rows if name in truth and name not in gold]
    if not judged:
        assert found is None
        return
    assert found is not None
    assert (found.overall.right, found.overall.total) == (sum(right for _, right in judged), len(judged))
    by_state = {state: [right for which, right in judged if which == state] for state, _ in judged}
    assert {str(state): (part.right, part.total) for state, part in found.by_state.items()} == {
        state: (sum(rights), len(rights)) for state, rights in by_state.items()
    }


@given(labelled_jobs())
def test_audit_accuracy_counts_audit_gold_alone(job: tuple) -> None:
    rows, _, gold = job
    found = audit_accuracy(make_labels(rows), known_of(*job), classes=CLASSES)
    judged = [label == gold[name][1] for name, label, _, _ in rows if gold.get(name, ("",))[0] == "audit"]
    assert (None if found is None else (found.right, found.total)) == ((sum(judged), len(judged)) if judged else None)


@given(labelled_jobs())
def test_the_summary_counts_states_classes_and_confidences(job: tuple) -> None:
    rows, truth, gold = job
    found = label_summary(make_labels(rows), known_of(*job), classes=CLASSES)
    assert found.total == len(rows)
    assert {str(state): count for state, count in found.by_state.items() if count} == Counter(row[3] for row in rows)
    assert {part.name: part.labels for part in found.by_class if part.labels} == Counter(row[1] for row in rows)
    for part in found.bins:
        inside = [row for row in rows if part.low <= row[2] < part.high or (part.high == row[2] == 1)]
        assert {str(state): count for state, count in part.counts.items() if count} == Counter(row[3] for row in inside)
    assert found.mean_confidence == pytest.approx(np.mean([row[2] for row in rows]))
    outside = {name: answer for name, answer in truth.items() if name not in gold}
    answers = Counter(outside.values()) + Counter(answer for _, answer in gold.values())
    want = [answers.get(name, 0) for name in CLASSES] if outside else [None, None]
    assert [part.truth for part in found.by_class] == want


@given(labelled_jobs())
def test_the_confusion_counts_truth_then_audit_gold_by_label(job: tuple) -> None:
    rows, truth, gold = job
    found = confusion(make_labels(rows), known_of(*job), classes=CLASSES)
    assert found is not None
    outside = {name: answer for name, answer in truth.items() if name not in gold}
    audit = {name: answer for name, (role, answer) in gold.items() if role == "audit"}
    reference = outside or audit
    if not reference:
        assert found.basis is ConfusionBasis.EXPECTED
        return
    assert found.basis is (ConfusionBasis.TRUTH if outside else ConfusionBasis.AUDIT_GOLD)
    counts = Counter((reference[name], label) for name, label, _, _ in rows if name in reference)
    assert found.counts == tuple(tuple(float(counts[true, label]) for label in CLASSES) for true in CLASSES)


def test_without_any_reference_the_confusion_is_what_the_posteriors_expect() -> None:
    rows = [("a", "cat", 0.9, "human"), ("b", "cat", 0.6, "human"), ("c", "dog", 0.7, "human")]
    labels = make_labels(rows, probabilities=[[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]])
    found = confusion(labels, known_of(rows, {}, {}), classes=CLASSES)
    assert found is not None
    np.testing.assert_allclose(found.counts, [[1.5, 0.3], [0.5, 0.7]])


def test_an_empty_table_has_no_confusion_and_no_mean() -> None:
    labels, known = make_labels([]), known_of([], {}, {})
    assert confusion(labels, known, classes=CLASSES) is None
    assert label_summary(labels, known, classes=CLASSES).mean_confidence is None


class TestRoundPoint:
    index = make_index(["a", "b", "c", "d", "g"], gold={"g": ("gate", "dog")})
    known = references(index, CLASSES, truth={"a": "cat", "b": "dog", "c": "cat", "d": "cat", "g": "cat"})

    def test_an_item_with_votes_takes_its_posterior_and_the_others_the_prediction(self) -> None:
        # The model says dog of a, too, but a has a vote for cat.
        tables = RoundTables(
            3,
            40,
            make_posteriors([("a", "cat", 0.8)]),
            make_scores(["a", "b", "c"], [[0, 2], [0, 2], [0, 2]]),
            "Margin",
        )
        point = round_point(tables, self.known, classes=CLASSES)
        assert (point.number, point.votes, point.strategy, point.labelled) == (3, 40, "Margin", 3)
        assert point.truth is not None
        assert (point.truth.right, point.truth.total) == (2, 4)  # a and b; c is wrong; d has no label
        predicted = float(np.exp(2) / (1 + np.exp(2)))
        assert point.mean_confidence == pytest.approx((0.8 + 2 * predicted) / 3)

    def test_the_gate_measures_the_model_alone(self) -> None:
        tables = RoundTables(0, 9, make_posteriors([("g", "cat", 1.0)]), make_scores(["g"], [[0, 1]]))
        gate = round_point(tables, self.known, classes=CLASSES).gate
        assert gate is not None
        assert (gate.right, gate.total) == (1, 1)

    @pytest.mark.parametrize("scores", [None, make_scores([], [])], ids=["no table", "an empty table"])
    def test_without_scores_there_is_no_gate(self, scores: pa.Table | None) -> None:
        point = round_point(RoundTables(0, 0, make_posteriors([]), scores), self.known, classes=CLASSES)
        assert (point.gate, point.labelled, point.mean_confidence) == (None, 0, None)
        assert point.truth is not None
        assert point.truth.right == 0

    def test_without_truth_there_is_no_accuracy(self) -> None:
        known = references(self.index, CLASSES)
        assert round_point(RoundTables(0, 0, make_posteriors([])), known, classes=CLASSES).truth is None

    def test_probabilities_serve_in_place_of_logits(self) -> None:
        scores = pa.table({"item_id": ["b"], "probabilities": [[0.25, 0.75]]})
        point = round_point(RoundTables(0, 0, make_posteriors([]), scores), self.known, classes=CLASSES)
        assert point.mean_confidence == 0.75

    def test_the_last_point_is_that_of_the_labels(self) -> None:
        labels = make_labels([("a", "cat", 0.5, "human"), ("b", "cat", 0.7, "predicted")])
        point = final_point(labels, self.known, classes=CLASSES, number=4, votes=50)
        assert (point.number, point.votes, point.labelled, point.mean_confidence) == (4, 50, 2, pytest.approx(0.6))
        assert point.truth is not None
        assert (point.truth.right, point.truth.total) == (1, 4)


@pytest.mark.parametrize(
    ("labels", "want_words"),
    [
        pytest.param([("a", "cow", 0.5, "human")], ["'a'", "'cow'", "no class"], id="unknown class"),
        pytest.param([("a", "cat", 0.5, "guessed")], ["'a'", "'guessed'", "human"], id="unknown state"),
        pytest.param([("a", "cat", 1.5, "human")], ["'a'", "1.5"], id="confidence over one"),
        pytest.param([("a", "cat", float("nan"), "human")], ["'a'", "nan"], id="confidence that is no number"),
    ],
)
def test_labels_that_cannot_be_counted_name_the_item(labels: list[Row], want_words: list[str]) -> None:
    with pytest.raises(BadTable) as caught:
        label_summary(make_labels(labels), known_of(labels, {}, {}), classes=CLASSES)
    assert all(word in str(caught.value) for word in want_words)


def test_logits_that_are_no_numbers_name_round_and_item() -> None:
    tables = RoundTables(2, 0, make_posteriors([]), make_scores(["a", "b"], [[0, 1], [float("nan"), 1]]))
    with pytest.raises(BadTable, match="round 2: item 'b'"):
        round_point(tables, known_of([("a", "cat", 1.0, "human")], {}, {}), classes=CLASSES)


def test_scores_of_another_number_of_classes_are_refused() -> None:
    tables = RoundTables(2, 0, make_posteriors([]), make_scores(["a"], [[0, 1, 2]]))
    with pytest.raises(BadTable, match="3 values for 2 classes"):
        round_point(tables, known_of([("a", "cat", 1.0, "human")], {}, {}), classes=CLASSES)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(BadTable, match="no column 'label'"):
        truth_accuracy(pa.table({"item_id": ["a"]}), known_of([], {}, {}), classes=CLASSES)


def test_truth_outside_the_index_is_left_out_and_truth_of_no_class_names_its_item() -> None:
    index = make_index(["a"])
    assert len(references(index, CLASSES, truth={"a": "cat", "elsewhere": "cow"}).truth) == 1
    with pytest.raises(BadTable, match="truth: item 'a' has 'cow'"):
        references(index, CLASSES, truth={"a": "cow"})


def test_rows_are_found_over_chunks_and_missing_ids_are_minus_one() -> None:
    ids = pa.chunked_array([["a"], ["b", "c"]]).combine_chunks()
    assert rows_of(pa.array(["c", "x", "a"]), ids).tolist() == [2, -1, 0]
