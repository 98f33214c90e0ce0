"""The page in a real browser: Chromium without a head, by Playwright."""

from pathlib import Path
from typing import Any, Self

import pytest
from report_data import HOSTILE, LONG, make_hostile_report
from report_example import example_report

from labelplane_report import render_html

pytestmark = pytest.mark.browser

# Every text outside a canvas with its colour and what lies behind it, blended; [ratio, class, text] for each.
CONTRASTS = """() => {
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const parse = (text) => (numbers(text).length < 4 ? [...numbers(text).slice(0, 3), 1] : numbers(text));
  const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3]));
  const light = (rgb) => rgb.map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(parse(getComputedStyle(at).backgroundColor));
    return layers.reduceRight((under, top) => over(top, under), [255, 255, 255]);
  };
  document.querySelectorAll("details").forEach((part) => { part.open = true; });
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || element.closest("script, .visually-hidden, [hidden]")) continue;
    const under = behind(element);
    const [a, b] = [light(over(parse(getComputedStyle(element).color), under)), light(under)];
    found.push([(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), element.className, walker.currentNode.textContent]);
  }
  return found;
}"""

# Elements that reach past the window, save inside what scrolls by itself.
OVERFLOWING = """() => [...document.body.querySelectorAll("*")]
  .filter((e) => !e.closest(".scroll, .contents, .skip, svg, .visually-hidden"))
  .filter((e) => e.getBoundingClientRect().right > innerWidth + 1)
  .map((e) => e.tagName + "." + e.className)"""

COLOURS = """(canvas) => {
  const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const seen = new Set();
  for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) seen.add(data.slice(i, i + 3).join(" "));
  return [...seen];
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages as files: a real job's, and one in which every text is an attack."""
    folder = tmp_path_factory.mktemp("report")
    found = {}
    for name, report in (("real", example_report()), ("hostile", make_hostile_report())):
        found[name] = folder / f"{name}.html"
        found[name].write_text(render_html(report), encoding="utf-8")
    return found


class Visit:
    """A page that is open, with everything it asked for and complained of."""

    def __init__(
        self, browser: Any, path: Path, *, width: int = 1400, scheme: str = "light", script: bool = True
    ) -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=script
        )
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


@pytest.mark.parametrize("name", ["real", "hostile"])
def test_the_page_complains_of_nothing_and_asks_for_nothing(browser: Any, pages: dict[str, Path], name: str) -> None:
    with Visit(browser, pages[name]) as visit:
        assert visit.complaints == []
        assert [url for url in visit.requests if not url.startswith("data:")] == [pages[name].as_uri()]


def test_the_title_names_the_job(browser: Any, pages: dict[str, Path]) -> None:
    with Visit(browser, pages["real"]) as visit:
        assert visit.page.title() == "digits · labelplane report"
    with Visit(browser, pages["hostile"]) as visit:
        assert visit.page.title() == f"{HOSTILE} · labelplane report"


def test_no_text_of_the_data_runs(browser: Any, pages: dict[str, Path]) -> None:
    with Visit(browser, pages["hostile"]) as visit:
        assert visit.page.evaluate("window.hacked") is None
        assert visit.page.locator("img[onerror]").count() == 0
        assert visit.page.get_by_text(HOSTILE, exact=True).count() > 0


def test_the_policy_stops_a_script_that_would_get_in(browser: Any, pages: dict[str, Path]) -> None:
    add = "const s = document.createElement('script'); s.text = 'window.hacked = true'; document.body.append(s)"
    with Visit(browser, pages["real"]) as visit:
        visit.page.evaluate(add)
        assert visit.page.evaluate("window.hacked") is None
        assert any("Content Security Policy" in text for text in visit.complaints)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_chart_is_drawn_in_the_colours_of_the_scheme(browser: Any, pages: dict[str, Path], scheme: str) -> None:
    with Visit(browser, pages["real"], scheme=scheme) as visit:
        canvases = visit.page.locator("canvas").all()
        assert len(canvases) == 3
        wanted = {"light": "29 92 135", "dark": "125 183 224"}[scheme]
        assert all(wanted in canvas.evaluate(COLOURS) for canvas in canvases)


def test_charts_follow_a_change_of_scheme(browser: Any, pages: dict[str, Path]) -> None:
    with Visit(browser, pages["real"]) as visit:
        canvas = visit.page.locator("canvas").first
        visit.page.emulate_media(color_scheme="dark")
        visit.page.wait_for_function("matchMedia('(prefers-color-scheme: dark)').matches")
        assert "125 183 224" in canvas.evaluate(COLOURS)


@pytest.mark.parametrize("width", [360, 800, 1400])
@pytest.mark.parametrize("name", ["real", "hostile"])
def test_nothing_reaches_past_the_window(browser: Any, pages: dict[str, Path], name: str, width: int) -> None:
    with Visit(browser, pages[name], width=width) as visit:
        visit.page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        assert visit.page.evaluate("document.documentElement.scrollWidth") <= width
        assert visit.page.evaluate(OVERFLOWING) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["real", "hostile"])
def test_every_text_can_be_read(browser: Any, pages: dict[str, Path], name: str, scheme: str) -> None:
    with Visit(browser, pages[name], scheme=scheme) as visit:
        found = visit.page.evaluate(CONTRASTS)
        assert len(found) > 200
        assert [text for text in found if text[0] < 4.5] == []


def test_the_answers_stand_on_the_first_screen(browser: Any, pages: dict[str, Path]) -> None:
    with Visit(browser, pages["real"]) as visit:
        boxes = [box.bounding_box() for box in visit.page.locator(".figures > div").all()]
        assert len(boxes) == 4
        assert all(box["y"] + box["height"] <= 900 for box in boxes)


def test_the_page_is_reached_by_keyboard(browser: Any, pages: dict[str, Path]) -> None:
    with Visit(browser, pages["real"]) as visit:
        focused = "document.activeElement.className || document.activeElement.tagName"
        visit.page.keyboard.press("Tab")
        assert visit.page.evaluate(focused) == "skip"
        visit.page.keyboard.press("Enter")
        assert visit.page.evaluate("document.activeElement.id") == "report"
        summary = visit.page.locator("summary").first
        summary.focus()
        visit.page.keyboard.press("Enter")
        assert visit.page.locator("details").first.get_attribute("open") is not None
        visit.page.keyboard.press("Tab")
        assert visit.page.evaluate(focused) == "scroll"


def test_without_script_the_tables_are_there_and_the_page_says_so(browser: Any, pages: dict[str, Path]) -> None:
    with Visit(browser, pages["real"], script=False) as visit:
        assert visit.page.get_by_text("The charts need JavaScript").is_visible()
        visit.page.locator("summary").first.click()
        assert visit.page.locator("table.numbers").first.is_visible()


def test_print_opens_what_is_folded_and_is_light_and_goes_back(browser: Any, pages: dict[str, Path]) -> None:
    with Visit(browser, pages["real"], scheme="dark") as visit:
        folded = visit.page.locator("details:not([open])").count()
        assert folded > 0
        visit.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert visit.page.locator("details:not([open])").count() == 0
        assert "29 92 135" in visit.page.locator("canvas").first.evaluate(COLOURS)
        visit.page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert visit.page.locator("details:not([open])").count() == folded
        assert "125 183 224" in visit.page.locator("canvas").first.evaluate(COLOURS)


def test_long_names_are_cut_in_the_matrix_and_whole_elsewhere(browser: Any, pages: dict[str, Path]) -> None:
    with Visit(browser, pages["hostile"], width=360) as visit:
        name = visit.page.locator(".matrix tbody th span").nth(1)
        assert name.inner_text() == LONG
        assert name.evaluate("(e) => e.scrollWidth > e.clientWidth")
        assert visit.page.locator(".classes th", has_text=LONG).first.evaluate(
            "(e) => e.scrollWidth <= e.clientWidth + 1"
        )
