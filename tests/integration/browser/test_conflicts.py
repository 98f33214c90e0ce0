"""Conflicts are decided by keyboard alone, the log tells who did what, and nothing that people wrote runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from page_visit import PageVisit
from review_run import ReviewRun, journal, review_run, write_text_job

pytestmark = pytest.mark.browser

HOSTILE = '<img src=x onerror="window.hacked = true">'
TEXTS = [f"{HOSTILE} text {number} {'long ' * 400 if number == 1 else ''}" for number in range(12)]
CLASSES = ["cat", "dog", HOSTILE]
RULES = [
    {"name": "small-numbers", "label": "cat", "regex": "text [0-5]"},
    {"name": "a-long-one", "label": "dog", "regex": "long long"},
    {"name": "never", "label": "dog", "regex": "nothing of the kind"},
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ReviewRun, Path]]:
    """A run that waits for people, with six items on which two say one thing and one another."""
    folder = tmp_path_factory.mktemp("conflicts")
    job_file = write_text_job(folder, TEXTS, classes=CLASSES, batch=12)
    job = yaml.safe_load(job_file.read_text(encoding="utf-8"))
    job["spec"]["sources"]["rules"] = RULES
    job_file.write_text(yaml.safe_dump(job, sort_keys=False), encoding="utf-8")
    with review_run(job_file) as started:
        while httpx.get(api_of(started), headers=bearer(started), timeout=60).json()["tasks"] < 12:
            pass
        said = (("ann", "cat"), ("bob", "cat"), (f"eve {HOSTILE}", "dog"))
        push(started, [(f"t{place:02d}", *each) for place in range(6) for each in said])
        yield started, folder / "out"


def api_of(run: ReviewRun) -> str:
    return f"{run.address}/api/v1/jobs/texts"


def bearer(run: ReviewRun) -> dict[str, str]:
    return {"Authorization": f"Bearer {run.link.rsplit('/', 1)[-1]}"}


def push(run: ReviewRun, votes: list[tuple[str, str, str]]) -> None:
    body = {
        "origin": f"{HOSTILE}.csv",
        "votes": [
            {"vote_id": f"{item}-{annotator}", "item": item, "annotator": annotator, "label": label}
            for item, annotator, label in votes
        ],
    }
    response = httpx.post(f"{api_of(run)}/votes", json=body, headers=bearer(run), timeout=60)
    assert response.json()["set_aside"] == [], response.text


def next_after(visit: PageVisit, key: str) -> str:
    """Press a key that is done with the item on the screen, and return the next."""
    before = visit.item()
    visit.page.keyboard.press(key)
    visit.wait_for("(before) => document.querySelector('#item-name').textContent !== before", before)
    return visit.text("#item-name")


def test_conflicts_are_decided_by_keys_alone_and_the_log_tells(browser: Any, run: tuple[ReviewRun, Path]) -> None:
    started, out = run
    with PageVisit(browser, started.link) as visit:
        visit.page.goto(f"{started.address}/jobs")
        visit.page.locator("#open-conflicts", has_text="Conflicts (").wait_for()
        visit.page.locator("#open-conflicts").focus()
        visit.page.keyboard.press("Enter")
        assert visit.item() == "t00"
        assert visit.text("#accept-text") == "Accept cat (2 of 3)"
        assert visit.page.locator("#votes tr").all_text_contents()[2].startswith(f"eve {HOSTILE}dog")
        assert next_after(visit, "Enter") == "t01"
        visit.page.keyboard.press("w")
        visit.page.keyboard.type(f"because {HOSTILE}")
        visit.page.keyboard.press("Escape")
        assert next_after(visit, "3") == "t02"
        assert next_after(visit, "b") == "t03"
        assert next_after(visit, "n") == "t04"
        assert next_after(visit, "p") == "t02"
        assert "you decided to send it back" in visit.text("#why")
        assert next_after(visit, "2") == "t04"
        visit.page.goto(f"{started.address}/jobs/texts/audit")
        visit.page.locator("#deeds tr").nth(4).wait_for()
        log = visit.page.locator("#deeds tr").all_text_contents()
        assert [f"because {HOSTILE}" in line for line in log].index(True) == 2
        assert [
            word for line in log for word in ("accepted", "corrected", "sent back", "brought 18") if word in line
        ] == [
            "accepted",
            "sent back",
            "corrected",
            "accepted",
            "brought 18",
        ]
        assert visit.page.evaluate("window.hacked") is None
        assert visit.page.locator("[onerror]").count() == 0
        assert visit.complaints == []
    votes = journal(out)
    over = {vote["supersedes"] for vote in votes}
    decided = {vote["item_id"]: vote["answer"] for vote in votes if vote["is_decision"] and vote["vote_id"] not in over}
    assert decided == {"t00": "cat", "t01": HOSTILE, "t02": "dog"}


def test_a_decision_that_was_not_confirmed_is_kept_and_counts_once(browser: Any, run: tuple[ReviewRun, Path]) -> None:
    started, out = run
    with PageVisit(browser, started.link) as visit:
        visit.page.goto(f"{started.address}/jobs/texts/conflicts")
        item = visit.item()
        lost = []

        def lose_the_answer(route: Any) -> None:
            lost.append(route.fetch().status)  # it has arrived; its answer has not
            route.abort()

        visit.page.route("**/decisions", lose_the_answer, times=1)
        visit.page.keyboard.press("1")
        visit.page.locator("#alert", has_text="Do it again; it counts once").wait_for()
        assert (visit.text("#item-name"), lost) == (item, [200])
        assert next_after(visit, "1") != item
    decisions = [vote for vote in journal(out) if vote["is_decision"] and vote["item_id"] == item]
    assert len(decisions) == 1


def test_others_see_neither_the_conflicts_nor_the_log(browser: Any, run: tuple[ReviewRun, Path]) -> None:
    started, out = run
    secret = json.loads((out / "review-link.json").read_text(encoding="utf-8"))["guest_secret"]
    with PageVisit(browser, f"{started.address}/enter/{secret}") as visit:
        visit.page.locator("#name-dialog").wait_for()  # several people under one name would count as one
        assert visit.violations() == []
        visit.page.keyboard.type("Gus")
        with visit.page.expect_navigation():
            visit.page.keyboard.press("Enter")
        visit.item()
        assert (visit.text("#open-name"), visit.page.locator("#name-dialog").is_visible()) == ("Gus", False)
        visit.page.goto(f"{started.address}/jobs")
        visit.wait_for("() => document.querySelector('#stage').textContent !== '…'")
        assert visit.page.locator("nav a").all_text_contents() == ["Label items"]
        visit.page.goto(f"{started.address}/jobs/texts/conflicts")
        assert "This page is not open" in visit.text("h1")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_axe_finds_nothing_and_nothing_reaches_past_the_window(
    browser: Any, run: tuple[ReviewRun, Path], width: int, scheme: str
) -> None:
    started, _ = run
    wide = """() => [...document.body.querySelectorAll('*')]
      .filter((e) => !e.closest('.scroll, .skip-link, .quiet, svg, dialog, .viewer, noscript'))
      .filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.tagName + '#' + e.id)"""
    found: dict[str, Any] = {}
    with PageVisit(browser, started.link, width=width, scheme=scheme) as visit:
        visit.page.goto(f"{started.address}/jobs/texts/conflicts")
        visit.item()
        found["conflicts"] = [*visit.violations(), *visit.page.evaluate(wide)]
        visit.page.locator("#open-help").click()
        found["keys"] = visit.violations()
        visit.page.keyboard.press("Escape")
        visit.page.goto(f"{started.address}/jobs/texts/audit")
        visit.wait_for("() => document.querySelector('#empty').textContent !== 'Reading …'")
        found["audit"] = [*visit.violations(), *visit.page.evaluate(wide)]
        visit.page.goto(f"{started.address}/api")
        found["contract"] = [*visit.violations(), *visit.page.evaluate(wide)]
    assert {page: problems for page, problems in found.items() if problems} == {}


def test_the_job_page_tells_how_rules_do(browser: Any, run: tuple[ReviewRun, Path]) -> None:
    started, _ = run
    with PageVisit(browser, started.link) as visit:
        visit.page.goto(f"{started.address}/jobs")
        visit.page.locator("#rules tr").nth(2).wait_for()
        cells = [row.locator("th, td").all_text_contents() for row in visit.page.locator("#rules tr").all()]
        assert [row[:5] for row in cells] == [
            ["small-numbers", "rule", "66.7 %", "8.3 %", "8.3 %"],  # 0 to 5, and 10 and 11
            ["a-long-one", "rule", "8.3 %", "8.3 %", "8.3 %"],
            ["never", "rule", "0.0 %", "0.0 %", "0.0 %"],
        ]
        assert [row[6] for row in cells] == ["–"] * 3  # no gold
        assert visit.violations() == []


def test_a_phone_decides_by_touch(browser: Any, run: tuple[ReviewRun, Path]) -> None:
    started, _ = run
    with PageVisit(browser, started.link, width=390, height=780, has_touch=True) as visit:
        visit.page.goto(f"{started.address}/jobs/texts/conflicts")
        item = visit.item()
        for button in visit.page.locator("button:visible").all():
            assert button.bounding_box()["height"] >= 44
        visit.page.locator("#accept").tap()
        visit.wait_for("(before) => document.querySelector('#item-name').textContent !== before", item)
