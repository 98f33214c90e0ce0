"""What a job would do: its items counted, its batches and what they cost."""

from dataclasses import dataclass

from labelplane_aggregation.preparing.gold import known_classes
from labelplane_aggregation.preparing.listing import read_listing
from labelplane_api.job import LabelingJob
from labelplane_api.status import LabelingJobStatus
from labelplane_cli.display import money
from labelplane_cli.embedded.data_set import dataset_of, task_of
from labelplane_cli.forecast import expected_batches
from labelplane_core.storage import ObjectStore

__all__ = ["Counted", "count_items", "plan_lines"]


@dataclass(frozen=True, slots=True)
class Counted:
    """How many items are listed, and of how many the class is known; none has been opened."""

    items: int
    gold: int


async def count_items(job: LabelingJob, data: ObjectStore) -> Counted:
    """Count the items of a job's data set; errors as `read_listing` and `known_classes`."""
    task, dataset = task_of(job), dataset_of(job)
    field = dataset.gold_field
    listing = await read_listing(data, task, dataset, fields=(field,) if field else ())
    if not field:
        return Counted(len(listing), 0)
    known = known_classes(listing.fields[field], listing, task, field=field)
    return Counted(len(listing), sum(bool(each) for each in known))


def plan_lines(job: LabelingJob, counted: Counted) -> list[str]:
    """Return what the job would do, a line each."""
    lines = [
        f"{counted.items:,} items, {counted.gold:,} of them gold; {len(job.spec.task.classes)} classes",
        _parts(job),
        *_sources(job),
    ]
    batches = expected_batches(job, LabelingJobStatus(), items=counted.items)
    if not batches:
        return [*lines, "people are not asked: sources.humans is not set, or the budget pays for no item"]
    lines.extend(
        f"round {batch.round:>2}   asks about {batch.items:,} items   {batch.votes:,} votes"
        f"{'   without a model' if batch.is_cold_start else ''}"
        for batch in batches
    )
    return [*lines, _total(job, sum(batch.items for batch in batches), sum(batch.votes for batch in batches))]


def _sources(job: LabelingJob) -> list[str]:
    sources = job.spec.sources
    counts = ((len(sources.rules), "rule"), (len(sources.knowledge_bases), "knowledge base"))
    named = " and ".join(f"{count:,} {name}{'s' if count > 1 else ''}" for count, name in counts if count)
    return [f"{named} vote on every item first, and abstain where they know nothing"] if named else []


def _parts(job: LabelingJob) -> str:
    spec = job.spec
    return (
        f"strategy {spec.sampling.strategy.value}, aggregation {spec.aggregation.method.value}, "
        f"teacher {spec.model.teacher.encoder.value}, student {spec.model.student.encoder.value}"
    )


def _total(job: LabelingJob, items: int, votes: int) -> str:
    humans = job.spec.sources.humans
    price = votes * humans.price_per_vote if humans else 0.0
    cost = f", {money(price, job.spec.budget.currency)} for votes" if price else ""
    return f"at most {votes:,} votes on {items:,} items{cost}; a stop rule may end the rounds before"
