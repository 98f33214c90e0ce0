"""8 regex rules over 100,000 texts against Snorkel's PandasLFApplier, and a million terms over the same texts.

Texts are pairs of definitions of the glosses sample. Both contenders make the same matrix of items x rules, checked
cell by cell; ours from Python strings, Snorkel's from a DataFrame with compiled patterns. Each round runs both in turn,
after one warm round that is not counted. The gazetteer is measured in a process of its own, from bytes of CSV to votes:
wall and processor time of reading, building and matching, and the largest resident memory.

    python tests/bench/bench_rules.py [--json OUT] [--rounds 3] [--items 100000] [--terms 1000000]
"""

import argparse
import importlib.util
import json
import multiprocessing
import re
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SAMPLE = Path(__file__).parents[2] / "manifests/samples/glosses/items.jsonl"
CLASSES = ("animal", "artifact", "body", "food", "location", "person", "plant", "substance")
PATTERNS = (
    ("animal", r"\b(mammal|bird|fish|insect|snake|breed)s?\b"),
    ("artifact", r"\b(device|building|garment|instrument|vehicle|tool)\b"),
    ("body", r"\b(muscle|bone|nerve|artery|vein|gland)\b"),
    ("food", r"\b(dish|sauce|bread|cheese|eaten|cooked)\b"),
    ("location", r"\b(city|town|region|capital) (in|of|on)\b"),
    ("person", r"(?i)^(an? )?person who"),
    ("plant", r"(?i)\b(shrubs?|herbs?|trees?|perennial)\b"),
    ("substance", r"\b(acid|compound|metal|mineral)\b"),
)
BLOCK = 4096
FASTER_THAN_SNORKEL = 50.0
SECONDS_ALLOWED, GIGABYTES_ALLOWED = 30.0, 1.5


def make_texts(count: int) -> list[str]:
    rng = np.random.default_rng(0)
    glosses = [json.loads(line)["text"] for line in SAMPLE.read_text(encoding="utf-8").splitlines()]
    pairs = rng.integers(len(glosses), size=(count, 2))
    return [f"{glosses[one]}; {glosses[other]}" for one, other in pairs]


def make_contenders(texts: list[str]) -> dict[str, Callable[[], Any]]:
    """Every contender as a function that returns the matrix of votes, -1 for none."""
    import pandas as pd
    from snorkel.labeling import LabelingFunction, PandasLFApplier

    from labelplane_aggregation.sources import ItemBlock, RegexSpec, RuleSpec, Setting, compile_rules
    from labelplane_core.tasks import Modality

    setting = Setting(CLASSES, Modality.TEXT)
    rules = compile_rules([RuleSpec(label, label, RegexSpec(pattern)) for label, pattern in PATTERNS], setting)
    ids = [str(number) for number in range(len(texts))]

    def ours() -> Any:
        matrix = np.full((len(texts), len(rules)), -1)
        for start in range(0, len(texts), BLOCK):
            block = ItemBlock(ids[start : start + BLOCK], texts=texts[start : start + BLOCK])
            for place, rule in enumerate(rules):
                matrix[start + rule.vote(block).rows, place] = place
        return matrix

    def labeller(place: int, pattern: str) -> Any:
        search = re.compile(pattern).search
        return LabelingFunction(f"r{place}", lambda row: place if search(row.text) else -1)

    applier = PandasLFApplier([labeller(place, pattern) for place, (_, pattern) in enumerate(PATTERNS)])
    frame = pd.DataFrame({"text": texts})
    return {"ours": ours, "Snorkel": lambda: applier.apply(frame, progress_bar=False)}


def time_interleaved(contenders: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every contender in every counted round; fails when they do not vote alike."""
    matrices = {name: run() for name, run in contenders.items()}
    assert np.array_equal(matrices["ours"], matrices["Snorkel"]), "the rules vote otherwise"
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def make_gazetteer(count: int, texts: list[str]) -> bytes:
    """Distinct terms of one to three words of the texts, so that many of them do occur."""
    rng = np.random.default_rng(1)
    words = sorted({word for text in texts[:20_000] for word in re.findall(r"[a-z]{3,}", text)})
    terms = dict.fromkeys(words)
    while len(terms) < count:
        for row in rng.integers(len(words), size=(count // 2, 3)):
            terms[" ".join(words[place] for place in row[: 2 + row[0] % 2])] = None
    lines = [f"{term},{CLASSES[number % len(CLASSES)]}" for number, term in enumerate(list(terms)[:count])]
    return ("term,class\n" + "\n".join(lines) + "\n").encode()


def find_terms(data: bytes, texts: list[str], sender: Any) -> None:
    """Read, build and match, and send seconds, votes and the largest memory in gigabytes."""
    from labelplane_aggregation.sources import (
        Family,
        GazetteerSpec,
        ItemBlock,
        KnowledgeBase,
        KnowledgeBaseSpec,
        Setting,
    )
    from labelplane_core.tables import KNOWLEDGE_BASES
    from labelplane_core.tasks import Modality

    start, cpu = time.perf_counter(), time.process_time()
    spec = KnowledgeBaseSpec("terms", GazetteerSpec("terms.csv"))
    base = KnowledgeBase(spec, {"": data}, Setting(CLASSES, Modality.TEXT))
    base.prepare()
    built = time.perf_counter() - start
    family, votes = Family(KNOWLEDGE_BASES, (base,), CLASSES), 0
    for number, first in enumerate(range(0, len(texts), BLOCK)):
        own = texts[first : first + BLOCK]
        block = ItemBlock([str(first + row) for row in range(len(own))], texts=own)
        votes += family.vote(block, number=number).num_rows
    seconds = time.perf_counter() - start
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    cpu = time.process_time() - cpu
    sender.send({"seconds": seconds, "cpu": cpu, "built": built, "votes": votes, "gigabytes": gigabytes})


def measured_gazetteer(texts: list[str], count: int) -> dict[str, float]:
    data = make_gazetteer(count, texts)
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=find_terms, args=(data, texts, sender))
    process.start()
    found: dict[str, float] = receiver.recv()
    process.join()
    return found


def rule_rows(texts: list[str], rounds: int) -> list[dict[str, Any]]:
    if importlib.util.find_spec("snorkel") is None:
        print("Snorkel is not installed: the rules are not compared")
        return []
    seconds = time_interleaved(make_contenders(texts), rounds)
    ratios = [theirs / ours for theirs, ours in zip(seconds["Snorkel"], seconds["ours"], strict=True)]
    median = statistics.median(ratios)
    return [
        {
            "name": "8 regex rules, against Snorkel's PandasLFApplier",
            "ours": statistics.median(seconds["ours"]),
            "peer": statistics.median(seconds["Snorkel"]),
            "ratio": median,
            "median": median,
            "worst": min(ratios),
            "target": FASTER_THAN_SNORKEL,
            "reached": median >= FASTER_THAN_SNORKEL,
        }
    ]


def gazetteer_rows(texts: list[str], count: int) -> list[dict[str, Any]]:
    found = measured_gazetteer(texts, count)
    return [
        {
            "name": "a million terms, seconds",
            "ours": found["seconds"],
            "built": found["built"],
            "cpu": found["cpu"],
            "votes": found["votes"],
            "median": found["seconds"],
            "worst": found["seconds"],
            "target": SECONDS_ALLOWED,
            "reached": found["seconds"] <= SECONDS_ALLOWED,
        },
        {
            "name": "a million terms, peak memory in GB",
            "ours": found["gigabytes"],
            "median": found["gigabytes"],
            "worst": found["gigabytes"],
            "target": GIGABYTES_ALLOWED,
            "reached": found["gigabytes"] <= GIGABYTES_ALLOWED,
        },
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--terms", type=int, default=1_000_000)
    arguments = parser.parse_args()

    texts = make_texts(arguments.items)
    rows = rule_rows(texts, arguments.rounds) + gazetteer_rows(texts, arguments.terms)
    for row in rows:
        print(row)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
