"""Reads rules and the table that they are tried on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labelplane_aggregation.columns import Columns, as_text
from labelplane_api.documents import load_documents
from labelplane_api.errors import JobFileError
from labelplane_api.job import KIND
from labelplane_api.load import read_manifests
from labelplane_api.rule_files import RuleOrigin, parse_rule_file
from labelplane_api.sources import KnowledgeBaseSource, RuleSource
from labelplane_api.task import TEXT_TASKS
from labelplane_cli.errors import BadFile
from labelplane_cli.table_files import read_table
from labelplane_cli.terminal import short_path

__all__ = ["Fields", "RuleSet", "Sample", "read_rules", "read_sample"]

_TEXT = ("text", "item", "sentence", "body", "content")
_ID = ("id", "item_id")
_LABEL = ("label", "truth", "gold", "class")
_LARGEST_FILE_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Fields:
    """Which columns of a table hold what; an empty name is looked for."""

    item_id: str = ""
    text: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules and knowledge bases of one file.

    Attributes:
        rules: as they are written.
        knowledge_bases: as they are written.
        classes: of the job; empty for a file of rules, whose classes are those that it names.
        fields: the columns that the job names.
        origins: where each is written.
        beside: the folder that paths are relative to.
    """

    rules: Sequence[RuleSource]
    knowledge_bases: Sequence[KnowledgeBaseSource]
    classes: tuple[str, ...]
    fields: Fields
    origins: Mapping[str, RuleOrigin]
    beside: Path


@dataclass(frozen=True, slots=True)
class Sample:
    """The items that rules are tried on.

    Attributes:
        item_ids: of each.
        texts: of each.
        meta: of each, its other columns as a JSON object.
        labels: of each, its known class, "" where it is not known; None where no column has any.
        metadata_fields: names of the other columns.
        total: items of the table.
    """

    item_ids: list[str]
    texts: list[str]
    meta: list[str]
    labels: list[str] | None
    metadata_fields: tuple[str, ...]
    total: int


def read_rules(path: Path) -> RuleSet:
    """Return the rules of a file of rules, or of a job file.

    Raises:
        JobFileError: it is neither; one line a problem, with file, line and column.
        BadFile: it cannot be read, or the job has no rules or no texts.
    """
    text = _text(path)
    documents = load_documents(text, source=path.name)
    if any(document.data.get("kind") == KIND for document in documents):
        return _job_rules(path)
    found = parse_rule_file(text, source=path.name)
    return RuleSet(found.rules, found.knowledge_bases, (), Fields(), found.origins, path.absolute().parent)


def read_sample(path: Path, fields: Fields, *, size: int, seed: int) -> Sample:
    """Return a sample of a table: the items whose seeded hashes are smallest, so the same for any rules.

    Args:
        path: CSV, JSONL or Parquet.
        fields: its columns.
        size: items at most; 0 takes all.
        seed: of the hashes.

    Raises:
        BadFile: the table cannot be read, or has no column of texts.
    """
    columns = read_table(path)
    text = _column(columns, fields.text, _TEXT, path, "--text-field")
    item_id = _column(columns, fields.item_id, _ID, path, "--id-field", is_needed=bool(fields.item_id))
    label = _column(columns, fields.label, _LABEL, path, "--label-field", is_needed=bool(fields.label))
    ids = [as_text(each) for each in columns[item_id]] if item_id else [str(row + 1) for row in range(columns.n_rows)]
    others = tuple(name for name in columns.values if name not in {text, item_id, label})
    rows = _drawn(ids, size, seed)
    return Sample(
        item_ids=[ids[row] for row in rows],
        texts=[as_text(columns[text][row]) for row in rows],
        meta=[_meta(columns, others, row) for row in rows],
        labels=[as_text(columns[label][row]) for row in rows] if label else None,
        metadata_fields=others,
        total=columns.n_rows,
    )


def _job_rules(path: Path) -> RuleSet:
    manifests = read_manifests(path)
    job = manifests.job
    if job.spec.task.type not in TEXT_TASKS:
        raise BadFile(f"{short_path(path)}: the job's items are images: rules are tried on texts alone, run the job")
    sources, dataset = job.spec.sources, job.spec.dataset
    if not (sources.rules or sources.knowledge_bases):
        raise BadFile(f"{short_path(path)}: the job has neither rules nor knowledge bases: add spec.sources.rules")
    fields = Fields(dataset.id_field or "", dataset.item_field or "", dataset.truth_field or dataset.gold_field or "")
    return RuleSet(
        sources.rules,
        sources.knowledge_bases,
        job.spec.task.classes,
        fields,
        manifests.rule_origins,
        path.absolute().parent,
    )


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_FILE_BYTES:
            raise BadFile(f"{short_path(path)}: is larger than 4 MiB: give a file of rules")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise BadFile(f"{short_path(path)}: no such file: check the path") from error
    except UnicodeDecodeError as error:
        raise JobFileError([f"{path.name}: is no UTF-8 text (byte {error.start}): save it as UTF-8"]) from error
    except OSError as error:
        raise BadFile(
            f"{short_path(path)}: cannot be read ({error.strerror}): give a file that you may read"
        ) from error


def _column(
    columns: Columns, wanted: str, usual: Sequence[str], path: Path, option: str, *, is_needed: bool = True
) -> str:
    """Return a column's name: the wanted one, else the first usual one that is there; "" where none is and may be."""
    names = (wanted,) if wanted else usual
    found = next((name for name in names if name in columns.values), "")
    if found or not is_needed:
        return found
    there = ", ".join(columns.values)
    raise BadFile(f"{short_path(path)}: no column {' or '.join(names)}; there are {there}: name one with {option}")


def _drawn(ids: Sequence[str], size: int, seed: int) -> list[int]:
    if not size or size >= len(ids):
        return list(range(len(ids)))
    ranks = [hashlib.blake2b(f"{seed}/{item_id}".encode(), digest_size=8).digest() for item_id in ids]
    return sorted(sorted(range(len(ids)), key=lambda row: (ranks[row], row))[:size])


def _meta(columns: Columns, names: Sequence[str], row: int) -> str:
    fields: dict[str, Any] = {name: columns[name][row] for name in names}
    return json.dumps(fields, ensure_ascii=False, default=str)
