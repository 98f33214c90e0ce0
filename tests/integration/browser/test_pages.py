"""What every page keeps to: no text of data runs, no rule of accessibility is broken, every action has a key."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_visit import PageVisit
from review_run import ReviewRun, live_answers, review_run, write_images, write_text_job

pytestmark = pytest.mark.browser

HOSTILE = '<img src=x onerror="window.hacked = true"><script>window.hacked = true</script>'
CLASSES = [*(f"class {number:02d}" for number in range(24)), "<b>bold</b>", "zebra"]


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ReviewRun, Path]]:
    """A run over texts of which each is an attack and every other is long, with more classes than keys."""
    folder = tmp_path_factory.mktemp("hostile")
    words = [f"{HOSTILE} number {number} {'long ' * 900 if number % 2 else ''}" for number in range(40)]
    guidelines = f"# How to\n\n{HOSTILE}\n\n| class | means |\n| --- | --- |\n| zebra | striped |\n"
    job_file = write_text_job(folder, words, classes=CLASSES, guidelines=guidelines, batch=40)
    with review_run(job_file) as run:
        yield run, folder / "out"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewRun]:
    """A run over images."""
    folder = tmp_path_factory.mktemp("images")
    write_images(folder / "data", 40)
    job_file = write_text_job(folder / "job", ["unused"], classes=["round", "square"])
    text = job_file.read_text(encoding="utf-8").replace("TextClassification", "ImageClassification")
    lines = [line for line in text.splitlines() if line.split(":")[0].strip() not in ("index", "idField", "itemField")]
    job_file.write_text("\n".join(lines).replace("Jsonl", "ClassFolders"), encoding="utf-8")
    with review_run(job_file, "--data", str(folder / "data")) as run:
        yield run


def shown(visit: PageVisit) -> str:
    visit.item()
    return visit.text("#text")


# -- inert ------------------------------------------------------------------------------------------------------------


def test_no_text_of_items_classes_guidelines_comments_or_names_runs(
    browser: Any, texts: tuple[ReviewRun, Path]
) -> None:
    run, _ = texts
    with PageVisit(browser, run.link) as visit:
        assert shown(visit).startswith(HOSTILE)
        assert visit.page.locator(".class", has_text="<b>bold</b>").count() == 1
        visit.page.keyboard.press("g")
        assert HOSTILE in visit.text("#guidelines .prose")
        assert visit.page.locator("#guidelines td", has_text="striped").count() == 1
        visit.page.keyboard.press("Escape")
        visit.page.keyboard.press("c")
        visit.page.keyboard.type(HOSTILE)
        visit.page.keyboard.press("Tab")
        visit.page.keyboard.press("Enter")
        visit.wait_for("() => document.querySelector('#status').textContent === 'Comment kept.'")
        visit.page.locator("#open-name").click()
        visit.page.locator("#name-input").fill(HOSTILE[:60])
        with visit.page.expect_navigation():
            visit.page.keyboard.press("Enter")
        assert visit.text("#open-name") == HOSTILE[:60]
        visit.item()
        visit.press("1")
        visit.page.goto(f"{run.address}/jobs")
        visit.page.locator("#comments li", has_text=HOSTILE).wait_for()
        visit.page.locator("#people th", has_text=HOSTILE[:60]).wait_for()
        for page in visit.context.pages:
            assert page.evaluate("window.hacked") is None
            assert page.locator("[onerror]").count() == 0
        assert visit.complaints == []


def test_the_policy_stops_a_script_that_would_get_in(browser: Any, texts: tuple[ReviewRun, Path]) -> None:
    add = "const s = document.createElement('script'); s.text = 'window.hacked = true'; document.body.append(s)"
    with PageVisit(browser, texts[0].link) as visit:
        visit.page.evaluate(add)
        assert visit.page.evaluate("window.hacked") is None
        assert any("Content Security Policy" in text for text in visit.complaints)


# -- keys -------------------------------------------------------------------------------------------------------------


def test_one_of_many_classes_is_found_and_answered_by_keys_alone(browser: Any, texts: tuple[ReviewRun, Path]) -> None:
    run, out = texts
    with PageVisit(browser, run.link) as visit:
        for words, want in (("zeb", "zebra"), ("bold", "<b>bold</b>"), ("class 17", "class 17")):
            item = visit.item()
            visit.page.keyboard.press("/")
            visit.page.keyboard.type(words)
            assert visit.press("Enter") != item
            visit.wait_for("() => document.querySelector('#outbox').hidden")
            assert want in visit.text("#status")
            assert visit.page.locator("#search").input_value() == ""
        item = visit.item()
        visit.page.keyboard.press("/")
        visit.page.keyboard.type("class 1")
        visit.page.keyboard.press("ArrowDown")  # to the first, class 10
        visit.page.keyboard.press("ArrowDown")
        assert visit.press("Enter") != item
        visit.page.keyboard.press("/")
        visit.page.keyboard.type("nothing")
        assert visit.page.locator("#no-match").is_visible()
        visit.page.keyboard.press("Escape")
        assert visit.page.locator(".class:visible").count() == len(CLASSES)
        visit.wait_for("() => parseInt(document.querySelector('#mine').textContent) >= 4")
    answers = list(live_answers(out).values())
    assert {"zebra", "<b>bold</b>", "class 17", "class 11"} <= set(answers)


def test_every_control_is_reached_by_tab_and_single_keys_can_be_turned_off(
    browser: Any, texts: tuple[ReviewRun, Path]
) -> None:
    with PageVisit(browser, texts[0].link) as visit:
        item = visit.item()
        reached = set()
        visit.page.evaluate("document.activeElement.blur()")
        for _ in range(60):
            visit.page.keyboard.press("Tab")
            reached.add(visit.page.evaluate("document.activeElement.id || document.activeElement.className"))
        assert {"open-help", "open-guidelines", "open-name", "viewer", "skip", "next", "class", "search"} <= reached
        visit.page.locator("#open-help").focus()
        visit.page.keyboard.press("Enter")
        visit.page.locator("#keys-on").focus()
        visit.page.keyboard.press("Space")
        visit.page.keyboard.press("Escape")
        visit.page.locator("#viewer").focus()
        for key in ("1", "s", "n"):
            visit.page.keyboard.press(key)
        assert visit.text("#item-name") == item
        visit.page.locator(".class").first.focus()
        assert visit.press("Enter") != item


def test_image_is_zoomed_and_moved_by_keys_and_wheel(browser: Any, images: ReviewRun) -> None:
    transform = "document.querySelector('#image').style.transform"
    with PageVisit(browser, images.link) as visit:
        visit.item()
        visit.wait_for(f"() => {transform} !== ''")
        fitted = visit.page.evaluate(transform)
        seen = {fitted}
        for act in (
            lambda: visit.page.keyboard.press("+"),
            lambda: visit.page.keyboard.press("ArrowLeft"),
            lambda: visit.page.keyboard.press("-"),
            lambda: visit.page.mouse.wheel(0, -200),
        ):
            visit.page.mouse.move(300, 300)
            before = visit.page.evaluate(transform)
            act()
            visit.wait_for(f"(before) => {transform} !== before", before)
            seen.add(visit.page.evaluate(transform))
        assert len(seen) == 5
        visit.page.keyboard.press("f")
        assert visit.page.evaluate(transform) == fitted


# -- seen -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_axe_finds_no_violation_on_any_page(
    browser: Any, texts: tuple[ReviewRun, Path], images: ReviewRun, width: int, scheme: str
) -> None:
    found: dict[str, list[str]] = {}
    with PageVisit(browser, texts[0].link, width=width, scheme=scheme) as visit:
        visit.item()
        found["text"] = visit.violations()
        for dialog, button in (("guidelines", "#open-guidelines"), ("help", "#open-help"), ("name", "#open-name")):
            visit.page.locator(button).click()
            found[dialog] = visit.violations()
            visit.page.keyboard.press("Escape")
        visit.page.locator("#open-comment").click()
        found["comment"] = visit.violations()
        visit.page.keyboard.press("Escape")
        visit.press("1")
        visit.press("u")
        found["undone"] = visit.violations()
        visit.page.goto(f"{texts[0].address}/jobs")
        visit.wait_for("() => document.querySelector('#stage').textContent !== '…'")
        found["job"] = visit.violations()
    with PageVisit(browser, images.link, width=width, scheme=scheme) as visit:
        visit.item()
        found["image"] = visit.violations()
        visit.page.goto(f"{images.address}/t/nothing")
        found["refused"] = visit.violations()
    assert {page: problems for page, problems in found.items() if problems} == {}


@pytest.mark.parametrize("width", [320, 360, 800, 1400])
def test_nothing_reaches_past_the_window(
    browser: Any, texts: tuple[ReviewRun, Path], images: ReviewRun, width: int
) -> None:
    wide = """() => [...document.body.querySelectorAll('*')]
      .filter((e) => !e.closest('.scroll, .skip-link, .quiet, svg, dialog, .viewer, noscript'))
      .filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.tagName + '#' + e.id)"""
    for run in (texts[0], images):
        with PageVisit(browser, run.link, width=width, height=740) as visit:
            visit.item()
            assert visit.page.evaluate(wide) == []
            assert visit.page.locator("#skip").evaluate("(e) => e.getBoundingClientRect().bottom <= innerHeight")
            height = visit.page.locator("#viewer").evaluate("(e) => e.clientHeight")
            assert height > 200
            visit.page.goto(f"{run.address}/jobs")
            visit.wait_for("() => document.querySelector('#stage').textContent !== '…'")
            assert visit.page.evaluate(wide) == []


def test_dark_and_light_follow_the_persons_setting(browser: Any, images: ReviewRun) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    with PageVisit(browser, images.link, scheme="dark") as visit:
        assert visit.page.evaluate(paper) == "rgb(21, 23, 26)"
        visit.page.emulate_media(color_scheme="light")
        assert visit.page.evaluate(paper) == "rgb(251, 250, 247)"


def test_phone_labels_by_touch(browser: Any, images: ReviewRun) -> None:
    with PageVisit(browser, images.link, width=390, height=780, has_touch=True) as visit:
        item = visit.item()
        for button in visit.page.locator("button:visible").all():
            assert button.bounding_box()["height"] >= 44
        visit.page.locator(".class").first.tap()
        visit.wait_for("(before) => document.querySelector('#item-name').textContent !== before", item)
        visit.page.locator("#undo").tap()
        visit.wait_for("(before) => document.querySelector('#item-name').textContent === before", item)
