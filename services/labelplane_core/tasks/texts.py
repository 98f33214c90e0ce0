"""Classification of texts."""

import html
from typing import ClassVar

from labelplane_core.errors import CorruptItem, EmptyItem, ItemTooLarge
from labelplane_core.tasks.classification import ClassificationKind
from labelplane_core.tasks.kind import Modality, Presentation

__all__ = ["TextClassification", "decode_text"]

MAX_TEXT_BYTES = 1 << 20


class TextClassification(ClassificationKind):
    """One class for every text."""

    type_name: ClassVar[str] = "TextClassification"
    modality: ClassVar[Modality] = Modality.TEXT
    suffixes: ClassVar[frozenset[str]] = frozenset({".txt"})

    def decode(self, raw: bytes | str) -> str:
        """Return the text; see `decode_text`."""
        return decode_text(raw)

    def thumbnail(self, raw: bytes | str, *, size: int = 96) -> str:
        """Return the text's first `size` characters on one line, escaped for HTML; an ellipsis marks a cut."""
        line = " ".join(decode_text(raw).split())
        return html.escape(line if len(line) <= size else f"{line[: size - 1]}…")

    def present(self, raw: bytes | str) -> Presentation:
        """Return the text as UTF-8."""
        return Presentation("text/plain; charset=utf-8", decode_text(raw).encode())


def decode_text(raw: bytes | str) -> str:
    """Return a text from UTF-8 bytes, or as it is, without a byte order mark.

    Raises:
        EmptyItem: Nothing but white space.
        ItemTooLarge: More than 1 MiB in UTF-8.
        CorruptItem: Not valid UTF-8.
    """
    size = len(raw) if isinstance(raw, bytes) else len(raw.encode("utf-8", "surrogatepass"))
    if size > MAX_TEXT_BYTES:
        raise ItemTooLarge(f"the text has {size} bytes, more than {MAX_TEXT_BYTES}")
    try:
        text = raw.decode("utf-8") if isinstance(raw, bytes) else raw.encode("utf-8").decode("utf-8")
    except UnicodeError as error:
        raise CorruptItem(f"the text is not valid UTF-8: {error}") from error
    if not text.strip("\ufeff \t\r\n\v\f\u00a0"):
        raise EmptyItem("the text is empty")
    return text.removeprefix("\ufeff")
