"""Job files: one LabelingJob, the ConfigMaps and Secrets beside it, and one line for each thing that is wrong."""

import base64
import binascii
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from labelplane_api.documents import Document, load_documents
from labelplane_api.errors import JobFileError, NodePath, SpecInvalidError, path_text
from labelplane_api.job import API_VERSION, KIND, LabelingJob
from labelplane_api.rule_files import MOST_KNOWLEDGE_BASES, MOST_RULES, RuleFile, RuleOrigin, parse_rule_file
from labelplane_api.sources import ConfigMapKey, RuleSource
from labelplane_api.validation import validate_job

_LARGEST_FILE_BYTES: Final = 4 * 1024 * 1024
_RULES: Final = ("spec", "sources", "rules")
_KNOWLEDGE_BASES: Final = ("spec", "sources", "knowledgeBases")
_KINDS: Final = (KIND, "ConfigMap", "Secret")


@dataclass(frozen=True, slots=True)
class Manifests:
    """A job and what lies beside it in its file.

    Attributes:
        job: the one LabelingJob; a status in the file is not read, as the API server does not. Its rules are those of
            the ConfigMaps that it names, too.
        config_maps: texts by ConfigMap and key.
        secrets: texts by Secret and key, decoded; not shown by `repr`.
        rule_origins: where each rule and knowledge base is written, by its name.
    """

    job: LabelingJob
    config_maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)
    rule_origins: Mapping[str, RuleOrigin] = field(default_factory=dict, repr=False)


def read_manifests(path: Path) -> Manifests:
    """Read a job file.

    Raises:
        JobFileError: the file is missing, unreadable, larger than 4 MiB or no UTF-8, or `parse_manifests` refuses it.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE_BYTES:
            raise JobFileError([f"{path}: is larger than 4 MiB: a job file holds no data, give its address"])
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise JobFileError([f"{path}: no such file: check the path, or write one with labelplane init"]) from error
    except UnicodeDecodeError as error:
        raise JobFileError([f"{path}: is no UTF-8 text (byte {error.start}): save it as UTF-8"]) from error
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise JobFileError([f"{path}: cannot be read ({reason}): give a file that you may read"]) from error
    return parse_manifests(text, source=path.name)


def parse_job(text: str, *, source: str) -> LabelingJob:
    """Read the one LabelingJob of a job file's text; arguments and errors as in `parse_manifests`."""
    return parse_manifests(text, source=source).job


def parse_manifests(text: str, *, source: str) -> Manifests:
    """Read a job file's text.

    Args:
        text: YAML of one or more documents: one LabelingJob, any number of ConfigMaps and Secrets.
        source: the file's name, as error lines begin.

    Raises:
        JobFileError: the text is no YAML, holds no job, several, or other kinds, or the job is invalid. The problems
            of all documents are told together, unless the YAML itself cannot be read.
    """
    reader = _ManifestReader(source=source)
    for document in load_documents(text, source=source):
        reader.read(document)
    return reader.finished()


class _ManifestReader:
    """Sorts documents by kind and gathers what is wrong with them."""

    def __init__(self, *, source: str) -> None:
        self._source = source
        self._job: LabelingJob | None = None
        self._job_line: int | None = None
        self._job_document: Document | None = None
        self._config_maps: dict[str, Mapping[str, str]] = {}
        self._secrets: dict[str, Mapping[str, str]] = {}
        self._problems: list[tuple[int, str]] = []

    def read(self, document: Document) -> None:
        kind = document.data.get("kind")
        if kind == KIND:
            self._read_job(document)
        elif kind == "ConfigMap":
            self._keep(document, self._config_maps, self._texts(document, "data"))
        elif kind == "Secret":
            decoded = {key: self._decoded(document, key, value) for key, value in self._texts(document, "data").items()}
            self._keep(document, self._secrets, {**decoded, **self._texts(document, "stringData")})
        else:
            self._tell(document, ("kind",), _unread_kind(kind))

    def finished(self) -> Manifests:
        origins: Mapping[str, RuleOrigin] = {}
        if self._job is not None and self._job_document is not None and not self._problems:
            self._job, origins = self._with_rules(self._job, self._job_document)
        if self._problems:
            in_order = sorted(self._problems, key=lambda problem: problem[0])
            raise JobFileError([f"{self._source}:{line}: {message}" for line, message in in_order])
        if self._job is None:
            raise JobFileError([f"{self._source}: holds no {KIND}: add a document with kind: {KIND}"])
        return Manifests(job=self._job, config_maps=self._config_maps, secrets=self._secrets, rule_origins=origins)

    def _with_rules(self, job: LabelingJob, document: Document) -> tuple[LabelingJob, Mapping[str, RuleOrigin]]:
        """Return the job with the rules of its ConfigMaps in the places that name them, and their knowledge bases."""
        rules: list[RuleSource] = []
        bases = list(job.spec.sources.knowledge_bases)
        origins = {base.name: RuleOrigin(document, (*_KNOWLEDGE_BASES, place)) for place, base in enumerate(bases)}
        for place, rule in enumerate(job.spec.sources.rules):
            path = (*_RULES, place)
            found = self._rules_of(rule.config_map, document, path) if rule.config_map is not None else None
            own = {rule.name: RuleOrigin(document, path)} if found is None else found.origins
            for name in own:
                if name in origins:
                    self._tell(document, path, f'{path_text(path)}: a rule "{name}" is listed twice: rename one')
            origins |= own
            rules.extend((rule,) if found is None else found.rules)
            bases.extend(() if found is None else found.knowledge_bases)
        self._check_count(document, _RULES, len(rules), most=MOST_RULES)
        self._check_count(document, _KNOWLEDGE_BASES, len(bases), most=MOST_KNOWLEDGE_BASES)
        if all(rule.config_map is None for rule in job.spec.sources.rules):
            return job, origins
        sources = job.spec.sources.model_copy(update={"rules": tuple(rules), "knowledge_bases": tuple(bases)})
        return job.model_copy(update={"spec": job.spec.model_copy(update={"sources": sources})}), origins

    def _check_count(self, document: Document, path: NodePath, count: int, *, most: int) -> None:
        if count > most:
            text = f"{path_text(path)}: has {count} entries with those of ConfigMaps: {most} are the most"
            self._tell(document, path, text)

    def _rules_of(self, named: ConfigMapKey, document: Document, path: NodePath) -> RuleFile:
        nothing = RuleFile((), (), document)
        where = path_text((*path, "configMap"))
        text = self._config_maps.get(named.name, {}).get(named.key)
        if text is None:
            what = f"ConfigMap {named.name} with the key {named.key} is not in the job file"
            self._tell(document, (*path, "configMap"), f"{where}: {what}: add it there as a further document")
            return nothing
        try:
            return parse_rule_file(text, source=f"{self._source}: ConfigMap {named.name}, {named.key}")
        except JobFileError as error:
            inside = f"{self._source}: "
            self._problems.extend((document.line(path), line.removeprefix(inside)) for line in error.lines)
            return nothing

    def _read_job(self, document: Document) -> None:
        if self._job_line is not None:
            first = f"the first begins in line {self._job_line}"
            self._tell(document, (), f"a second {KIND} ({first}): keep one in a file")
            return
        self._job_line = document.lines[()]
        self._job_document = document
        if "apiVersion" not in document.data:
            self._tell(document, (), f"apiVersion: is missing: add apiVersion: {API_VERSION}")
        data = {key: value for key, value in document.data.items() if key != "status"}
        try:
            self._job = validate_job(data)
        except SpecInvalidError as error:
            for problem in error.problems:
                self._tell(document, problem.path, problem.message)

    def _keep(self, document: Document, kept: dict[str, Mapping[str, str]], texts: Mapping[str, str]) -> None:
        metadata = document.data.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if not isinstance(name, str) or not name:
            self._tell(document, ("metadata", "name"), "metadata.name: is missing: add it")
        elif name in kept:
            kind = document.data["kind"]
            self._tell(document, ("metadata", "name"), f"a second {kind} {name}: remove one")
        else:
            kept[name] = texts

    def _texts(self, document: Document, member: str) -> dict[str, str]:
        entries = document.data.get(member) or {}
        if not isinstance(entries, dict):
            self._tell(document, (member,), f"{member}: is no object: write keys with texts")
            return {}
        for key, value in entries.items():
            if not isinstance(value, str):
                self._tell(document, (member, key), f"{member}.{key}: is no text: put it in quotes")
        return {key: value for key, value in entries.items() if isinstance(value, str)}

    def _decoded(self, document: Document, key: str, value: str) -> str:
        try:
            return base64.b64decode("".join(value.split()), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            # The value is a secret: it is not shown.
            self._tell(
                document, ("data", key), f"data.{key}: is no text in base64: encode it, or move it to stringData"
            )
            return ""

    def _tell(self, document: Document, path: NodePath, message: str) -> None:
        self._problems.append((document.line(path), message))


def _unread_kind(kind: Any) -> str:
    if kind is None:
        return f"kind: is missing: add kind: {KIND}"
    close: Sequence[str] = difflib.get_close_matches(str(kind), _KINDS, n=1)
    if close:
        return f'kind: "{kind}" is not known: did you mean {close[0]}?'
    return f'kind: "{kind}" is not read here: keep only {", ".join(_KINDS)} in a job file'
