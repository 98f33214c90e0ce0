"""Files of rules: ConfigMaps that are mounted where the service runs, read anew by every Vote."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labelplane_aggregation.errors import BadRuleFile, MissingRuleFile
from labelplane_aggregation.requests import RuleFile
from labelplane_aggregation.source_specs import knowledge_base_spec, rule_spec
from labelplane_aggregation.sources import KnowledgeBaseSpec, RuleSpec
from labelplane_api.errors import JobFileError
from labelplane_api.rule_files import MOST_KNOWLEDGE_BASES, MOST_RULES, RuleOrigin, parse_rule_file
from labelplane_core.storage import Layout, ObjectStore, put_once

__all__ = ["ReadSources", "keep_rule_files", "read_rule_files"]

_FORM = 1
_MOST_BYTES = 1024 * 1024
"""What a ConfigMap holds at most."""


@dataclass(frozen=True, slots=True)
class ReadSources:
    """Rules and knowledge bases, those of files in the places that name them.

    Attributes:
        rules: of the job and of files.
        knowledge_bases: of the job, then of files.
        origins: where what a file says is written, by the names of its rules and knowledge bases.
        texts: of the files, by ConfigMap and key.
    """

    rules: tuple[RuleSpec, ...]
    knowledge_bases: tuple[KnowledgeBaseSpec, ...]
    origins: Mapping[str, RuleOrigin] = field(default_factory=dict)
    texts: Mapping[RuleFile, str] = field(default_factory=dict)

    def place(self, name: str, field_name: str) -> str:
        """Return file, line and column of a field of a rule, empty for what no file says."""
        return self.origins[name].place(field_name) if name in self.origins else ""


def read_rule_files(
    entries: Sequence[RuleSpec | RuleFile], knowledge_bases: Sequence[KnowledgeBaseSpec], folder: Path | None
) -> ReadSources:
    """Read the files that entries name; a ConfigMap that changes counts from the next call.

    Args:
        entries: rules, and files of them.
        knowledge_bases: of the job itself.
        folder: holds a folder of files for each ConfigMap; None where nothing is mounted.

    Raises:
        MissingRuleFile: a file is not there.
        BadRuleFile: a file is no file of rules; names it, line and column.
    """
    rules: list[RuleSpec] = []
    bases = list(knowledge_bases)
    origins: dict[str, RuleOrigin] = {}
    texts: dict[RuleFile, str] = {}
    for entry in entries:
        if isinstance(entry, RuleSpec):
            rules.append(entry)
            continue
        texts[entry] = _text(entry, folder)
        try:
            found = parse_rule_file(texts[entry], source=entry.words)
        except JobFileError as error:
            raise BadRuleFile("; ".join(error.lines)) from error
        rules += [rule_spec(rule) for rule in found.rules]
        bases += [knowledge_base_spec(base) for base in found.knowledge_bases]
        origins |= found.origins
        _check_counts(entry, rules=len(rules), bases=len(bases))
    return ReadSources(tuple(rules), tuple(bases), origins, texts)


async def keep_rule_files(store: ObjectStore, layout: Layout, texts: Mapping[RuleFile, str]) -> str:
    """Keep the files as they were, once however often they are read, and return the key; empty without any."""
    if not texts:
        return ""
    files = [{"config_map": each.config_map, "key": each.key, "text": text} for each, text in texts.items()]
    digest = hashlib.sha256(json.dumps(files).encode()).hexdigest()
    record: dict[str, Any] = {"form": _FORM, "digest": digest, "files": files}
    key = layout.rule_files(digest)
    await put_once(store, key, json.dumps(record, indent=1, ensure_ascii=False).encode() + b"\n")
    return key


def _check_counts(entry: RuleFile, *, rules: int, bases: int) -> None:
    for count, most, what in ((rules, MOST_RULES, "rules"), (bases, MOST_KNOWLEDGE_BASES, "knowledge bases")):
        if count > most:
            raise BadRuleFile(f"{entry.words}: with it the job has {count} {what}: {most} are the most")


def _text(entry: RuleFile, folder: Path | None) -> str:
    if folder is None:
        raise MissingRuleFile(f"{entry.words}: no ConfigMap is mounted here: set LABELPLANE_RULES_FOLDER")
    try:
        data = (folder / entry.config_map / entry.key).read_bytes()
    except OSError as error:
        todo = "see that the ConfigMap has this key; a pod sees a change within some minutes"
        raise MissingRuleFile(f"{entry.words}: cannot be read ({error.strerror}): {todo}") from error
    if len(data) > _MOST_BYTES:
        raise BadRuleFile(f"{entry.words}: is larger than 1 MiB: write fewer rules")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRuleFile(f"{entry.words}: is no UTF-8 text (byte {error.start}): save it as UTF-8") from error
