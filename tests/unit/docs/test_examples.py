"""What the pages show works as it is shown."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from labelplane_api import check_supported, parse_job

ROOT = Path(__file__).parents[3]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Yield the name of its page and the text of every example in a language."""
    for page in PAGES:
        for text in re.findall(
            rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        ):
            yield page.name, text


@pytest.mark.parametrize(("page", "text"), list(blocks("python")))
def test_python_example_runs_and_prints_what_its_comments_say(
    page: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(text, page, "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    promised = re.findall(r"^print\(.*\)  # (.*)$", text, re.MULTILINE)
    assert promised
    assert len(printed) >= len(promised)
    for line, promise in zip(printed, promised, strict=False):
        assert promise.startswith(line)


@pytest.mark.parametrize(("page", "text"), [each for each in blocks("yaml") if "kind: LabelingJob" in each[1]])
def test_job_example_is_valid_and_built(page: str, text: str) -> None:
    check_supported(parse_job(text, source=page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_of_a_page_lead_to_files(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    missing = [each for each in targets if "://" not in each and not (page.parent / each).exists()]
    assert missing == []
