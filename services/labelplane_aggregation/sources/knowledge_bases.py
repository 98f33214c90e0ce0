"""Knowledge bases: lists of terms that vote for the classes of those that a text holds."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property

import numpy as np
import pyarrow as pa

from labelplane_aggregation.errors import BadKnowledgeBase
from labelplane_aggregation.sources.block import ItemBlock
from labelplane_aggregation.sources.gazetteers import read_gazetteer
from labelplane_aggregation.sources.source import Ballots
from labelplane_aggregation.sources.specs import GazetteerSpec, KnowledgeBaseSpec, Setting, WikipediaSpec, WordNetSpec
from labelplane_aggregation.sources.terms import TermFinder, Terms
from labelplane_aggregation.sources.wikipedia import read_wikipedia
from labelplane_aggregation.sources.wordnet import WordNetFiles, files_of, read_wordnet
from labelplane_core.tasks import Modality

__all__ = ["KnowledgeBase", "needed_files"]

FORM = 1
"""Raised whenever a release makes the same knowledge base vote otherwise."""


def needed_files(spec: KnowledgeBaseSpec) -> tuple[str, ...]:
    """Return the names of the files below the address; the one name "" means the address itself.

    Raises:
        BadKnowledgeBase: a synset is malformed.
    """
    if not isinstance(spec.terms, WordNetSpec):
        return ("",)
    try:
        return files_of(spec.terms.synsets)
    except ValueError as error:
        raise BadKnowledgeBase(spec.name, str(error)) from error


class KnowledgeBase:
    """A `VoteSource`: each class whose terms a text holds gets a vote; together their weight is 1.

    So a text with terms of one class is a plain vote for it, and an ambiguous one, by two terms or by one term of two
    classes, is split as the terms' weights are. Terms are read and the automaton is built by the first vote.

    Args:
        spec: what it is.
        contents: the files that `needed_files` names.
        setting: the task.

    Raises:
        BadKnowledgeBase: the items are no texts. `prepare` and `vote` raise it for terms that cannot be read.
    """

    def __init__(self, spec: KnowledgeBaseSpec, contents: Mapping[str, bytes], setting: Setting) -> None:
        if setting.modality is not Modality.TEXT:
            raise BadKnowledgeBase(spec.name, "looks for terms in texts, and the items are images: leave it out")
        self.spec = spec
        self._contents = contents
        self._classes = setting.classes

    @property
    def name(self) -> str:
        """The annotator's name."""
        return self.spec.name

    @property
    def priority(self) -> int:
        """Knowledge bases have none of their own."""
        return 0

    @property
    def reads_pixels(self) -> bool:
        """Knowledge bases look into texts alone."""
        return False

    @cached_property
    def digest(self) -> str:
        """Changes with the terms, the way they are matched and the classes."""
        words = [FORM, type(self.spec.terms).__name__, asdict(self.spec), self._classes]
        whole = hashlib.sha256(json.dumps(words, sort_keys=True).encode())
        for file in sorted(self._contents):
            whole.update(hashlib.sha256(self._contents[file]).digest())
        return whole.hexdigest()

    def prepare(self) -> None:
        """Read the terms and build what finds them; takes seconds for a million, once."""
        _ = self._finder

    def vote(self, block: ItemBlock) -> Ballots:
        """Vote on the items of a block."""
        scores = self._finder.scores(block)
        rows, columns = np.nonzero(scores)
        weights = scores[rows, columns] / scores.sum(axis=1)[rows]
        return Ballots(rows.astype(np.int64), pa.array(self._classes, pa.string()).take(pa.array(columns)), weights)

    @cached_property
    def _finder(self) -> TermFinder:
        whole_words = self.spec.terms.whole_words if isinstance(self.spec.terms, GazetteerSpec) else True
        try:
            return TermFinder(self._terms(), whole_words=whole_words, n_classes=len(self._classes))
        except ValueError as error:
            raise BadKnowledgeBase(self.name, str(error)) from error

    def _terms(self) -> Terms:
        terms = self.spec.terms
        match terms:
            case WordNetSpec(synsets=synsets):
                return read_wordnet(WordNetFiles(self._contents), synsets, classes=self._classes)
            case WikipediaSpec(uri=uri, categories=categories):
                return read_wikipedia(self._contents[""], categories, name=_file(uri), classes=self._classes)
        return read_gazetteer(self._contents[""], name=_file(terms.uri), classes=self._classes)


def _file(uri: str) -> str:
    return uri.rstrip("/").rsplit("/", 1)[-1]
