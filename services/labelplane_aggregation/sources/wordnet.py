"""Terms from WordNet's database files: the words of everything that is a kind of a synset.

The files and their lines are described in wndb(5WN); Debian's package wordnet-base has them.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from labelplane_aggregation.sources.terms import Terms

__all__ = ["WordNetFiles", "files_of", "read_wordnet"]

_SYNSET = re.compile(r"(?P<word>.+)\.(?P<part>[nvars])\.(?P<sense>\d{1,3})")
_PARTS = {"n": "noun", "v": "verb", "a": "adj", "s": "adj", "r": "adv"}
_HYPONYMS = ("~", "~i")
_MARKER = re.compile(r"\([a-z]+\)$")


@dataclass(frozen=True, slots=True)
class WordNetFiles:
    """The index and data files of the parts of speech that are asked for, by name ("index.noun")."""

    contents: Mapping[str, bytes]


def files_of(synsets: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the files that these synsets stand in.

    Raises:
        ValueError: one is not written as dog.n.01.
    """
    parts = dict.fromkeys(_PARTS[_parsed(name)[1]] for name in synsets.values())
    return tuple(f"{kind}.{part}" for part in parts for kind in ("index", "data"))


def read_wordnet(files: WordNetFiles, synsets: Mapping[str, str], *, classes: Sequence[str]) -> Terms:
    """Return the words of each class's synset and of all its hyponyms, instances among them, each with weight 1.

    Raises:
        ValueError: a class is not the task's, or a synset is not in WordNet.
    """
    texts: list[str] = []
    numbers: list[int] = []
    for label, name in synsets.items():
        if label not in classes:
            raise ValueError(f"synsets: {label!r} is no class of the task: correct it")
        word, part, sense = _parsed(name)
        index, data = (files.contents[f"{kind}.{_PARTS[part]}"] for kind in ("index", "data"))
        found = dict.fromkeys(_words_below(data, _offset(index, word, sense, name=name)))
        texts.extend(found)
        numbers.extend([classes.index(label)] * len(found))
    return Terms(texts, np.array(numbers, dtype=np.int64), np.ones(len(texts)))


def _parsed(name: str) -> tuple[str, str, int]:
    match = _SYNSET.fullmatch(name)
    if match is None:
        raise ValueError(f"synset {name!r}: write word, part of speech and sense, as in dog.n.01")
    return match["word"].lower().replace(" ", "_"), match["part"], int(match["sense"])


def _offset(index: bytes, word: str, sense: int, *, name: str) -> int:
    """Return where the synset's line begins in the data file."""
    start = index.find(f"\n{word} ".encode())
    if start < 0:
        raise ValueError(f"synset {name!r}: WordNet has no word {word!r}: correct it")
    fields = index[start + 1 : index.find(b"\n", start + 1)].split()
    offsets = fields[-int(fields[2]) :]
    if not 1 <= sense <= len(offsets):
        raise ValueError(f"synset {name!r}: WordNet knows {len(offsets)} senses of {word!r}: give one of them")
    return int(offsets[sense - 1])


def _words_below(data: bytes, offset: int) -> Iterator[str]:
    """Yield the words of a synset and of those below it, the nearest first."""
    waiting, seen = deque([offset]), {offset}
    while waiting:
        fields = data[(at := waiting.popleft()) : data.find(b"\n", at)].decode().split(" | ", 1)[0].split()
        n_words = int(fields[3], 16)
        for word in fields[4 : 4 + 2 * n_words : 2]:
            yield _MARKER.sub("", word).replace("_", " ")
        pointers = fields[5 + 2 * n_words :]
        n_pointers = int(fields[4 + 2 * n_words])
        for place in range(0, 4 * n_pointers, 4):
            below = int(pointers[place + 1])
            if pointers[place] in _HYPONYMS and below not in seen:
                seen.add(below)
                waiting.append(below)
