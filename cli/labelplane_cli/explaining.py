"""Why an item has its label: its votes, who gave them, the model's word, and when people were asked about it."""

import difflib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_aggregation.predicting import softmax
from labelplane_api.status import Stage
from labelplane_cli.errors import NoSuchItem
from labelplane_cli.results import RunResults
from labelplane_core.errors import ObjectNotFound
from labelplane_core.tables import (
    DECISIONS,
    INDEX,
    ITEM_ERRORS,
    KNOWLEDGE_BASES,
    LABELS,
    PEOPLE,
    POSTERIORS,
    PREDICTIONS,
    RELIABILITIES,
    RULE_DIAGNOSTICS,
    RULES,
    SCORES,
    SELECTION,
    VOTES,
    current_votes,
    read_table,
)
from labelplane_operator.history import rounds_with

__all__ = ["explain_item"]

Row = dict[str, Any]

_SHOWN_CLASSES: Final = 3
_CLOSE_NAMES: Final = 3
_KINDS: Final = {RULES: "rule", KNOWLEDGE_BASES: "knowledge base", DECISIONS: "decision of"}


async def explain_item(results: RunResults, item: str) -> list[str]:
    """Return the lines that explain an item of a run.

    Raises:
        NoSuchItem: the job has none of that id, or it could not be read.
    """
    index = await results.newest(Stage.PREPARE, "index", INDEX)
    row = _row(index, item)
    if row is None:
        raise NoSuchItem(await _missing(results, index, item))
    lines = [f"item {item}" + (f"   {row['uri']}" if row["uri"] else "")]
    if row["gold_role"]:
        lines.append(f"gold ({row['gold_role']}): {row['gold']}")
    lines.append(await _label(results, item))
    lines.extend(await _votes(results, item))
    lines.extend(await _model(results, item))
    lines.extend(await _asked(results, item))
    return lines


async def _label(results: RunResults, item: str) -> str:
    classes = results.job.spec.task.classes
    final = _row(await results.newest(Stage.FINALIZE, "labels", LABELS), item)
    if final is not None:
        head = f"label {final['label']} ({final['state']}, {final['confidence']:.3f})"
        return f"{head}   P: {_most_likely(final['probabilities'], classes)}"
    posterior = _row(await results.newest(Stage.AGGREGATE, "posteriors", POSTERIORS), item)
    if posterior is None:
        return "no label yet: nobody has voted on it and the job is not finished"
    head = f"label so far {posterior['answer']} ({posterior['confidence']:.3f})"
    return f"{head}   P: {_most_likely(posterior['probabilities'], classes)}"


async def _votes(results: RunResults, item: str) -> list[str]:
    votes = current_votes(await results.newest(Stage.VOTE, "votes", VOTES))
    given = votes.filter(pc.equal(votes.column("item_id"), item)).to_pylist()
    known = (await results.newest(Stage.AGGREGATE, "reliabilities", RELIABILITIES)).to_pylist()
    measured = (await results.newest(Stage.AGGREGATE, "rule_diagnostics", RULE_DIAGNOSTICS)).to_pylist()
    people = {each["annotator"]: _trust(each) for each in known if each["source"] == PEOPLE}
    rules = {each["annotator"]: _rule_trust(each) for each in measured}
    lines = [] if any(each["source"] == PEOPLE for each in given) else ["no votes of people"]
    for each in given:
        is_person = each["source"] == PEOPLE
        who = each["annotator"] if is_person else f"{_KINDS.get(each['source'], each['source'])} {each['annotator']}"
        trust = (people if is_person else rules).get(each["annotator"], "")
        part = f" ({each['weight']:.2f} of its vote)" if not is_person and each["weight"] < 1 else ""
        lines.append(f"{who} -> {each['answer']}{part}{trust}")
    return lines


def _trust(reliability: Row) -> str:
    return f"   right on {100 * reliability['accuracy']:.0f} % of {reliability['n_votes']:,} votes"


def _rule_trust(measured: Row) -> str:
    """Say how often a rule is right where it votes; what inference learned of it is about where it abstains, too."""
    gold = f", on {measured['gold_right']:,} of {measured['gold_hits']:,} gold items" if measured["gold_hits"] else ""
    if measured["estimated_accuracy"] is None:
        return ""
    return f"   right on about {100 * measured['estimated_accuracy']:.0f} % of {measured['hits']:,} items{gold}"


async def _model(results: RunResults, item: str) -> list[str]:
    model, classes = results.job.status.model, results.job.spec.task.classes
    if model is None:
        return []
    out_of_fold = _row(await results.table(model.out_of_fold, PREDICTIONS), item)
    if out_of_fold is not None:
        return [f"model (never trained on it)   P: {_most_likely(out_of_fold['probabilities'], classes)}"]
    score = _row(await results.newest(Stage.SCORE, "scores", SCORES), item)
    if score is None:
        return []
    probabilities = softmax(np.asarray([score["logits"]], np.float64))[0]
    return [f"model -> {score['prediction']}   P: {_most_likely(probabilities, classes)}"]


async def _asked(results: RunResults, item: str) -> list[str]:
    """Return in which round people were first asked about the item, and why."""
    for each in rounds_with(results.job.status, Stage.SELECT):
        selection = await results.table(each.stages[Stage.SELECT].results.get("selection", ""), SELECTION)
        row = _row(selection, item)
        if row is not None:
            strategy = results.job.spec.sampling.strategy.value
            reason = f"{strategy} {row['score']:.3g}" if row["reason"] == "strategy" else row["reason"]
            suggested = f", the model suggested {row['suggestion']}" if row["suggestion"] else ""
            return [f"asked in round {each.round}: rank {row['rank'] + 1}, {reason}{suggested}"]
    return ["people were not asked about it"]


async def _missing(results: RunResults, index: pa.Table, item: str) -> str:
    try:
        stored = await results.store.get(results.layout.index_errors)
    except ObjectNotFound:
        errors = ITEM_ERRORS.empty()
    else:
        errors = read_table(stored.data, ITEM_ERRORS, key=results.layout.index_errors)
    if (fault := _row(errors, item)) is not None:
        return f"item {item} could not be read ({fault['message']}): mend it and run the job anew"
    close = difflib.get_close_matches(item, index.column("item_id").to_pylist(), n=_CLOSE_NAMES)
    hint = f"did you mean {', '.join(close)}?" if close else "export/labels lists all ids"
    return f"{results.folder}: no item {item}: {hint}"


def _row(table: pa.Table, item: str) -> Row | None:
    found = table.filter(pc.equal(table.column("item_id"), item)).to_pylist()
    return found[0] if found else None


def _most_likely(probabilities: Sequence[float], classes: Sequence[str]) -> str:
    order = np.argsort(-np.asarray(probabilities), kind="stable")[:_SHOWN_CLASSES]
    return ", ".join(f"{classes[each]} {probabilities[each]:.3f}" for each in order)
