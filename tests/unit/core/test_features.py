import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labelplane_core.errors import BadInputSpec
from labelplane_core.features import InputKind, InputSpec, hashed_ngrams, image_batch, ngram_ids, pixels

TEXTS = ["The quick brown fox", "jumps", "", "日本語 テキスト", "a_b c-d 12", "x" * 300]


def make_image(height: int = 6, width: int = 4, *, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def make_spec(kind: InputKind) -> InputSpec:
    return InputSpec(kind, height=5, width=7, channels=3, dims=64, length=20)


@pytest.mark.parametrize("kind", list(InputKind))
def test_batch_has_the_shape_and_type_that_the_specification_says(kind: InputKind) -> None:
    spec = make_spec(kind)
    items: list[Any] = [make_image(), make_image()] if kind in {InputKind.IMAGE, InputKind.PIXELS} else ["one", "two"]

    for count in (0, 1, 2):
        batch = spec.encode(items[:count])
        assert batch.shape == (count, *spec.shape)
        assert batch.dtype == spec.dtype
        assert batch.flags.c_contiguous


@pytest.mark.parametrize("kind", list(InputKind))
def test_row_depends_on_its_item_alone(kind: InputKind) -> None:
    spec = make_spec(kind)
    items: list[Any] = (
        [make_image(3 + seed, 9, seed=seed) for seed in range(5)]
        if kind in {InputKind.IMAGE, InputKind.PIXELS}
        else TEXTS
    )

    batch = spec.encode(items)

    for row, item in enumerate(items):
        np.testing.assert_array_equal(spec.encode([item])[0], batch[row])


@pytest.mark.parametrize("kind", list(InputKind))
def test_specification_survives_json(kind: InputKind) -> None:
    spec = make_spec(kind)

    assert InputSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"height": 0}, id="no rows"),
        pytest.param({"width": 5000}, id="too wide"),
        pytest.param({"channels": 2}, id="two channels"),
        pytest.param({"dims": 1}, id="one bucket"),
        pytest.param({"length": 0}, id="no length"),
        pytest.param({"dims": 1.5}, id="half a bucket"),
        pytest.param({"height": True}, id="a truth value"),
        pytest.param({"word_ngrams": [2, 1]}, id="n-grams from high to low"),
        pytest.param({"char_ngrams": [1, 9]}, id="n-grams too long"),
        pytest.param({"char_ngrams": [0, 2]}, id="n-grams of nothing"),
        pytest.param({"word_ngrams": [0, 0], "char_ngrams": [0, 0]}, id="no n-grams at all"),
        pytest.param({"word_ngrams": 3}, id="no range"),
        pytest.param({"kind": "smell"}, id="unknown kind"),
        pytest.param({"colour": "red"}, id="unknown field"),
    ],
)
def test_malformed_specification_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(BadInputSpec):
        InputSpec.from_json(make_spec(InputKind.IMAGE).to_json() | change)


@pytest.mark.parametrize("record", [None, [], "image", {}])
def test_what_is_no_specification_is_refused(record: object) -> None:
    with pytest.raises(BadInputSpec):
        InputSpec.from_json(record)


def test_items_of_the_other_modality_are_refused() -> None:
    with pytest.raises(BadInputSpec, match="takes images"):
        make_spec(InputKind.PIXELS).encode([make_image(), "text"])
    with pytest.raises(BadInputSpec, match="takes texts"):
        make_spec(InputKind.NGRAM_IDS).encode(["text", make_image()])


def test_image_of_the_right_size_keeps_its_values() -> None:
    image = make_image(5, 7)

    batch = image_batch([image], height=5, width=7, channels=3)

    np.testing.assert_array_equal(batch[0], image.transpose(2, 0, 1).astype(np.float32) / np.float32(255))


def test_grey_is_the_luma_of_the_colours() -> None:
    image = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], dtype=np.uint8)

    batch = image_batch([image], height=1, width=3, channels=1)

    np.testing.assert_allclose(batch[0, 0, 0], [0.299, 0.587, 0.114], atol=1 / 255)


def test_shrinking_averages_over_the_area() -> None:
    checkerboard = (np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)
    image = np.repeat(checkerboard[:, :, None], 3, axis=2)

    batch = image_batch([image], height=8, width=8, channels=1)

    np.testing.assert_allclose(batch, 0.5, atol=0.02)


def test_pixels_drop_brightness_and_contrast() -> None:
    dark = (make_image(5, 7) // 4).astype(np.uint8)
    bright = (dark * 3 + 40).astype(np.uint8)

    rows = pixels([dark, bright], height=5, width=7, channels=3)

    np.testing.assert_allclose(rows[0], rows[1], atol=1e-4)
    np.testing.assert_allclose([rows.mean(), rows.std()], [0, 1], atol=1e-4)


def test_pixels_of_one_colour_are_zero() -> None:
    assert not pixels([np.full((5, 7, 3), 9, np.uint8)], height=5, width=7, channels=3).any()


def test_features_change_no_input() -> None:
    image = make_image()
    before = image.copy()

    pixels([image], height=3, width=3, channels=1)

    np.testing.assert_array_equal(image, before)


def test_rows_of_hashed_ngrams_have_length_one_unless_nothing_is_in_them() -> None:
    rows = hashed_ngrams([*TEXTS, "!?"], 128)

    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), [1, 1, 0, 1, 1, 1, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("Hello, World", "hello world", id="case and punctuation"),
        pytest.param("  hello \n world ", "hello world", id="white space"),
        pytest.param("STRASSE", "straße", id="case folding"),
        pytest.param("a\0b", "a b", id="nul"),
    ],
)
def test_texts_that_mean_the_same_have_the_same_features(one: str, other: str) -> None:
    np.testing.assert_array_equal(hashed_ngrams([one], 256), hashed_ngrams([other], 256))


@pytest.mark.parametrize(("one", "other"), [("dog bites man", "man bites dog"), ("abc", "abd"), ("ab c", "a bc")])
def test_texts_that_differ_have_other_features(one: str, other: str) -> None:
    rows = hashed_ngrams([one, other], 4096)

    assert np.abs(rows[0] - rows[1]).max() > 0.1


def test_similar_texts_are_nearer_than_others() -> None:
    rows = hashed_ngrams(["the cat sat on the mat", "a cat sat on a mat", "quarterly revenue fell sharply"], 4096)

    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.3


def ngrams_by_hand(text: str, words: tuple[int, int], characters: tuple[int, int]) -> list[str]:
    folded = "".join(c if c.isalnum() or c == "_" else " " for c in text.casefold()).split()
    joined = " ".join(folded)
    found = [" ".join(folded[i : i + n]) for n in range(*range_of(words)) for i in range(len(folded) - n + 1)]
    return found + [f"#{joined[i : i + n]}" for n in range(*range_of(characters)) for i in range(len(joined) - n + 1)]


def range_of(bounds: tuple[int, int]) -> tuple[int, int]:
    low, high = bounds
    return (low, high + 1) if low else (0, 0)


@settings(deadline=None)
@given(
    st.lists(st.text("abC d,_é\u00df", max_size=12), max_size=4),
    st.sampled_from([(0, 0), (1, 1), (1, 3), (2, 2)]),
    st.sampled_from([(1, 1), (2, 4), (3, 3)]),
)
def test_ids_are_the_ngrams_that_are_found_by_hand(
    texts: list[str], words: tuple[int, int], characters: tuple[int, int]
) -> None:
    rows = ngram_ids(texts, 1 << 22, length=200, word_ngrams=words, char_ngrams=characters)

    names: dict[int, str] = {}
    for text, row in zip(texts, rows, strict=True):
        want = ngrams_by_hand(text, words, characters)
        assert np.count_nonzero(row) == len(want)
        for bucket, name in zip(row[: len(want)].tolist(), want, strict=True):
            assert names.setdefault(bucket, name) == name
    assert len(set(names.values())) == len(names)


def test_ids_lie_between_one_and_the_last_bucket_and_zero_pads() -> None:
    rows = ngram_ids(TEXTS, 10, length=30)

    assert rows.min() == 0
    assert rows.max() == 9
    assert not rows[2].any()


def test_ids_beyond_the_length_are_left_out_and_words_come_first() -> None:
    long = ngram_ids(["one two three four"], 1000, length=50)
    short = ngram_ids(["one two three four"], 1000, length=3)

    np.testing.assert_array_equal(short, long[:, :3])
    np.testing.assert_array_equal(long[0, :4], ngram_ids(["one two three four"], 1000, length=4, char_ngrams=(0, 0))[0])


def test_hashes_are_the_same_in_every_process_and_release() -> None:
    assert ngram_ids(["hello wörld"], 1 << 20, length=6, char_ngrams=(5, 5)).tolist() == [
        [95651, 125606, 243104, 1022376, 825487, 502039]
    ]


def test_more_texts_than_fit_a_chunk_keep_their_rows() -> None:
    texts = [f"text number {number}" for number in range(600)]

    for encode in (lambda part: hashed_ngrams(part, 64), lambda part: ngram_ids(part, 64, length=9)):
        rows = encode(texts)
        for number in (0, 255, 256, 599):
            np.testing.assert_array_equal(encode([texts[number]])[0], rows[number])


def test_buckets_are_used_evenly() -> None:
    words = [f"word{number}" for number in range(20_000)]
    buckets = ngram_ids(words, 101, length=1, char_ngrams=(0, 0))[:, 0] - 1

    counts = np.bincount(buckets, minlength=100)
    chi_square = ((counts - 200) ** 2 / 200).sum()
    assert 55 < chi_square < 155
