"""Texts as hashed n-grams of words and characters, the same in every process and release."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["hashed_ngrams", "ngram_ids"]

_Ids = npt.NDArray[np.int64]
_Hashes = npt.NDArray[np.uint64]

# Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014: the finaliser of SplitMix64.
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_SPACE = 0x20
_END = 0x00
_CHUNK_TEXTS = 256
_WORDS = 1
_CHARACTERS = 2


def hashed_ngrams(
    texts: Sequence[str], dims: int, *, word_ngrams: tuple[int, int] = (1, 2), char_ngrams: tuple[int, int] = (3, 5)
) -> npt.NDArray[np.float32]:
    """Return texts as float32 (N, dims): signed counts of n-grams in hash buckets, each row of length 1.

    The sign, another bit of the hash, keeps collisions from adding up (Weinberger et al., "Feature Hashing for Large
    Scale Multitask Learning", ICML 2009). Text is case-folded; words are runs of letters, digits and underscores;
    characters include one space where words meet. A text without n-grams is all zeros. Vectorised over 256 texts at a
    time; O(characters * n-gram sizes + N * dims).
    """
    rows = np.zeros((len(texts), dims), dtype=np.float32)
    for start in range(0, len(texts), _CHUNK_TEXTS):
        chunk = texts[start : start + _CHUNK_TEXTS]
        ids, hashes = _all_ngrams(chunk, word_ngrams, char_ngrams)
        signs = 1.0 - 2.0 * (hashes & np.uint64(1)).astype(np.float64)
        cells = ids * dims + _buckets(hashes, dims)
        counts = np.bincount(cells, weights=signs, minlength=len(chunk) * dims)
        rows[start : start + len(chunk)] = counts.reshape(len(chunk), dims)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-12))
    return rows


def ngram_ids(
    texts: Sequence[str],
    dims: int,
    *,
    length: int,
    word_ngrams: tuple[int, int] = (1, 2),
    char_ngrams: tuple[int, int] = (3, 5),
) -> npt.NDArray[np.int64]:
    """Return texts as int64 (N, length): the bucket, from 1 to dims - 1, of every n-gram, then 0 as padding.

    Words come first, shorter n-grams before longer ones, each in the order of the text; what does not fit in `length`
    is left out. For an embedding bag with `padding_idx=0`.
    """
    rows = np.zeros((len(texts), length), dtype=np.int64)
    for start in range(0, len(texts), _CHUNK_TEXTS):
        chunk = texts[start : start + _CHUNK_TEXTS]
        ids, hashes = _all_ngrams(chunk, word_ngrams, char_ngrams)
        order = np.argsort(ids, kind="stable")
        ids, buckets = ids[order], _buckets(hashes[order], dims - 1) + 1
        firsts = np.searchsorted(ids, np.arange(len(chunk)))
        columns = np.arange(len(ids)) - firsts[ids]
        fits = columns < length
        rows[start + ids[fits], columns[fits]] = buckets[fits]
    return rows


@dataclass(frozen=True, slots=True)
class _Symbols:
    """Texts laid end to end: code points, one space between words, a zero after every text; and whose each is."""

    points: npt.NDArray[np.uint32]
    ids: _Ids


def _all_ngrams(
    texts: Sequence[str], word_ngrams: tuple[int, int], char_ngrams: tuple[int, int]
) -> tuple[_Ids, _Hashes]:
    """Return the text and the hash of every n-gram: words before characters, shorter before longer."""
    symbols = _symbols(texts)
    found = [
        *_ngrams(*_word_hashes(symbols), word_ngrams, _WORDS),
        *_ngrams(*_point_hashes(symbols), char_ngrams, _CHARACTERS),
    ]
    return np.concatenate([ids for ids, _ in found]), np.concatenate([hashes for _, hashes in found])


def _symbols(texts: Sequence[str]) -> _Symbols:
    joined = "\0".join(text.replace("\0", " ") for text in texts).casefold() + "\0"
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    distinct, places = np.unique(points, return_inverse=True)
    is_word = np.array([chr(point).isalnum() or point == ord("_") for point in distinct.tolist()])[places]
    is_end = points == _END
    spaced = np.where(is_word | is_end, points, np.uint32(_SPACE))
    ids = np.cumsum(is_end) - is_end
    # A space stays where a word precedes it; of those, one before a text's end goes.
    follows_word = (spaced != _SPACE) | np.concatenate([[False], is_word[:-1]])
    spaced, ids = spaced[follows_word], ids[follows_word]
    is_last = (spaced == _SPACE) & np.concatenate([spaced[1:] == _END, [False]])
    return _Symbols(spaced[~is_last], ids[~is_last])


def _word_hashes(symbols: _Symbols) -> tuple[_Ids, _Hashes]:
    """Return the text and the hash of every word: a polynomial in its code points, then mixed."""
    is_word = (symbols.points != _SPACE) & (symbols.points != _END)
    is_start = is_word & ~np.concatenate([[False], is_word[:-1]])
    starts = np.flatnonzero(is_start)
    if not len(starts):
        return np.zeros(0, np.int64), np.zeros(0, np.uint64)
    positions = np.flatnonzero(is_word)
    words = np.cumsum(is_start[positions]) - 1
    places = positions - starts[words]
    powers = np.cumprod(np.full(places.max() + 1, _GAMMA, np.uint64))
    terms = symbols.points[positions].astype(np.uint64) * powers[places]
    return symbols.ids[starts], _mix(np.add.reduceat(terms, np.searchsorted(positions, starts)))


def _point_hashes(symbols: _Symbols) -> tuple[_Ids, _Hashes]:
    """Return the text and the hash of every character; an end belongs to no text, so no n-gram crosses it."""
    is_end = symbols.points == _END
    return np.where(is_end, -1 - symbols.ids, symbols.ids), _mix(symbols.points.astype(np.uint64))


def _ngrams(ids: _Ids, hashes: _Hashes, bounds: tuple[int, int], kind: int) -> Iterator[tuple[_Ids, _Hashes]]:
    """Yield text and hash of every run of n symbols inside one text, for n from the lower to the upper bound."""
    low, high = bounds
    mixed = np.full(len(hashes), np.uint64(kind))
    for size in range(1, high + 1):
        n_runs = max(len(hashes) - size + 1, 0)
        mixed = _mix(mixed[:n_runs] * _GAMMA + hashes[size - 1 :][:n_runs])
        if size >= low > 0:
            is_inside = (ids[:n_runs] >= 0) & (ids[:n_runs] == ids[size - 1 :][:n_runs])
            yield ids[:n_runs][is_inside], mixed[is_inside]


def _mix(values: _Hashes) -> _Hashes:
    mixed = (values ^ (values >> np.uint64(30))) * _MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    return mixed ^ (mixed >> np.uint64(31))


def _buckets(hashes: _Hashes, dims: int) -> _Ids:
    """Return each hash's bucket below `dims`, from its upper bits; the lowest bit is the sign's."""
    return ((hashes >> np.uint64(1)) % np.uint64(dims)).astype(np.int64)
