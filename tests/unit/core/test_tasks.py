import base64
import io
import zlib
from collections.abc import Callable
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from PIL import Image
from vote_tables import make_votes

from labelplane_core.errors import (
    BadItem,
    BadTable,
    CorruptItem,
    EmptyItem,
    ItemTooLarge,
    UnknownClass,
    UnknownTaskKind,
    UnsupportedFormat,
)
from labelplane_core.tables import UNIT_POSTERIORS, UNIT_VOTES, from_matrix
from labelplane_core.tasks import TASK_KINDS, ImageClassification, Modality, TaskKind, TextClassification, task_kind

CLASSES = ("cat", "dog", "Dog house")
IMAGES = ImageClassification()
TEXTS = TextClassification()


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def make_pixels(height: int = 3, width: int = 5) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def claiming_png(width: int, height: int) -> bytes:
    """Return a PNG whose header claims a size that its data does not have."""
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(data).to_bytes(4) + name + data + zlib.crc32(name + data).to_bytes(4)
        for name, data in [
            (b"IHDR", width.to_bytes(4) + height.to_bytes(4) + bytes([8, 2, 0, 0, 0])),
            (b"IDAT", zlib.compress(b"\0" * 64)),
            (b"IEND", b""),
        ]
    )


@pytest.fixture(params=TASK_KINDS, ids=lambda kind: kind.type_name)
def kind(request: pytest.FixtureRequest) -> TaskKind:
    assert isinstance(request.param, TaskKind)
    return request.param


class TestEveryKind:
    """What every kind of task must do; a new kind runs it by being registered."""

    def test_it_is_found_by_its_type(self, kind: TaskKind) -> None:
        assert task_kind(kind.type_name) is kind

    def test_it_says_what_the_report_draws_and_what_exports_it(self, kind: TaskKind) -> None:
        assert kind.report_panels
        assert kind.export_formats
        assert len(set(kind.report_panels)) == len(kind.report_panels)

    def test_nothing_is_an_item_of_nothing(self, kind: TaskKind) -> None:
        assert kind.detect([]) == 0.0

    @pytest.mark.parametrize(
        "raw", [b"", b"\x00\xff\xfe", b"\x89PNG\r\n\x1a\n"], ids=["empty", "binary", "half a header"]
    )
    def test_hostile_bytes_are_a_bad_item_or_an_item(self, kind: TaskKind, raw: bytes) -> None:
        with pytest.raises(BadItem):
            kind.decode(raw)
        with pytest.raises(BadItem):
            kind.thumbnail(raw)


def test_unknown_type_lists_those_there_are() -> None:
    with pytest.raises(UnknownTaskKind, match="ImageClassification, TextClassification"):
        task_kind("Dance")


def test_files_are_recognised_by_their_endings() -> None:
    names = ["a/1.PNG", "a/2.jpeg", "notes.txt", "README"]

    assert IMAGES.detect(names) == 0.5
    assert TEXTS.detect(names) == 0.25
    assert (IMAGES.modality, TEXTS.modality) == (Modality.IMAGE, Modality.TEXT)


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "WEBP", "PPM"])
def test_lossless_image_is_decoded_to_its_pixels(form: str) -> None:
    pixels = make_pixels()

    decoded = IMAGES.decode(encoded(Image.fromarray(pixels), form, **({"lossless": True} if form == "WEBP" else {})))

    assert isinstance(decoded, np.ndarray)
    np.testing.assert_array_equal(decoded, pixels)
    assert decoded.dtype == np.uint8


def test_every_suffix_that_is_detected_can_be_decoded() -> None:
    forms = {".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF", ".pgm": "PPM", ".ppm": "PPM"}

    for suffix in ImageClassification.suffixes:
        form = forms.get(suffix, suffix.removeprefix(".").upper())
        assert IMAGES.decode(encoded(Image.fromarray(make_pixels()), form)).shape == (3, 5, 3)
        assert IMAGES.detect([str(PurePosixPath("x").with_suffix(suffix))]) == 1.0


@pytest.mark.parametrize(
    ("image", "want"),
    [
        pytest.param(Image.new("L", (1, 1), 7), (7, 7, 7), id="grey"),
        pytest.param(Image.new("1", (1, 1), 1), (255, 255, 255), id="black and white"),
        pytest.param(Image.new("RGBA", (1, 1), (9, 9, 9, 0)), (255, 255, 255), id="transparent is white"),
        pytest.param(Image.new("RGBA", (1, 1), (9, 8, 7, 255)), (9, 8, 7), id="opaque keeps its colour"),
        pytest.param(Image.new("LA", (1, 1), (9, 0)), (255, 255, 255), id="transparent grey"),
        pytest.param(Image.new("I;16", (1, 1), 257 * 200), (200, 200, 200), id="16 bits are scaled, not cut"),
        pytest.param(Image.new("P", (1, 1), 0), (0, 0, 0), id="palette"),
    ],
)
def test_image_of_any_mode_becomes_rgb(image: Image.Image, want: tuple[int, int, int]) -> None:
    assert tuple(IMAGES.decode(encoded(image))[0, 0].tolist()) == want


def test_image_is_turned_as_its_camera_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6

    decoded = IMAGES.decode(encoded(Image.new("RGB", (4, 2)), "JPEG", exif=exif))

    assert decoded.shape == (4, 2, 3)


def test_animation_is_its_first_frame() -> None:
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("red", "blue")]

    decoded = IMAGES.decode(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))

    assert tuple(decoded[0, 0].tolist()) == (255, 0, 0)


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        pytest.param(b"", EmptyItem, id="no bytes"),
        pytest.param("", EmptyItem, id="no text where bytes belong"),
        pytest.param(b"hello, I am a text", UnsupportedFormat, id="not an image"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", UnsupportedFormat, id="a format that is not read"),
        pytest.param(encoded(Image.fromarray(make_pixels(64, 64)))[:2000], CorruptItem, id="cut short"),
        pytest.param(claiming_png(8000, 8000), ItemTooLarge, id="64 million pixels claimed"),
        pytest.param(
            claiming_png(10_000, 10_000), ItemTooLarge, id="100 million pixels claimed, where the decoder warns"
        ),
        pytest.param(
            claiming_png(60_000, 60_000), ItemTooLarge, id="3,600 million pixels claimed, where the decoder refuses"
        ),
        pytest.param(b"\x89PNG" + b"\0" * (64 << 20), ItemTooLarge, id="too many bytes"),
    ],
)
def test_bad_image_is_refused_with_its_reason(raw: bytes | str, want: type[BadItem]) -> None:
    with pytest.raises(want) as caught:
        IMAGES.decode(raw)

    assert type(caught.value) is want


def test_thumbnail_of_an_image_is_a_small_png_in_a_data_address() -> None:
    uri = IMAGES.thumbnail(encoded(Image.fromarray(make_pixels(300, 100)), "JPEG"), size=48)

    scheme, _, data = uri.partition(",")
    picture = Image.open(io.BytesIO(base64.b64decode(data)))
    assert scheme == "data:image/png;base64"
    assert (picture.format, picture.size) == ("PNG", (16, 48))


def test_thumbnail_does_not_enlarge_a_small_image() -> None:
    _, _, data = IMAGES.thumbnail(encoded(Image.fromarray(make_pixels(3, 5)))).partition(",")

    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (5, 3)


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        pytest.param("grüße", "grüße", id="text"),
        pytest.param("grüße".encode(), "grüße", id="UTF-8"),
        pytest.param(b"\xef\xbb\xbfhello", "hello", id="byte order mark"),
        pytest.param("  two  words \n", "  two  words \n", id="white space stays"),
    ],
)
def test_text_is_decoded(raw: bytes | str, want: str) -> None:
    assert TEXTS.decode(raw) == want


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        pytest.param("", EmptyItem, id="empty"),
        pytest.param(" \n\t\u00a0", EmptyItem, id="white space"),
        pytest.param(b"\xef\xbb\xbf", EmptyItem, id="a byte order mark alone"),
        pytest.param(b"caf\xe9", CorruptItem, id="Latin-1"),
        pytest.param("\ud800", CorruptItem, id="half a pair"),
        pytest.param("x" * ((1 << 20) + 1), ItemTooLarge, id="over a mebibyte"),
        pytest.param(b"x" * ((1 << 20) + 1), ItemTooLarge, id="over a mebibyte of bytes"),
    ],
)
def test_bad_text_is_refused_with_its_reason(raw: bytes | str, want: type[BadItem]) -> None:
    with pytest.raises(want):
        TEXTS.decode(raw)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        pytest.param("hello", "hello", id="short"),
        pytest.param("a\n b\t\tc", "a b c", id="one line"),
        pytest.param(
            "<script>alert('x')</script>", "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;", id="markup is escaped"
        ),
        pytest.param("x" * 200, "x" * 95 + "…", id="long"),
    ],
)
def test_snippet_of_a_text_is_short_and_safe(text: str, want: str) -> None:
    assert TEXTS.thumbnail(text) == want


@pytest.mark.parametrize(
    ("text", "want"), [("cat", "cat"), (" CAT ", "cat"), ("dog HOUSE", "Dog house"), ("Dog house", "Dog house")]
)
def test_answer_is_spelled_as_its_class(text: str, want: str) -> None:
    assert IMAGES.parse_answer(text, CLASSES) == want


@pytest.mark.parametrize(
    ("text", "hint"),
    [("cta", "did you mean 'cat'"), ("zebra", "the task has 3: cat, dog, Dog house"), ("", "the task has 3")],
)
def test_unknown_answer_is_refused_with_a_hint(text: str, hint: str) -> None:
    with pytest.raises(UnknownClass, match=hint):
        IMAGES.parse_answer(text, CLASSES)


def test_answer_that_fits_two_classes_but_for_case_is_not_guessed() -> None:
    assert TEXTS.parse_answer("us", ("us", "US")) == "us"
    with pytest.raises(UnknownClass):
        TEXTS.parse_answer("Us", ("us", "US"))


def test_votes_on_items_are_votes_on_units_of_the_same_name() -> None:
    votes = (
        make_votes().vote("a", item="i1", answer="cat").vote("b", item="i2", answer="dog", annotator="other").build()
    )

    units = IMAGES.vote_units(votes, CLASSES)

    assert units.schema.equals(UNIT_VOTES.arrow, check_metadata=True)
    assert units.select(["unit", "item_id", "annotator", "answer", "weight"]).to_pylist() == [
        {"unit": "i1", "item_id": "i1", "annotator": "ann", "answer": "cat", "weight": 1.0},
        {"unit": "i2", "item_id": "i2", "annotator": "other", "answer": "dog", "weight": 1.0},
    ]


def test_no_votes_are_votes_on_no_units() -> None:
    assert len(IMAGES.vote_units(make_votes().build(), CLASSES)) == 0


def test_vote_for_no_class_is_named() -> None:
    votes = make_votes().vote("a", answer="cat").vote("b", item="i2", answer="emu").build()

    with pytest.raises(UnknownClass, match=r"vote 'b' on item 'i2'.*'emu'"):
        IMAGES.vote_units(votes, CLASSES)


def make_unit_posteriors(rows: list[list[float]]) -> pa.Table:
    names = [f"i{row}" for row in range(len(rows))]
    matrix = np.array(rows).reshape(len(rows), -1)
    return pa.table(
        {"unit": names, "item_id": names, "probabilities": from_matrix(matrix)}, schema=UNIT_POSTERIORS.arrow
    )


@pytest.mark.parametrize(
    ("rows", "want"),
    [
        pytest.param([[0.1, 0.7, 0.2]], [("i0", "dog", 0.7)], id="the most probable"),
        pytest.param([[0.4, 0.4, 0.2]], [("i0", "cat", 0.4)], id="a tie is the first class's"),
        pytest.param([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], [("i0", "cat", 1.0), ("i1", "Dog house", 1.0)], id="certain"),
    ],
)
def test_label_is_the_most_probable_class(rows: list[list[float]], want: list[tuple[str, str, float]]) -> None:
    labels = IMAGES.labels_from_units(make_unit_posteriors(rows), CLASSES)

    assert [tuple(row.values()) for row in labels.to_pylist()] == want


def test_no_units_make_no_labels() -> None:
    labels = IMAGES.labels_from_units(UNIT_POSTERIORS.empty(), CLASSES)

    assert labels.num_rows == 0
    assert labels.schema.types == [pa.string(), pa.string(), pa.float64()]


def test_posteriors_over_other_classes_are_refused() -> None:
    with pytest.raises(BadTable, match="2 probabilities a row for 3 classes"):
        IMAGES.labels_from_units(make_unit_posteriors([[0.5, 0.5]]), CLASSES)


def test_uncertainty_of_an_item_is_that_of_its_one_unit() -> None:
    items = pa.table({"item_id": ["a", "b"], "uncertainty": [0.1, 0.9]})

    assert TEXTS.item_uncertainty(items).equals(items)


def test_decoding_changes_nothing_outside() -> None:
    bound: Callable[[], int | None] = lambda: Image.MAX_IMAGE_PIXELS  # noqa: E731
    before = bound()
    IMAGES.decode(encoded(Image.fromarray(make_pixels())))

    assert bound() == before


@pytest.mark.parametrize(
    ("form", "media_type"),
    [
        pytest.param("PNG", "image/png", id="png"),
        pytest.param("JPEG", "image/jpeg", id="jpeg"),
        pytest.param("GIF", "image/gif", id="gif"),
        pytest.param("WEBP", "image/webp", id="webp"),
        pytest.param("BMP", "image/bmp", id="bmp"),
    ],
)
def test_image_that_browsers_know_is_presented_as_it_is(form: str, media_type: str) -> None:
    raw = encoded(Image.fromarray(make_pixels()), form)
    presented = IMAGES.present(raw)
    assert (presented.media_type, presented.data) == (media_type, raw)


@pytest.mark.parametrize("form", ["TIFF", "PPM"])
def test_image_that_browsers_do_not_know_is_presented_as_png(form: str) -> None:
    presented = IMAGES.present(encoded(Image.fromarray(make_pixels()), form))
    assert presented.media_type == "image/png"
    assert np.array_equal(IMAGES.decode(presented.data), make_pixels())


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        pytest.param(b"", EmptyItem, id="empty"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", UnsupportedFormat, id="what could run"),
        pytest.param(claiming_png(100_000, 100_000), ItemTooLarge, id="a bomb"),
    ],
)
def test_what_is_no_image_is_not_presented(raw: bytes, error: type[BadItem]) -> None:
    with pytest.raises(error):
        IMAGES.present(raw)


def test_text_is_presented_as_text_whatever_it_says() -> None:
    presented = TEXTS.present("<script>ü")
    assert (presented.media_type, presented.data) == ("text/plain; charset=utf-8", "<script>ü".encode())
