"""Finding very many terms in texts at once."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import ahocorasick_rs
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from labelplane_aggregation.sources.block import FloatArray, ItemBlock
from labelplane_aggregation.sources.word_forms import flat_form, words_of

__all__ = ["TermFinder", "Terms"]

_UNKNOWN = "\0"
_FIRST_SURROGATE, _SURROGATES = 0xD800, 0x800


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """Terms with their classes; a term may come several times.

    Attributes:
        texts: (terms,): as they are written.
        classes: int64, (terms,): place in the task's classes.
        weights: (terms,): at least 0.
    """

    texts: Sequence[str]
    classes: npt.NDArray[np.int64]
    weights: FloatArray


class TermFinder:
    """Finds terms by an Aho-Corasick automaton: at each place the longest, none inside another, in one pass.

    Texts and terms are compared in their normal form (Unicode NFKC, case folded). With `whole_words` a term counts only
    where it stands as whole words: each different word of the terms is spelt as one character and all other words as
    one more, so that the automaton steps from word to word and its size follows the words, not their letters. Linear in
    the text, whatever the number of terms. A million terms take some 5 s and 0.7 GB to build.

    Source: A. V. Aho and M. J. Corasick, Efficient String Matching, Communications of the ACM 18 (1975).

    Raises:
        ValueError: the terms have more different words than there are characters, 1,112,062.
    """

    def __init__(self, terms: Terms, *, whole_words: bool, n_classes: int) -> None:
        self._alphabet = _Alphabet() if whole_words else None
        self._n_classes = n_classes
        forms = pa.array(self._spelt(terms.texts), pa.string()).dictionary_encode()
        patterns = forms.dictionary.to_pylist()
        codes = forms.indices.to_numpy().astype(np.int64)
        # A letter may well be a space: only terms that are written out can be blank without being empty.
        usable = np.array([bool(pattern if self._alphabet else pattern.strip()) for pattern in patterns], dtype=bool)
        self.n_terms = int(usable.sum())
        numbers = np.cumsum(usable) - 1
        kept = usable[codes]
        self._take_in(numbers[codes[kept]], terms.classes[kept], terms.weights[kept])
        self._automaton = ahocorasick_rs.AhoCorasick(
            [pattern for pattern, is_usable in zip(patterns, usable, strict=True) if is_usable],
            matchkind=ahocorasick_rs.MATCHKIND_LEFTMOST_LONGEST,
            store_patterns=False,
        )

    def scores(self, block: ItemBlock) -> FloatArray:
        """Return (items, classes): the weights of the terms that each text holds, a term as often as it occurs."""
        scores = np.zeros((len(block), self._n_classes))
        if not self.n_terms:
            return scores
        rows, found = self._matches(block)
        counts = self._counts[found]
        places = np.repeat(self._starts[found] - np.cumsum(counts) + counts, counts) + np.arange(int(counts.sum()))
        np.add.at(scores, (np.repeat(rows, counts), self._classes[places]), self._weights[places])
        return scores

    def _spelt(self, texts: Sequence[str]) -> list[str]:
        if self._alphabet is None:
            return [flat_form(text) for text in texts]
        return [self._alphabet.spell(words_of(text)) for text in texts]

    def _take_in(self, numbers: npt.NDArray[np.int64], classes: npt.NDArray[np.int64], weights: FloatArray) -> None:
        """Keep the classes of each pattern side by side."""
        order = np.argsort(numbers, kind="stable")
        self._classes, self._weights = classes[order], weights[order]
        self._counts = np.bincount(numbers, minlength=self.n_terms)
        self._starts = np.cumsum(self._counts) - self._counts

    def _matches(self, block: ItemBlock) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Return the item of each match, and the number of its pattern."""
        if self._alphabet is None:
            texts = block.search_form(whole_words=False, match_case=False).to_pylist()
        else:
            padded = block.search_form(whole_words=True, match_case=False).to_pylist()
            texts = [self._alphabet.read(text.split()) for text in padded]
        matches = [self._automaton.find_matches_as_indexes(text) for text in texts]
        rows = np.repeat(np.arange(len(texts)), [len(each) for each in matches])
        found = np.array([match[0] for each in matches for match in each], dtype=np.int64)
        return rows.astype(np.int64), found


class _Alphabet:
    """A character for each word that it has been taught, up to the character of number `largest`."""

    def __init__(self, largest: int = sys.maxunicode) -> None:
        self._largest = largest
        self._letters: dict[str, str] = {}

    def spell(self, words: Sequence[str]) -> str:
        """Return words as characters, and learn those that are new."""
        return "".join([self._letters.get(word) or self._learn(word) for word in words])

    def read(self, words: Sequence[str]) -> str:
        """Return words as characters, all unknown ones as the same."""
        letters = self._letters
        return "".join([letters.get(word, _UNKNOWN) for word in words])

    def _learn(self, word: str) -> str:
        number = len(self._letters) + 1
        if number >= _FIRST_SURROGATE:  # halves of pairs in UTF-16, which are no characters
            number += _SURROGATES
        if number > self._largest:
            raise ValueError(f"the terms have more than {len(self._letters):,} different words: split them in two")
        self._letters[word] = chr(number)
        return self._letters[word]
