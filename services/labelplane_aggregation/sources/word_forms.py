"""Texts and terms in one form, so that what people see as the same word is the same string."""

import re
import unicodedata
from collections.abc import Iterable

__all__ = ["flat_form", "padded_form", "padded_forms", "words_of"]

_WORD = re.compile(r"\w+|[^\w\s]")


def flat_form(text: str, *, match_case: bool = False) -> str:
    """Return a text in Unicode form NFKC, and without case unless `match_case`.

    Case goes by full case folding (Unicode Standard, section 3.13), so "STRASSE" and "Straße" are one.
    """
    if text.isascii():
        return text if match_case else text.lower()
    normal = unicodedata.normalize("NFKC", text)
    return normal if match_case else unicodedata.normalize("NFKC", normal.casefold())


def words_of(text: str, *, match_case: bool = False) -> list[str]:
    """Return a text's words in their normal form; each mark that is neither letter, digit nor space is one, too."""
    return _WORD.findall(flat_form(text, match_case=match_case))


def padded_form(text: str, *, match_case: bool = False) -> str:
    """Return a text as its words, each between two spaces of its own.

    In this form a term is found in a text exactly where it stands as whole words, by plain search; terms that follow
    each other share no space, so none hides the next. Empty for a text without a word.
    """
    words = words_of(text, match_case=match_case)
    return f" {'  '.join(words)} " if words else ""


def padded_forms(texts: Iterable[str], *, match_case: bool = False) -> list[str]:
    """Return `padded_form` of each text."""
    return [padded_form(text, match_case=match_case) for text in texts]
