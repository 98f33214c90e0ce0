"""Sequential voting against five votes on every item: the accuracy it reaches with at most 60 % of the votes.

Both are aggregated by the same model with the same settings, and draw on the same answers: an annotator asked about an
item answers alike in both, and the order in which annotators are asked about an item is the same random one.
Sequential voting starts with two votes on every item; then, in rounds, it fits the model and asks for one more vote on
the items where it is worth most, at most a twentieth of the items a round, up to nine on an item. It stops when no vote
is worth its price or at 60 % of the votes, whichever comes first, and its accuracy is that of its last fit: no stopping
point is chosen by the truth. The price is one for all crowds. The figure is the mean over the seeds; the worst seed and
the standard error of the mean stand beside it, and the accuracy of three votes on every item, which is as many.

The model is `OneCoin`, whose assumption these crowds meet but for their hard items (errors fall evenly), and, beside
it, `DawidSkene`, which learns a whole confusion of every annotator and is too sure of itself on so few votes. Whom a
further vote comes from is either chance, as in a job, or chosen: then the policy has two pools at one price, the
annotators that the last fit takes for the more reliable half and the others, and the two first votes are by chance all
the same. Fixed overlap asks anyone in both.

    python tests/bench/bench_sequential.py [--json OUT] [--items 2000] [--seeds 6]
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from labelplane_aggregation import DawidSkene, Fit, OneCoin, VoteMatrix
from labelplane_aggregation.sequential import Pool, StoppingRule, next_votes, pooled_confusion

FIXED, SHARE, PRICE, STEPS = 5, 0.6, 0.002, 20
RULE = StoppingRule(least=2, most=9)
MODELS = {"OneCoin": OneCoin, "DawidSkene": DawidSkene}

Codes = NDArray[np.int64]
Table = NDArray[np.bool_]


@dataclass(frozen=True)
class Crowd:
    """Annotators right with an accuracy drawn from a range, errors even; spammers guess; some items are hard for all.

    On a hard item an annotator's chance of being right above guessing is multiplied by `hardness`.
    """

    name: str
    n_classes: int = 4
    n_annotators: int = 60
    accuracy: tuple[float, float] = (0.65, 0.9)
    spammers: float = 0.0
    hard: float = 0.0
    hardness: float = 0.3
    shares: tuple[float, ...] = ()

    def draw(self, n_items: int, seed: int) -> tuple[Codes, Codes, Codes]:
        """Return the truth, (items,), and each annotator's turn and answer, (items, annotators)."""
        rng = np.random.default_rng(seed)
        truth = rng.choice(self.n_classes, n_items, p=self.shares or None)
        accuracy = rng.uniform(*self.accuracy, self.n_annotators)
        accuracy[: round(self.spammers * self.n_annotators)] = 1 / self.n_classes
        turn = rng.random((n_items, self.n_annotators)).argsort(axis=1)
        easiness = np.where(rng.random(n_items) < self.hard, self.hardness, 1.0)
        guess = 1 / self.n_classes
        right = guess + (accuracy - guess) * easiness[:, None]
        wrong = (truth[:, None] + rng.integers(1, self.n_classes, turn.shape)) % self.n_classes
        return truth, turn, np.where(rng.random(turn.shape) < right, truth[:, None], wrong)


CROWDS = (
    Crowd("four classes, right with 0.65 to 0.9"),
    Crowd("two classes, right with 0.65 to 0.9", n_classes=2),
    Crowd("ten classes, right with 0.5 to 0.9", n_classes=10, accuracy=(0.5, 0.9)),
    Crowd("four classes, a fifth are spammers", spammers=0.2),
    Crowd("four classes, a third of the items are hard", hard=1 / 3),
    Crowd("four skewed classes, spammers and hard items", spammers=0.2, hard=0.2, shares=(0.6, 0.2, 0.15, 0.05)),
)


def fit(model: str, crowd: Crowd, answers: Codes, given: Table) -> Fit:
    """Aggregate the answers that were given, (items, annotators)."""
    items, annotators = np.nonzero(given)
    votes = VoteMatrix(
        items=items.astype(np.int32),
        annotators=annotators.astype(np.int32),
        answers=answers[given].astype(np.int32),
        weights=np.ones(len(items)),
        offsets=np.concatenate([[0], given.sum(axis=1).cumsum()]),
        item_ids=pa.array(np.arange(len(given))).cast(pa.string()),
        annotator_ids=pa.array(np.arange(crowd.n_annotators)).cast(pa.string()),
        classes=pa.array(np.arange(crowd.n_classes)).cast(pa.string()),
    )
    fitted: Fit = MODELS[model]().fit(votes)
    return fitted


def pools_of(fitted: Fit, *, chosen: bool) -> tuple[list[Pool], list[Table]]:
    """Return the pools and who is in each, (annotators,)."""
    known = fitted.reliability_
    middle = np.median(known.accuracy) if chosen else -np.inf
    members = [known.accuracy >= middle] + ([known.accuracy < middle] if chosen else [])
    confusions = [pooled_confusion(known.confusion[each], known.n_votes[each]) for each in members]
    return [Pool(name="crowd", confusion=each, price=PRICE) for each in confusions], members


def ask_in_turn(model: str, crowd: Crowd, turn: Codes, answers: Codes, *, chosen: bool) -> tuple[Fit, Table]:
    """Return the last fit of sequential voting and which answers were given."""
    given = turn < RULE.least
    bound = int(SHARE * FIXED * len(turn))
    fitted = fit(model, crowd, answers, given)
    while (left := bound - int(given.sum())) > 0:
        pools, members = pools_of(fitted, chosen=chosen)
        wanted = next_votes(fitted.posterior_, given.sum(axis=1), pools, RULE)
        rows = wanted.best(min(len(turn) // STEPS, left))
        if not len(rows):
            break
        is_free = np.stack(members)[wanted.pools[rows]] & ~given[rows]
        given[rows, np.where(is_free, turn[rows], crowd.n_annotators).argmin(axis=1)] = True
        fitted = fit(model, crowd, answers, given)
    return fitted, given


def crowd_row(model: str, crowd: Crowd, n_items: int, seeds: int, *, chosen: bool) -> dict[str, Any]:
    """Compare both on one crowd."""
    found: dict[str, list[float]] = {"ours": [], "peer": [], "peer_of_as_many": [], "share": [], "most": []}
    began = time.perf_counter()
    for seed in range(seeds):
        truth, turn, answers = crowd.draw(n_items, seed)
        last, given = ask_in_turn(model, crowd, turn, answers, chosen=chosen)
        fixed = fit(model, crowd, answers, turn < FIXED)
        as_many = fit(model, crowd, answers, turn < round(SHARE * FIXED))
        for name, each in (("ours", last), ("peer", fixed), ("peer_of_as_many", as_many)):
            found[name].append(float((each.answers_ == truth).mean()))
        found["share"].append(float(given.sum()) / (FIXED * n_items))
        found["most"].append(float((given.sum(axis=1) == RULE.most).mean()))
    gains = [ours - theirs for ours, theirs in zip(found["ours"], found["peer"], strict=True)]
    mean = statistics.mean(gains)
    return {
        "name": f"sequential above {FIXED} votes, {model}, {'chosen' if chosen else 'any'} annotators: {crowd.name}",
        **{name: statistics.mean(values) for name, values in found.items()},
        "mean": mean,
        "standard_error": statistics.stdev(gains) / math.sqrt(seeds) if seeds > 1 else 0.0,
        "median": statistics.median(gains),
        "worst": min(gains),
        "target": 0.0,
        "reached": mean >= 0 and max(found["share"]) <= SHARE,
        "seconds": time.perf_counter() - began,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=6)
    arguments = parser.parse_args()

    rows = []
    for model, chosen in (("OneCoin", False), ("OneCoin", True), ("DawidSkene", False)):
        for crowd in CROWDS:
            rows.append(crowd_row(model, crowd, arguments.items, arguments.seeds, chosen=chosen))
            print(rows[-1], flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
