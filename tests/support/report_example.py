"""A report's data from real computations: scikit-learn's digits, a simulated crowd, truth inference and a linear model.

Run as a program, it writes the page: `python tests/support/report_example.py digits.html`.
"""

import io
import sys
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image

from labelplane_core.tables import INDEX, LABELS, POSTERIORS, RELIABILITIES, VOTES, from_matrix
from labelplane_core.tasks import task_kind
from labelplane_report import (
    Cost,
    Curve,
    JobFacts,
    Provenance,
    ReportData,
    ReportTables,
    RoundTables,
    StageRow,
    Stop,
    build_report,
    hardest_item_ids,
    item_preview,
    render_html,
)

CLASSES = tuple("0123456789")
VOTES_PER_ITEM = 3
GOLD_GATE, GOLD_AUDIT = 150, 150
ROUNDS, BATCH = 8, 56
CREATED = datetime(2026, 3, 14, 9, 26, tzinfo=UTC)
JOB_YAML = """apiVersion: labelplane.io/v1alpha1
kind: LabelingJob
metadata:
  name: digits
spec:
  task:
    type: ImageClassification
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
  dataset:
    uri: manifests/samples/digits
    goldField: gold
  sampling:
    strategy: Margin
  stop:
    budget: {votes: 1347}
"""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """Annotators with known confusion matrices, (annotators, classes, classes); the last ones answer at random."""

    confusions: Floats

    @classmethod
    def of(cls, rng: np.random.Generator, *, careful: int = 12, random: int = 3) -> "Crowd":
        accuracies = np.clip(rng.normal(0.85, 0.04, careful), 0.7, 0.97)
        matrices = [np.full((10, 10), (1 - right) / 9) + np.eye(10) * (right - (1 - right) / 9) for right in accuracies]
        return cls(np.stack([*matrices, *[np.full((10, 10), 0.1)] * random]))

    def vote(self, truth: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
        """Return (items, 3) annotators and their answers."""
        annotators = np.stack([rng.choice(len(self.confusions), VOTES_PER_ITEM, replace=False) for _ in truth])
        chances = self.confusions[annotators, truth[:, None]].cumsum(axis=2)
        return annotators, (rng.random((*annotators.shape, 1)) > chances).sum(axis=2).clip(max=9)


def infer(annotators: Ints, answers: Ints, n_annotators: int) -> tuple[Floats, Floats]:
    """Return posteriors (items, classes) and confusions by Dawid and Skene's EM, rows drawn to the pooled confusion."""
    posteriors = np.eye(10)[answers].mean(axis=1)
    confusions = np.zeros((n_annotators, 10, 10))
    for _ in range(30):
        counts = np.zeros((n_annotators, 10, 10))
        for slot in range(VOTES_PER_ITEM):
            np.add.at(counts.transpose(0, 2, 1), (annotators[:, slot], answers[:, slot]), posteriors)
        pooled = (counts.sum(axis=0) + 0.01) / (counts.sum(axis=0) + 0.01).sum(axis=1, keepdims=True)
        confusions = (counts + 2 * pooled) / (counts.sum(axis=2, keepdims=True) + 2)
        prior = (posteriors.sum(axis=0) + 1) / (len(posteriors) + 10)
        logs = np.log(prior) + sum(
            np.log(confusions[annotators[:, slot], :, answers[:, slot]]) for slot in range(VOTES_PER_ITEM)
        )
        posteriors = np.exp(logs - logs.max(axis=1, keepdims=True))
        posteriors /= posteriors.sum(axis=1, keepdims=True)
    return posteriors, confusions


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """Where one round of the simulation stands: the items asked so far, their votes, what follows from them."""

    asked: Ints
    annotators: Ints
    answers: Ints
    posteriors: Floats
    confusions: Floats
    predictions: Floats


class Simulation:
    """Active learning on the digits; `pick` draws the next batch."""

    def __init__(self, seed: int) -> None:
        from sklearn.datasets import load_digits

        digits = load_digits()
        self.pixels: Floats = digits.data / 16
        self.truth: Ints = digits.target.astype(np.int64)
        rng = np.random.default_rng(seed)
        gold = rng.permutation(len(self.truth))[: GOLD_GATE + GOLD_AUDIT]
        self.gate, self.audit = gold[:GOLD_GATE], gold[GOLD_GATE:]
        self.pool = np.setdiff1d(np.arange(len(self.truth)), gold)
        self.crowd = Crowd.of(rng)

    def run(self, seed: int, *, is_random: bool) -> list[Round]:
        """Return every round."""
        rng = np.random.default_rng([seed, int(is_random)])
        asked, rounds = rng.choice(self.pool, BATCH, replace=False), list[Round]()
        annotators, answers = self.crowd.vote(self.truth[asked], rng)
        for _ in range(ROUNDS):
            posteriors, confusions = infer(annotators, answers, len(self.crowd.confusions))
            predictions = self._predict(asked, posteriors)
            rounds.append(Round(asked, annotators, answers, posteriors, confusions, predictions))
            batch = self._pick(asked, predictions, rng, is_random=is_random)
            more_annotators, more_answers = self.crowd.vote(self.truth[batch], rng)
            asked = np.concatenate([asked, batch])
            annotators = np.concatenate([annotators, more_annotators])
            answers = np.concatenate([answers, more_answers])
        return rounds

    def _predict(self, asked: Ints, posteriors: Floats) -> Floats:
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import cross_val_predict

        model = LogisticRegression(C=5.0, max_iter=400)
        features = np.hstack([self.pixels, np.sqrt(self.pixels)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answers = posteriors.argmax(axis=1)
            model.fit(features[asked], answers, sample_weight=posteriors.max(axis=1))
            # The items that the model learned from are predicted out of fold, as the jobs do it.
            held_out = cross_val_predict(model, features[asked], answers, cv=5, method="predict_proba")
        probabilities = np.full((len(self.truth), 10), 1e-6)
        probabilities[:, model.classes_] = model.predict_proba(features)
        probabilities[asked[:, None], model.classes_] = held_out
        return probabilities / probabilities.sum(axis=1, keepdims=True)

    def _pick(self, asked: Ints, predictions: Floats, rng: np.random.Generator, *, is_random: bool) -> Ints:
        left = np.setdiff1d(self.pool, asked)
        if is_random:
            return rng.choice(left, BATCH, replace=False)
        top = np.sort(predictions[left], axis=1)
        return left[np.argsort(top[:, -1] - top[:, -2], kind="stable")[:BATCH]]


def names_of(rows: Ints) -> list[str]:
    return [f"digit-{row:04d}" for row in rows]


def png_of(pixels: Floats) -> bytes:
    sink = io.BytesIO()
    Image.fromarray(np.rint(255 - pixels.reshape(8, 8) * 255).astype(np.uint8)).save(sink, "PNG")
    return sink.getvalue()


def index_of(simulation: Simulation) -> pa.Table:
    count = len(simulation.truth)
    role = np.full(count, "", dtype=object)
    role[simulation.gate], role[simulation.audit] = "gate", "audit"
    gold = [str(truth) if part else None for truth, part in zip(simulation.truth, role, strict=True)]
    names = names_of(np.arange(count))
    columns = {
        "block": np.zeros(count, np.int32),
        "item_id": names,
        "uri": [f"images/{name}.png" for name in names],
        "text": [None] * count,
        "digest": names,
        "gold": gold,
        "gold_role": list(role),
        "meta": ["{}"] * count,
    }
    return pa.table([pa.array(columns[field.name], field.type) for field in INDEX.columns], schema=INDEX.arrow)


def posteriors_of(state: Round) -> pa.Table:
    best = state.posteriors.argmax(axis=1)
    columns = [
        pa.array(names_of(state.asked)),
        pa.array([CLASSES[code] for code in best]),
        pa.array(state.posteriors.max(axis=1)),
        from_matrix(state.posteriors),
        pa.array(np.full(len(best), VOTES_PER_ITEM, np.int32)),
        pa.array((state.answers == best[:, None]).mean(axis=1)),
    ]
    return pa.table(columns, schema=POSTERIORS.arrow)


def scores_of(simulation: Simulation, state: Round) -> pa.Table:
    rows = np.setdiff1d(np.arange(len(simulation.truth)), state.asked)
    return pa.table({"item_id": names_of(rows), "probabilities": from_matrix(state.predictions[rows])})


def votes_of(state: Round) -> pa.Table:
    count = state.answers.size
    items, slots = np.divmod(np.arange(count), VOTES_PER_ITEM)
    columns = {
        "vote_id": [f"v{place}" for place in range(count)],
        "item_id": names_of(state.asked[items]),
        "source": ["crowd"] * count,
        "annotator": [f"a{state.annotators[i, s] + 1:02d}" for i, s in zip(items, slots, strict=True)],
        "answer": [CLASSES[state.answers[i, s]] for i, s in zip(items, slots, strict=True)],
        "weight": np.ones(count),
        "time": [CREATED] * count,
        "lead_time_seconds": [None] * count,
        "suggestion_shown": [False] * count,
        "supersedes": [None] * count,
        "retracted": [False] * count,
    }
    return pa.table([pa.array(columns[field.name], field.type) for field in VOTES.columns], schema=VOTES.arrow)


def reliabilities_of(state: Round) -> pa.Table:
    votes = np.bincount(state.annotators.ravel(), minlength=len(state.confusions))
    prior = state.posteriors.mean(axis=0)
    accuracy = np.einsum("j,ajj->a", prior, state.confusions)
    columns = [
        pa.array([f"a{number + 1:02d}" for number in range(len(votes))]),
        pa.array(["crowd"] * len(votes)),
        pa.array(accuracy),
        pa.array(votes.astype(np.int64)),
        from_matrix(state.confusions.reshape(len(votes), -1)),
    ]
    return pa.table(columns, schema=RELIABILITIES.arrow)


def labels_of(simulation: Simulation, state: Round) -> pa.Table:
    probabilities = state.predictions.copy()
    # Two experts, independent given the class: what the votes say, and what the model says out of fold.
    probabilities[state.asked] = state.posteriors * state.predictions[state.asked]
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    threshold = np.quantile(state.predictions[simulation.gate].max(axis=1), 0.35)
    states = np.where(state.predictions.max(axis=1) >= threshold, "accepted", "predicted").astype(object)
    states[state.asked] = "human"
    n_votes = np.zeros(len(states), np.int32)
    n_votes[state.asked] = VOTES_PER_ITEM
    columns = [
        pa.array(names_of(np.arange(len(states)))),
        pa.array([CLASSES[code] for code in probabilities.argmax(axis=1)]),
        pa.array(probabilities.max(axis=1)),
        pa.array(list(states)),
        pa.array(n_votes),
        from_matrix(probabilities),
    ]
    return pa.table(columns, schema=LABELS.arrow)


def accuracy_of(simulation: Simulation, state: Round) -> float:
    answers = state.predictions.argmax(axis=1)
    answers[state.asked] = state.posteriors.argmax(axis=1)
    return float((answers == simulation.truth)[simulation.pool].mean())


def example_report(seed: int = 7) -> ReportData:
    """Return the report of one simulated job; about four seconds."""
    simulation = Simulation(seed)
    rounds, baseline = (simulation.run(seed, is_random=is_random) for is_random in (False, True))
    last, index = rounds[-1], index_of(simulation)
    labels, kind = labels_of(simulation, last), task_kind("ImageClassification")
    gold = pa.array(names_of(np.concatenate([simulation.gate, simulation.audit])))
    hardest = hardest_item_ids(labels, leave_out=gold)
    votes = last.answers.size
    return build_report(
        JobFacts("digits", kind.type_name, CLASSES, CREATED, target=0.97, panels=kind.report_panels),
        ReportTables(index, votes_of(last), labels, reliabilities_of(last)),
        rounds=[
            RoundTables(number, state.answers.size, posteriors_of(state), scores_of(simulation, state), "Margin")
            for number, state in enumerate(rounds)
        ],
        stop=Stop("VoteBudgetSpent", f"the budget of 1,347 votes is spent ({votes:,} were given)"),
        cost=Cost(votes, 0.04 * votes + 0.02, "USD", 41.7, 0.0, {"vote": 0.04, "CPU hour": 0.05}),
        truth=dict(zip(names_of(np.arange(len(simulation.truth))), simulation.truth.astype(str).tolist(), strict=True)),
        previews={name: item_preview(kind, png_of(simulation.pixels[int(name[-4:])])) for name in hardest},
        baseline=Curve(
            "Random selection",
            tuple(state.answers.size for state in baseline),
            tuple(accuracy_of(simulation, state) for state in baseline),
        ),
        provenance=Provenance(
            job_yaml=JOB_YAML,
            data_hash="sha256 of the index, as Prepare writes it",
            seeds={"job": seed},
            versions={"numpy": np.__version__, "pyarrow": pa.__version__},
            stages=tuple(
                StageRow(number, stage, f"digits/{number}/{stage.lower()}/1")
                for number in range(len(rounds))
                for stage in ("Vote", "Aggregate", "Train", "Score", "Select", "Review")
            ),
        ),
    )


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(render_html(example_report()), encoding="utf-8")
