"""The rounds that an earlier object of the same job finished: nothing of them is bought twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labelplane_aggregation.rounds import RoundRecord, read_round_record
from labelplane_core.storage import Layout, ObjectStore

__all__ = ["EarlierRounds", "earlier_rounds"]

_NEWEST = {
    "votes": ("Vote", "votes"),
    "selection": ("Select", "selection"),
    "tasks": ("Review", "tasks"),
    "scores": ("Score", "scores"),
}


@dataclass(frozen=True, slots=True)
class EarlierRounds:
    """References and figures of Prepare about rounds that are finished."""

    results: Mapping[str, str]
    figures: Mapping[str, float]


async def earlier_rounds(store: ObjectStore, layout: Layout) -> EarlierRounds:
    """Return what the last finished round left: newest results, the standing model, and the attempts after it."""
    records: list[RoundRecord] = []
    while (record := await read_round_record(store, layout, len(records))) is not None:
        records.append(record)
    attempts = await _highest_attempt(store, layout, len(records))
    results = {name: ref for name, where in _NEWEST.items() if (ref := _newest(records, *where))}
    model, figures = _standing_model(records)
    return EarlierRounds(
        {**results, **model}, {"last_round": float(len(records) - 1), "attempts": float(attempts), **figures}
    )


def _newest(records: Sequence[RoundRecord], stage: str, name: str) -> str:
    refs = (each.stages[stage].results.get(name, "") for each in reversed(records) if stage in each.stages)
    return next(refs, "")


def _standing_model(records: Sequence[RoundRecord]) -> tuple[dict[str, str], dict[str, float]]:
    """Return the model that last scored, which is the promoted one, with its out-of-fold predictions and accuracy."""
    scored: list[Any] = [each.stages["Score"].request for each in reversed(records) if "Score" in each.stages]
    model = str(scored[0].get("modelRef", "")) if scored else ""
    if not model:
        return {}, {}
    trained = (each.stages["Train"] for each in reversed(records) if "Train" in each.stages)
    train = next((each for each in trained if each.results.get("model") == model), None)
    if train is None:
        return {"model": model}, {}
    results = {"model": model, "out_of_fold": train.results.get("out_of_fold", "")}
    accuracy = train.figures.get("student_accuracy")
    return {name: ref for name, ref in results.items() if ref}, {} if accuracy is None else {"model_accuracy": accuracy}


async def _highest_attempt(store: ObjectStore, layout: Layout, round_number: int) -> int:
    """Return the highest attempt of any stage of a round: its outputs and its operations both tell."""
    highest = 0
    folder = layout.round_folder(round_number)
    async for info in store.list(folder):
        highest = max(highest, _number(info.key.removeprefix(f"{folder}/").split("/"), 1))
    async for info in store.list(layout.operations):
        names = info.key.removeprefix(f"{layout.operations}/").removesuffix(".json").split("/")
        if len(names) >= 4 and names[-3] == str(round_number):
            highest = max(highest, _number(names, -1))
    return highest


def _number(names: Sequence[str], place: int) -> int:
    try:
        return int(names[place])
    except (IndexError, ValueError):
        return 0
