"""The only place that spells the keys of a job's objects (architecture, section 7)."""

from dataclasses import dataclass

from labelplane_core.errors import BadKey
from labelplane_core.storage.store import check_key

__all__ = ["Layout"]


@dataclass(frozen=True, slots=True)
class Layout:
    """Keys of one job's objects, below `prefix` (empty when the store's root is the job's own).

    Every method is pure. Names that come from outside (a source, a file, a request id) are checked (`BadKey`).

    Stages are the lower-case words of `labelplane_core.shards.Stage`. Round, attempt, generation, block and sequence
    numbers are 0 or more; they are padded, so keys sort as the numbers do.
    """

    prefix: str = ""

    # The job.

    @property
    def owner(self) -> str:
        """Who owns the prefix: installation, namespace and name; claimed by a conditional put."""
        return self._key("owner.json")

    def operation(self, request_id: str) -> str:
        """Return the key of an operation's record; `request_id` holds slashes (`<name>/<round>/<stage>/<attempt>`)."""
        return self._key("operations", f"{request_id}.json")

    @property
    def operations(self) -> str:
        """The folder of all operations' records."""
        return self._key("operations")

    # The data set.

    @property
    def index_manifest(self) -> str:
        """The manifest of the index table: written last, so its being there means that the index is whole."""
        return self._key("dataset", "manifest.json")

    def index_part(self, number: int) -> str:
        """Return the key of one part of the index table."""
        return self._key("dataset", f"index-{_number(number)}.parquet")

    @property
    def index_errors(self) -> str:
        """The table of the items that could not be used."""
        return self._key("dataset", "errors.parquet")

    # Votes.

    def votes(self, source: str, sequence: int) -> str:
        """Return the key of one file of a source's votes."""
        return self._key("votes", _segment(source), f"{_number(sequence, width=8)}.parquet")

    def votes_folder(self, source: str) -> str:
        """Return the folder of a source's votes."""
        return self._key("votes", _segment(source))

    def source_votes(self, source: str, digest: str, block: int) -> str:
        """Return the key of one block's votes of a source whose votes its digest and the block decide alone."""
        return self._key("votes", _segment(source), _segment(digest), f"part-{_number(block)}.parquet")

    def source_members(self, source: str, digest: str) -> str:
        """Return the key of the list of annotators that such a source has."""
        return self._key("votes", _segment(source), _segment(digest), "members.json")

    @property
    def all_votes(self) -> str:
        """The folder of every source's votes."""
        return self._key("votes")

    def rule_files(self, digest: str) -> str:
        """Return the key of the files of rules that a Vote has read, by the digest of what they said."""
        return self._key("rules", f"{_segment(digest)}.json")

    # Review: owned by the aggregation service.

    @property
    def review(self) -> str:
        """The folder of everything that belongs to review."""
        return self._key("review")

    def review_tasks(self, round_number: int, attempt: int) -> str:
        """Return the key of the tasks that one Review made."""
        return self._key("review", "tasks", f"{_number(round_number, width=4)}-{attempt}.parquet")

    @property
    def review_tasks_folder(self) -> str:
        """The folder of all rounds' tasks."""
        return self._key("review", "tasks")

    def review_inbox(self, sequence: int) -> str:
        """Return the key of one batch of votes that were received and not yet drained."""
        return self._key("review", "inbox", f"{_number(sequence, width=8)}.jsonl")

    @property
    def review_inbox_folder(self) -> str:
        """The folder of received votes."""
        return self._key("review", "inbox")

    @property
    def review_state(self) -> str:
        """What people are asked."""
        return self._key("review", "state.json")

    @property
    def review_key(self) -> str:
        """The key with which leases and tickets are signed."""
        return self._key("review", "signing.key")

    def review_comments(self, sequence: int) -> str:
        """Return the key of one batch of people's comments."""
        return self._key("review", "comments", f"{_number(sequence, width=8)}.jsonl")

    def review_audit(self, sequence: int) -> str:
        """Return the key of one batch of the audit trail: who did what, when."""
        return self._key("review", "audit", f"{_number(sequence, width=8)}.jsonl")

    @property
    def review_label_studio(self) -> str:
        """What names the job's project on a Label Studio server."""
        return self._key("review", "label-studio", "project.json")

    def review_label_studio_votes(self, sequence: int) -> str:
        """Return the key of one batch of votes that came from Label Studio, written before they are sent."""
        return self._key("review", "label-studio", f"{_number(sequence, width=8)}.jsonl")

    # Rounds.

    def round_folder(self, round_number: int) -> str:
        """Return the folder of one round."""
        return self._key("rounds", _number(round_number, width=4))

    def round_record(self, round_number: int) -> str:
        """Return the key of a finished round's record: all that a replay needs."""
        return self._key("rounds", _number(round_number, width=4), "manifest.json")

    def attempt_folder(self, round_number: int, stage: str, attempt: int) -> str:
        """Return the folder of everything that one attempt at a stage writes."""
        return self._attempt(round_number, stage, attempt)

    def round_part(self, round_number: int, stage: str, attempt: int, block: int, *, table: str = "part") -> str:
        """Return the key of one block's part of a stage's table; `table` tells several tables of a stage apart."""
        return self._attempt(round_number, stage, attempt, f"{_segment(table)}-{_number(block)}.parquet")

    def round_table(self, round_number: int, stage: str, attempt: int, table: str) -> str:
        """Return the key of a table that a stage writes in one piece, such as posteriors or a selection."""
        return self._attempt(round_number, stage, attempt, f"{_segment(table)}.parquet")

    def round_file(self, round_number: int, stage: str, attempt: int, name: str) -> str:
        """Return the key of a file that is no table, such as a training checkpoint or a log of an optimisation."""
        return self._attempt(round_number, stage, attempt, name)

    def round_manifest(self, round_number: int, stage: str, attempt: int, generation: int) -> str:
        """Return the key of a stage's manifest; each takeover of an attempt has its own `generation`.

        So a process that was fenced cannot write over the manifest of the one that took over.
        """
        return self._attempt(round_number, stage, attempt, f"manifest-{_number(generation, width=4)}.json")

    # Models and results.

    def model_folder(self, digest: str) -> str:
        """Return the folder of an immutable model."""
        return self._key("models", _segment(digest))

    def model(self, digest: str, name: str = "model.json") -> str:
        """Return the key of one file of a model."""
        return self._key("models", _segment(digest), name)

    def embeddings(self, encoder_digest: str, block: int) -> str:
        """Return the key of one block's cached embeddings, which depend on the encoder and the block alone."""
        return self._key("embeddings", _segment(encoder_digest), f"part-{_number(block)}.parquet")

    def export(self, name: str) -> str:
        """Return the key of one file of the exported data set."""
        return self._key("export", name)

    @property
    def export_folder(self) -> str:
        """The folder of the exported data set."""
        return self._key("export")

    @property
    def report(self) -> str:
        """The report, one self-contained page."""
        return self._key("report", "index.html")

    def _attempt(self, round_number: int, stage: str, attempt: int, *names: str) -> str:
        return self._key("rounds", _number(round_number, width=4), _segment(stage), str(_checked(attempt)), *names)

    def _key(self, *parts: str) -> str:
        return check_key("/".join((self.prefix.rstrip("/"), *parts) if self.prefix else parts))


def _number(value: int, *, width: int = 5) -> str:
    return f"{_checked(value):0{width}d}"


def _checked(value: int) -> int:
    if value < 0:
        raise BadKey(f"a number in a key must not be negative, got {value}")
    return value


def _segment(name: str) -> str:
    if "/" in name:
        raise BadKey(f"{name!r} must be one segment of a key, without a slash")
    return name
