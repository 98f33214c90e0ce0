"""Conditions on texts: patterns and keywords. Both run in RE2, whose time grows with the text and never explodes."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from labelplane_aggregation.sources.block import BoolArray, ItemBlock
from labelplane_aggregation.sources.specs import KeywordSpec
from labelplane_aggregation.sources.word_forms import flat_form, padded_form

__all__ = ["Keywords", "Pattern"]

_PREFIX = "Invalid regular expression: "


class Pattern:
    """A pattern that a text holds somewhere.

    Raises:
        ValueError: RE2 does not read it; the message says why. Look-arounds and back references are not in RE2.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        try:
            pc.match_substring_regex(pa.array([""]), pattern=pattern)
        except pa.ArrowInvalid as error:
            raise ValueError(f"RE2 cannot read it ({str(error).removeprefix(_PREFIX)})") from error

    def holds(self, block: ItemBlock) -> BoolArray:
        """Return in which texts the pattern occurs, (items,)."""
        return _found(pc.match_substring_regex(block.text_array, pattern=self._pattern))


class Keywords:
    """Words or phrases that a text holds; see `KeywordSpec`.

    Raises:
        ValueError: a word holds neither letter, digit nor mark, or `within` has nothing to measure.
    """

    def __init__(self, spec: KeywordSpec) -> None:
        if spec.within and len(spec.all_of) < 2:
            raise ValueError("within is the distance between the words of all: name two or more there")
        self._spec = spec
        self._any = self._forms(spec.any_of)
        self._all = self._forms(spec.all_of)

    def holds(self, block: ItemBlock) -> BoolArray:
        """Return which texts hold the words, (items,)."""
        texts = block.search_form(whole_words=self._spec.whole_words, match_case=self._spec.match_case)
        holds = np.ones(len(block), dtype=bool)
        for form in self._all:
            holds &= _found(pc.match_substring(texts, pattern=form))
        if self._any:
            holds &= _found(pc.match_substring_regex(texts, pattern="|".join(map(re.escape, self._any))))
        if self._spec.within:
            for row in np.flatnonzero(holds):
                holds[row] = _are_near(texts[int(row)].as_py(), self._all, self._spec.within)
        return holds

    def _forms(self, words: Sequence[str]) -> list[str]:
        make = padded_form if self._spec.whole_words else flat_form
        forms = [make(word, match_case=self._spec.match_case) for word in words]
        empty = next((word for word, form in zip(words, forms, strict=True) if not form.strip()), None)
        if empty is not None:
            raise ValueError(f"{empty!r} holds no word: remove it")
        return forms


def _are_near(text: str, forms: Sequence[str], within: int) -> bool:
    """Tell whether all forms begin within so many words of each other, by the smallest window over their places."""
    places = sorted((at, number) for number, form in enumerate(forms) for at in _word_places(text, form))
    last: dict[int, int] = {}
    for at, number in places:
        last[number] = at
        if len(last) == len(forms) and at - min(last.values()) <= within:
            return True
    return False


def _word_places(text: str, form: str) -> list[int]:
    """Return at which words of a text a form begins."""
    places, start = [], text.find(form)
    while start >= 0:
        places.append(len(text[:start].split()))
        start = text.find(form, start + 1)
    return places


def _found(mask: pa.BooleanArray) -> BoolArray:
    found: BoolArray = mask.to_numpy(zero_copy_only=False)
    return found
