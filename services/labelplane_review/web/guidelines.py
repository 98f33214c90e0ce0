"""Guidelines, written as Markdown, as HTML in which nothing of theirs can run."""

from markdown_it import MarkdownIt
from markupsafe import Markup

__all__ = ["guidelines_html"]


def guidelines_html(text: str) -> Markup:
    """Return Markdown (CommonMark with tables) as HTML; tags in it are shown as text, pictures as links."""
    parser = (
        MarkdownIt("commonmark", {"html": False, "linkify": False})
        .enable("table")
        .disable(["image", "html_inline", "html_block"])
    )
    # Escaped by the parser, whose links lead to http, https, mailto and nowhere that runs.
    return Markup(parser.render(text))  # noqa: S704
