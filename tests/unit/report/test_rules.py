import pytest
from report_data import HOSTILE, make_job, make_report
from report_tables import make_reliabilities, make_table

from labelplane_core.tables import KNOWLEDGE_BASES, RELIABILITIES, RULE_DIAGNOSTICS, RULES
from labelplane_report import render_html
from labelplane_report.annotators import annotator_rows
from labelplane_report.data import RuleRow
from labelplane_report.rules import rule_rows

CLASSES = ("cat", "dog", "owl", "bee")


def diagnostics() -> object:
    return make_table(
        RULE_DIAGNOSTICS,
        {
            "annotator": ["cats", "terms", "silent"],
            "source": [RULES, KNOWLEDGE_BASES, RULES],
            "answers": [[10, 0, 0, 0], [1, 9, 6, 4], [0, 0, 0, 0]],
            "hits": [10, 20, 0],
            "overlaps": [5, 20, 0],
            "conflicts": [1, 4, 0],
            "outvoted": [0, 2, 0],
            "estimated_accuracy": [0.8, None, None],
            "gold_hits": [4, 0, 0],
            "gold_right": [3, 0, 0],
        },
    )


def read(rows: tuple[RuleRow, ...]) -> str:
    """Return the page with the panel, unbreakable spaces as plain ones."""
    return render_html(make_report(job=make_job(panels=("rules",)), rules=rows)).replace("\u00a0", " ")


def test_a_rule_is_told_in_shares_of_items_and_of_its_own() -> None:
    cats, terms, silent = rule_rows(diagnostics(), classes=CLASSES, n_items=100)  # type: ignore[arg-type]

    assert (cats.answers, cats.coverage, cats.overlap, cats.conflict) == (("cat",), 0.1, 0.5, 0.1)
    assert cats.estimated == 0.8
    assert cats.measured is not None
    assert (cats.measured.share, cats.measured.total) == (0.75, 4)
    assert terms.answers == ("dog", "owl", "bee")
    assert (terms.outvoted, terms.estimated, terms.measured) == (2, None, None)
    assert (silent.answers, silent.coverage, silent.overlap, silent.conflict) == ((), 0.0, None, None)


def test_the_panel_shows_every_rule_and_names_the_silent() -> None:
    rows = rule_rows(diagnostics(), classes=CLASSES, n_items=100)  # type: ignore[arg-type]

    page = read(rows)

    assert "3 rules and knowledge bases voted" in page
    assert "1 of them never votes." in page
    assert "75.0 %" in page
    assert "2 outvoted" in page


def test_without_rules_there_is_no_panel() -> None:
    assert "Rules and knowledge bases" not in read(())


def test_many_rules_are_folded_and_names_stay_texts() -> None:
    rows = [RuleRow(HOSTILE, RULES, (HOSTILE,), 3, 0.1)] * 45

    page = read(tuple(rows))

    assert "15 more rules" in page
    assert HOSTILE not in page


@pytest.mark.parametrize("source", [RULES, KNOWLEDGE_BASES])
def test_rules_are_no_rows_among_the_annotators(source: str) -> None:
    table = make_reliabilities([("ann", 0.9, 2, [[0.9, 0.1], [0.1, 0.9]]), ("r", 0.2, 2, [[0.5, 0.5], [0.5, 0.5]])])
    place = RELIABILITIES.columns.names.index("source")
    table = table.set_column(place, RELIABILITIES.columns.field(place), [["humans", source]])

    rows = annotator_rows(table, classes=("cat", "dog"), class_shares=(1.0, 1.0))

    assert [row.annotator for row in rows] == ["ann"]
