"""Guidelines as HTML: what Markdown says, and nothing that runs or loads."""

import pytest

from labelplane_review.web.guidelines import guidelines_html


def test_headings_lists_tables_and_emphasis_are_set() -> None:
    html = guidelines_html("# Title\n\n- **one**\n- `two`\n\n| a | b |\n| --- | --- |\n| 1 | 2 |\n")
    for part in ("<h1>Title</h1>", "<li><strong>one</strong></li>", "<code>two</code>", "<td>2</td>"):
        assert part in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "text <img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "[a](data:text/html,<script>alert(1)</script>)",
        "[a](vbscript:x)",
        '<a href="x" onclick="y">z</a>',
    ],
)
def test_nothing_in_them_runs_or_loads(text: str) -> None:
    html = guidelines_html(text)
    for tag in ("<script", "<img", "<a "):
        assert tag not in html


def test_pictures_of_elsewhere_are_links_and_not_loaded() -> None:
    assert guidelines_html("![a](https://example.com/a.png)") == '<p>!<a href="https://example.com/a.png">a</a></p>\n'


def test_links_to_pages_stay_links() -> None:
    assert '<a href="https://example.com/a">' in guidelines_html("[a](https://example.com/a)")
