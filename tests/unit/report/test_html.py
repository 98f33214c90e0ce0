import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from report_data import HOSTILE, SCRIPT, make_annotator, make_hostile_report, make_job, make_report, share

from labelplane_core.tasks import TASK_KINDS
from labelplane_report import STANDARD_PANELS, Curve, Section, render_html
from labelplane_report.data import (
    Accuracy,
    Confusion,
    ConfusionBasis,
    Cost,
    ItemError,
    LabelState,
    LabelSummary,
    ReportData,
    RoundPoint,
)
from labelplane_report.errors import UnknownPanel

VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """Collects elements and texts, and whether every element is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag in {"script", "style"}:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in {"script", "style"}:
            self.scripts[-1] += data
        else:
            self.text += data

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def full_report() -> ReportData:
    matrix = Confusion(ConfusionBasis.TRUTH, ("cat", "dog"), ((45.0, 5.0), (0.0, 50.0)))
    return make_report(
        rounds=(RoundPoint(0, 60, 90, 0.8, share(80, 100)), RoundPoint(1, 120, 100, 0.9, share(95, 100))),
        accuracy=Accuracy(share(95, 100), {}),
        confusion=matrix,
        annotators=(make_annotator("eve", accuracy=0.1), make_annotator("ann")),
        baseline=Curve("Random selection", (60, 180), (0.75, 0.95)),
    )


@pytest.fixture(scope="module")
def hostile() -> Page:
    return Page(render_html(make_hostile_report()))


def test_every_element_is_closed(hostile: Page) -> None:
    assert hostile.open == []


def test_hostile_texts_stay_texts(hostile: Page) -> None:
    assert len(hostile.attributes("script")) == 3
    assert hostile.attributes("img") == []
    assert SCRIPT in hostile.text
    assert not any(name.startswith("on") for _, attributes in hostile.elements for name in attributes)


def test_hostile_texts_in_the_charts_data_stay_inside_it(hostile: Page) -> None:
    charts = json.loads(hostile.scripts[1])
    assert any(series["name"] == HOSTILE for chart in charts for series in chart["series"])


def test_templates_are_not_evaluated_in_texts(hostile: Page) -> None:
    assert "{{ 7 * 7 }}" in hostile.text


def test_nothing_is_fetched_and_no_style_is_inline(hostile: Page) -> None:
    for tag, attributes in hostile.elements:
        assert "style" not in attributes
        for name in ("src", "href", "srcset", "action"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)


def test_the_policy_allows_the_pages_own_script_and_style_by_their_hashes() -> None:
    page = Page(render_html(make_report()))
    policy = next(m["content"] for m in page.attributes("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    style, _, library, script = page.scripts
    for text in (style, library, script):
        assert f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_every_chart_has_a_name_and_a_table() -> None:
    page = Page(render_html(full_report()))
    canvases = page.attributes("canvas")
    assert {canvas["id"] for canvas in canvases} == {"accuracy-over-votes", "label-confidence", "votes-by-round"}
    assert all(canvas["role"] == "img" and canvas["aria-label"] for canvas in canvases)
    assert len(page.attributes("summary")) >= len(canvases)


def test_ids_are_unique_and_contents_lead_to_sections() -> None:
    page = Page(render_html(full_report()))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [(link["href"] or "").removeprefix("#") for link in page.attributes("a")]
    assert set(targets) <= set(ids)


@pytest.mark.parametrize(
    ("report", "want"),
    [
        pytest.param(full_report(), "95.0 % right", id="headline"),
        pytest.param(
            full_report(), "Random selection needed 180 votes for 95.0 %; this job took 67 % of them", id="spared"
        ),
        pytest.param(full_report(), "1 annotator answers at random", id="spammers counted"),
        pytest.param(full_report(), "5 cat labelled dog", id="confused pairs"),
        pytest.param(make_report(), "how many are right was not measured", id="nothing known"),
        pytest.param(
            replace(full_report(), baseline=Curve("Random selection", (60,), (0.5,))),
            "Random selection did not reach 95.0 % with 60 votes",
            id="baseline too short",
        ),
        pytest.param(
            make_report(item_errors=(ItemError("a", "EmptyItem", "the text is empty"),), item_error_count=7),
            "7 items could not be used",
            id="item errors",
        ),
        pytest.param(
            replace(full_report(), confusion=Confusion(ConfusionBasis.TRUTH, ("cat", "dog"), ((1.0, 0.0), (0.0, 1.0)))),
            "No two classes were confused",
            id="no confusion",
        ),
        pytest.param(
            replace(
                full_report(), confusion=Confusion(ConfusionBasis.EXPECTED, ("cat", "dog"), ((9.0, 1.2), (0.4, 9.0)))
            ),
            "1.2 cat likely, labelled dog",
            id="expected confusion",
        ),
    ],
)
def test_the_page_says_it(report: ReportData, want: str) -> None:
    text = " ".join(Page(render_html(report)).text.split())
    assert want in text


def test_many_classes_list_their_confusions_without_a_matrix() -> None:
    page = render_html(make_hostile_report(n_classes=21))
    assert 'class="matrix"' not in page
    assert "Confused most often" in page


def test_many_annotators_are_folded() -> None:
    page = Page(render_html(make_hostile_report(n_classes=3, n_annotators=1010)))
    rows = len(re.findall(r"100.votes", page.text))
    assert rows == 1000
    assert "10\N{NO-BREAK SPACE}annotators with the highest accuracy left out" in page.text


def test_equal_data_gives_equal_bytes() -> None:
    assert render_html(full_report()) == render_html(full_report())


def test_the_page_stays_small() -> None:
    assert len(render_html(full_report()).encode()) < 300_000


def test_the_panels_of_every_task_kind_exist() -> None:
    named = {name for kind in TASK_KINDS for name in kind.report_panels}
    assert named <= set(STANDARD_PANELS)


def test_a_job_without_labels_is_a_page_too() -> None:
    labels = LabelSummary(0, dict.fromkeys(LabelState, 0), (), (), None)
    page = Page(render_html(make_report(labels=labels, rounds=(), cost=Cost(0))))
    assert [section["id"] for section in page.attributes("section") if "id" in section] == ["cost"]


def test_the_job_chooses_panels_and_their_order() -> None:
    page = Page(render_html(replace(full_report(), job=make_job(panels=("cost", "accuracy")))))
    assert [section["id"] for section in page.attributes("section") if "id" in section] == ["cost", "accuracy"]


def test_an_unknown_panel_is_refused_with_those_that_exist() -> None:
    with pytest.raises(UnknownPanel, match=r"'boxes'; there are accuracy, .*reliabilities"):
        render_html(make_report(job=make_job(panels=("boxes",))))


def test_another_kind_adds_its_panel() -> None:
    def boxes(_: ReportData) -> Section:
        return Section("Boxes", "How well boxes overlap.", "panels/chart.html.j2")

    page = render_html(make_report(job=make_job(panels=("boxes",))), panels={**STANDARD_PANELS, "boxes": boxes})
    assert "How well boxes overlap." in page


def test_cells_are_shaded_by_their_share_of_the_row_and_few_errors_are_still_seen() -> None:
    matrix = Confusion(ConfusionBasis.TRUTH, ("cat", "dog"), ((96.0, 4.0), (0.0, 50.0)))
    page = Page(render_html(replace(full_report(), confusion=matrix)))
    cells = [cell["class"] for cell in page.attributes("td") if "title" in cell]
    assert cells == ["right-9", "wrong-2", "none", "right-9"]


def test_the_model_of_annotators_that_weighed_most_is_told_where_several_were_weighed() -> None:
    choice = "blend: a held-out vote has mean log-likelihood even -0.5, blend -0.4"
    assert choice in Page(render_html(replace(full_report(), choice=choice))).text
    assert "weighed most" not in Page(render_html(full_report())).text
