"""Terms from a dump of Wikipedia: titles of the pages in a category, and of the redirects to them.

A dump is the XML that the projects publish (pages-articles), plain or compressed by bzip2 or gzip. It is read as a
stream, so memory holds titles and never texts.
"""

import bz2
import gzip
import io
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any
from xml.parsers import expat

import numpy as np

from labelplane_aggregation.sources.terms import Terms

__all__ = ["read_wikipedia"]

_LINK = re.compile(r"\[\[\s*([^\]|:]+?)\s*:\s*([^\]|#]+?)\s*(?:\|[^\]]*)?\]\]")
_QUALIFIER = re.compile(r"\s*\([^()]*\)$")
_CHUNK_BYTES = 1 << 20
_ARTICLES = "0"
_CATEGORIES = "14"
"""Numbers of namespaces, the same in every language; their names are in the dump's head."""


@dataclass(slots=True)
class _Page:
    """What is read of a page."""

    title: str = ""
    namespace: str = ""
    redirect: str = ""
    text: list[str] = field(default_factory=list)

    def categories(self, prefixes: Container[str]) -> set[str]:
        """Return the categories that the text puts the page into."""
        links = _LINK.findall("".join(self.text))
        return {_category_form(name) for prefix, name in links if prefix.casefold() in prefixes}


def read_wikipedia(data: bytes, categories: Mapping[str, str], *, name: str, classes: Sequence[str]) -> Terms:
    """Return the titles of the pages that stand in each class's category itself, and of their redirects, weight 1.

    A qualifier in brackets is left out ("Mercury (planet)" is the term "Mercury"). Pages of sub-categories do not
    count.

    Raises:
        ValueError: a class is not the task's, the file is no dump, or no page stands in any category.
    """
    places = _wanted(categories, classes)
    found: list[tuple[str, int]] = []
    redirects: list[tuple[str, str]] = []
    reader = _Reader()
    for page in _pages(data, reader, name):
        if page.namespace != _ARTICLES:
            continue
        if page.redirect:
            redirects.append((page.title, page.redirect))
        else:
            inside = page.categories(reader.category_prefixes)
            found.extend((page.title, places[category]) for category in sorted(inside & places.keys()))
    if not found:
        raise ValueError(
            f"{name}: no page stands in {', '.join(map(repr, categories.values()))}: correct the categories"
        )
    by_title: dict[str, list[int]] = {}
    for title, place in found:
        by_title.setdefault(title, []).append(place)
    found.extend((title, place) for title, target in redirects for place in by_title.get(target, ()))
    texts = [_QUALIFIER.sub("", title) or title for title, _ in found]
    return Terms(texts, np.array([place for _, place in found], dtype=np.int64), np.ones(len(found)))


def _wanted(categories: Mapping[str, str], classes: Sequence[str]) -> dict[str, int]:
    wanted: dict[str, int] = {}
    for label, category in categories.items():
        if label not in classes:
            raise ValueError(f"categories: {label!r} is no class of the task: correct it")
        form = _category_form(category)
        if form in wanted:
            raise ValueError(f"categories: {category!r} stands for two classes: give each its own")
        wanted[form] = classes.index(label)
    return wanted


def _category_form(name: str) -> str:
    """Return a category's name as the software compares it: the first letter is always large, _ is a space."""
    plain = " ".join(name.replace("_", " ").split())
    return plain[:1].upper() + plain[1:]


def _pages(data: bytes, reader: "_Reader", name: str) -> Iterator[_Page]:
    """Yield the pages of a dump, one at a time."""
    try:
        with _opened(data) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                reader.parser.Parse(chunk, False)
                yield from reader.taken()
            reader.parser.Parse(b"", True)
    except (expat.ExpatError, OSError, EOFError) as error:
        raise ValueError(f"{name}: no dump of Wikipedia ({error}): give a pages-articles file") from error


def _opened(data: bytes) -> IO[bytes] | gzip.GzipFile:
    if data.startswith(b"BZh"):
        return bz2.open(io.BytesIO(data))
    return gzip.open(io.BytesIO(data)) if data.startswith(b"\x1f\x8b") else io.BytesIO(data)


class _Reader:
    """Collects pages from expat's events; entities that a document declares itself are refused, not expanded."""

    def __init__(self) -> None:
        self.category_prefixes = {"category"}
        self._namespace = ""
        self._path: list[str] = []
        self._page = _Page()
        self._done: list[_Page] = []
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.EntityDeclHandler = self._refuse

    def taken(self) -> list[_Page]:
        """Return the pages that are complete, and forget them."""
        done, self._done = self._done, []
        return done

    def _start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._path.append(tag)
        if tag == "page":
            self._page = _Page()
        elif tag == "redirect":
            self._page.redirect = attributes.get("title", "")
        elif tag == "namespace":
            self._namespace = attributes.get("key", "")

    def _end(self, tag: str) -> None:
        self._path.pop()
        if tag == "page":
            self._done.append(self._page)

    def _text(self, text: str) -> None:
        match self._path[-1]:
            case "title":
                self._page.title += text
            case "ns":
                self._page.namespace += text
            case "text":
                self._page.text.append(text)
            case "namespace" if self._namespace == _CATEGORIES:
                self.category_prefixes.add(text.strip().casefold())

    def _refuse(self, *_: Any) -> None:
        raise expat.ExpatError("it declares entities of its own")
