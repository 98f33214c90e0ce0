"""YAML documents with the line of every key, read as Kubernetes reads them.

PyYAML scans and composes; scalars are resolved here, because PyYAML by itself makes a date of `2026-01-31`, ninety of
`1:30` and text of `1e-3`, and keeps the last of two equal keys without a word.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from labelplane_api.errors import JobFileError, NodePath, path_text

_MOST_NODES: Final = 100_000
_DEEPEST_NODE: Final = 64
_MERGE_KEY: Final = "<<"
# Longer numbers fit no field; Python refuses to read those of thousands of digits at all.
_MOST_DIGITS: Final = 20
_READ_TAGS: Final = frozenset(f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map"))

_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_HEXADECIMAL: Final = re.compile(r"0x[0-9a-fA-F]+")
_OCTAL: Final = re.compile(r"0o?[0-7]+")
_DECIMAL: Final = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?")
_WORDS: Final[Mapping[str, float | bool | None]] = {
    "": None,
    "~": None,
    "null": None,
    "yes": True,
    "true": True,
    "on": True,
    "no": False,
    "false": False,
    "off": False,
    ".inf": math.inf,
    "+.inf": math.inf,
    "-.inf": -math.inf,
    ".nan": math.nan,
}


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document.

    Attributes:
        data: its content.
        lines: the line of every key and list entry by its path, counted from 1; the empty path is the document's.
        places: line and column of every value by its path, counted from 1.
        source: the file's name, as error lines begin.
    """

    data: dict[str, Any]
    lines: Mapping[NodePath, int]
    source: str
    places: Mapping[NodePath, tuple[int, int]] = field(default_factory=dict)

    def line(self, path: NodePath) -> int:
        """Return the line of a path, or of the nearest path that encloses it."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]

    def place(self, path: NodePath) -> str:
        """Return line and column of a value, or of the nearest that encloses it, as they follow a file's name."""
        while path not in self.places:
            path = path[:-1]
        line, column = self.places[path]
        return f"{line}:{column}"


def load_documents(text: str, *, source: str) -> list[Document]:
    """Read the YAML documents of a text; empty ones are left out.

    Args:
        text: one or more documents; JSON is YAML too. Anchors and merge keys are read.
        source: the file's name, as error lines begin.

    Raises:
        JobFileError: the text is no YAML, a document is no mapping, a key stands twice, a tag is used, or aliases blow
            the text up beyond 100,000 nodes.
    """
    try:
        # The base loader gives every scalar as its text: it resolves nothing.
        nodes = list(yaml.compose_all(text, Loader=yaml.BaseLoader))
        return [_document(node, source=source) for node in nodes if not _is_empty(node)]
    except yaml.MarkedYAMLError as error:
        raise JobFileError([_marked_line(error, source=source)]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise JobFileError([f"{source}:{line}: holds a character that YAML does not allow: remove it"]) from error


def _is_empty(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.style is None and node.value in ("", "~", "null")


def _is_merge(key_node: yaml.Node) -> bool:
    return isinstance(key_node, yaml.ScalarNode) and key_node.style is None and key_node.value == _MERGE_KEY


def _document(node: yaml.Node, *, source: str) -> Document:
    reading = _Reading(source=source)
    data = reading.value(node, ())
    line = node.start_mark.line + 1
    if not isinstance(data, dict):
        reading.problems.append(f"{source}:{line}: holds no fields: begin with apiVersion and kind")
    if reading.problems:
        raise JobFileError(reading.problems)
    return Document(data=data, lines=reading.lines, source=source, places=reading.places)


def _marked_line(error: yaml.MarkedYAMLError, *, source: str) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"{source}:{mark.line + 1}" if mark is not None else source
    problem = error.problem or error.context or "it cannot be read"
    if r"'\t'" in problem:
        return f"{where}: a tab stands where YAML wants spaces: replace it by spaces"
    return f"{where}: is no YAML ({problem}): check this line and the one before"


class _Reading:
    """The walk over one document's nodes: values, lines and what is wrong."""

    def __init__(self, *, source: str) -> None:
        self.source = source
        self.lines: dict[NodePath, int] = {}
        self.places: dict[NodePath, tuple[int, int]] = {}
        self.problems: list[str] = []
        self._seen_nodes = 0

    def value(self, node: yaml.Node, path: NodePath) -> Any:
        self._count(node, path)
        self.lines.setdefault(path, node.start_mark.line + 1)
        self.places.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
        if node.tag not in _READ_TAGS:
            self._tell(node, path, f"the tag {node.tag} is not read here: remove it")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(entry, (*path, number)) for number, entry in enumerate(node.value)]
        is_plain = isinstance(node, yaml.ScalarNode) and node.style is None
        return scalar(node.value) if is_plain else node.value

    def _mapping(self, node: yaml.MappingNode, path: NodePath) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        # Merged fields come first, wherever << stands, so that the lines of the object's own keys are kept.
        for key_node, value_node in sorted(node.value, key=lambda entry: not _is_merge(entry[0])):
            if _is_merge(key_node):
                merged = {**self._merged(value_node, path), **merged}
            elif isinstance(key_node, yaml.ScalarNode):
                self._entry(own, key_node, value_node, path)
            else:
                self._tell(key_node, path, "a key is a single word: write it on one line")
        return {**merged, **own}

    def _entry(self, own: dict[str, Any], key_node: yaml.ScalarNode, value_node: yaml.Node, path: NodePath) -> None:
        key, inner = key_node.value, (*path, key_node.value)
        if key in own:
            self._tell(key_node, inner, f"stands twice (first in line {self.lines[inner]}): remove one")
            return
        self.lines[inner] = key_node.start_mark.line + 1
        own[key] = self.value(value_node, inner)

    def _merged(self, node: yaml.Node, path: NodePath) -> dict[str, Any]:
        nodes = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for part in nodes:
            if not isinstance(part, yaml.MappingNode):
                self._tell(part, path, "<< merges fields: give it an alias of an object")
                continue
            self._count(part, path)
            merged = {**self._mapping(part, path), **merged}
        return merged

    def _count(self, node: yaml.Node, path: NodePath) -> None:
        self._seen_nodes += 1
        if self._seen_nodes <= _MOST_NODES and len(path) <= _DEEPEST_NODE:
            return
        self._tell(node, path[:3], "is too large or too deep: a job file holds no data, give its address")
        raise JobFileError(self.problems)

    def _tell(self, node: yaml.Node, path: NodePath, text: str) -> None:
        where = f"{path_text(path)}: " if path else ""
        self.problems.append(f"{self.source}:{node.start_mark.line + 1}: {where}{text}")


def scalar(text: str) -> Any:
    """Return what a plain scalar means: null, a boolean, a number, or its text."""
    if text.lower() in _WORDS and text in (text.lower(), text.upper(), text.capitalize()):
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) < _MOST_DIGITS else float(text)
    if _HEXADECIMAL.fullmatch(text) and len(text) < _MOST_DIGITS:
        return int(text, 16)
    if _OCTAL.fullmatch(text) and len(text) < _MOST_DIGITS:
        return int(text.replace("o", ""), 8)
    return float(text) if _DECIMAL.fullmatch(text) else text
