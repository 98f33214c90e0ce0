import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from source_cases import CLASSES, IMAGES, TEXTS, block, hits, rule

from labelplane_aggregation.errors import BadRule
from labelplane_aggregation.sources import (
    Comparison,
    ComparisonSpec,
    ExpressionSpec,
    FunctionSpec,
    ItemBlock,
    KeywordSpec,
    RegexSpec,
    RuleSpec,
    Setting,
    compile_rules,
    image_features,
)
from labelplane_core.tasks import Modality


def compare(field: str, comparison: str, value: str) -> ComparisonSpec:
    return ComparisonSpec(field, Comparison(comparison), value)


@pytest.mark.parametrize(
    ("condition", "want"),
    [
        pytest.param("cat", [0, 1], id="a pattern is found anywhere"),
        pytest.param(r"\bcat\b", [0], id="a pattern with word boundaries"),
        pytest.param("(?i)CAT", [0, 1], id="a pattern without case"),
        pytest.param(KeywordSpec(any_of=("cat",)), [0], id="a keyword is a whole word"),
        pytest.param(KeywordSpec(any_of=("CAT", "dog")), [0, 2], id="one of several keywords, whatever the case"),
        pytest.param(KeywordSpec(any_of=("Dog",), match_case=True), [2], id="a keyword with its case"),
        pytest.param(KeywordSpec(any_of=("dog",), match_case=True), [], id="a keyword in another case"),
        pytest.param(KeywordSpec(any_of=("cat",), whole_words=False), [0, 1], id="a keyword as a part of a word"),
        pytest.param(KeywordSpec(any_of=("Co",), whole_words=False, match_case=True), [1], id="a part with its case"),
        pytest.param(KeywordSpec(all_of=("dog", "bites")), [2], id="all of several keywords"),
        pytest.param(KeywordSpec(all_of=("dog", "postman"), within=3), [2], id="keywords that are near"),
        pytest.param(KeywordSpec(all_of=("dog", "postman"), within=2), [], id="keywords that are not near enough"),
        pytest.param(KeywordSpec(any_of=("a cat",)), [0], id="a phrase"),
        pytest.param(KeywordSpec(any_of=("strasse",)), [3], id="full case folding: ß is ss"),
        pytest.param(KeywordSpec(any_of=("ﬁsh",)), [3], id="a ligature is its letters"),
        pytest.param(KeywordSpec(any_of=("c++",)), [4], id="marks count"),
        pytest.param(compare("words", "GreaterOrEqual", "5"), [2], id="length in words"),
        pytest.param(compare("characters", "Less", "12"), [0, 4], id="length in characters"),
        pytest.param(compare("kind", "Equal", "b"), [1], id="metadata equal to a text"),
        pytest.param(compare("kind", "NotEqual", "b"), [0, 2, 3], id="metadata of another text; none is not other"),
        pytest.param(compare("year", "Greater", "1999"), [0, 2], id="metadata as a number, also where written as text"),
        pytest.param(compare("year", "Equal", "1998.0"), [1], id="numbers are equal however they are written"),
        pytest.param(
            ExpressionSpec("item.meta.year > 2000"), [0], id="an expression; what it fails on is abstained on"
        ),
        pytest.param(ExpressionSpec("item.text.matches('c.t') && item.words < 4.0"), [1], id="an expression on text"),
        pytest.param(ExpressionSpec("item.id in ['i1', 'i4']"), [1, 4], id="an expression on the id"),
        pytest.param(ExpressionSpec("['x', 'b'].exists(k, k == item.meta.kind)"), [1], id="an expression with a macro"),
        pytest.param(ExpressionSpec("item.text"), [], id="only true votes"),
    ],
)
def test_a_rule_votes_where_its_condition_holds(condition: Any, want: list[int]) -> None:
    items = block(
        "I saw a cat",
        "Concatenate all",
        "the Dog bites the postman",
        "STRASSE and fish here",
        "C++ is old.",
        meta=[{"kind": "a", "year": 2001}, {"kind": "b", "year": 1998}, {"kind": "c", "year": "2000"}, {"kind": 7}, {}],
    )

    ballots = rule(condition).vote(items)

    assert ballots.rows.tolist() == want
    assert ballots.answers.to_pylist() == ["animal"] * len(want)
    assert ballots.weights.tolist() == [1.0] * len(want)


def test_unless_lets_a_rule_abstain() -> None:
    assert hits(rule("cat", unless="cat ?fish"), block("a cat", "a catfish", "a cat, not a cat fish")) == [0]


def test_a_pattern_that_backtracks_without_end_elsewhere_takes_no_time() -> None:
    text = "a" * 5000 + "!"
    began = time.process_time()

    assert hits(rule("(a+)+$"), block(text)) == []
    assert hits(rule(ExpressionSpec("item.text.matches('(a+)+$')")), block(text)) == []

    assert time.process_time() - began < 30  # an engine that backtracks would not end in this life


@pytest.mark.parametrize(
    ("condition", "want"),
    [
        (compare("width", "Greater", "20"), [1]),
        (compare("aspect", "Equal", "1"), [0]),
        (compare("brightness", "Greater", "0.9"), [0]),
        (compare("red", "Greater", "0.5"), [0, 1]),
        (compare("saturation", "Equal", "1"), [1]),
        (compare("contrast", "Equal", "0"), [0, 1]),
        (compare("camera", "Equal", "x"), [1]),
        (ExpressionSpec("item.blue < 0.1 && item.height == 10.0"), [1]),
    ],
)
def test_rules_of_images_read_metadata_and_what_is_measured(condition: Any, want: list[int]) -> None:
    white = np.full((10, 10, 3), 255, dtype=np.uint8)
    red = np.zeros((10, 30, 3), dtype=np.uint8)
    red[..., 0] = 255
    items = ItemBlock(["i0", "i1"], meta=["{}", '{"camera": "x"}'], features=image_features([white, red]))

    assert hits(rule(condition, setting=IMAGES), items) == want


def test_only_rules_that_measure_ask_for_pixels() -> None:
    assert rule(compare("brightness", "Less", "1"), setting=IMAGES).reads_pixels
    assert rule(ExpressionSpec("item.red > 0.5"), setting=IMAGES).reads_pixels
    assert not rule(compare("camera", "Equal", "x"), setting=IMAGES).reads_pixels
    assert not rule(ExpressionSpec("item.meta.camera == 'x'"), setting=IMAGES).reads_pixels
    assert not rule(compare("words", "Less", "1")).reads_pixels


def test_failures_of_a_program_are_counted_and_the_first_is_told() -> None:
    found = rule(ExpressionSpec("item.meta.year > 1"))

    assert hits(found, block("a", "b", "c", meta=[{"year": 2}, {"year": None}, {}])) == [0]
    assert found.failures == 2
    assert found.first_failure.startswith("item i1: TypeError")


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    (tmp_path / "house_rules.py").write_text(
        "limit = 4\ndef short(item):\n    return len(item['text']) < limit\n"
        "def broken(item):\n    raise KeyError('no')\n",
        encoding="utf-8",
    )
    (tmp_path / "house_fault.py").write_text("1 / 0\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return Setting(CLASSES, Modality.TEXT, trusted_packages=("house_rules", "house_fault"))


def test_a_function_of_a_trusted_package_is_a_rule(trusted: Setting) -> None:
    assert hits(rule(FunctionSpec("house_rules:short"), setting=trusted), block("cat", "giraffe")) == [0]


def test_a_function_of_a_module_that_has_no_file_is_a_rule() -> None:
    python = Setting(CLASSES, Modality.TEXT, trusted_packages=("builtins",))

    assert hits(rule(FunctionSpec("builtins:bool"), setting=python), block("cat", "giraffe")) == [0, 1]


def test_a_function_that_raises_abstains(trusted: Setting) -> None:
    found = rule(FunctionSpec("house_rules:broken"), setting=trusted)

    assert hits(found, block("cat")) == []
    assert (found.failures, found.first_failure) == (1, "item i0: KeyError: 'no'")


def test_a_function_whose_code_changes_votes_anew(trusted: Setting, tmp_path: Path) -> None:
    before = rule(FunctionSpec("house_rules:short"), setting=trusted).digest
    path = tmp_path / "house_rules.py"
    path.write_text(path.read_text(encoding="utf-8").replace("limit = 4", "limit = 40"), encoding="utf-8")

    assert rule(FunctionSpec("house_rules:short"), setting=trusted).digest != before


@pytest.mark.parametrize(
    ("path", "want"),
    [
        ("os:getcwd", "package 'os' is not trusted here (trusted: house_rules, house_fault)"),
        ("short", "'short' is no function: write package.module:function"),
        ("house_rules:long", "module 'house_rules' has no function 'long'"),
        ("house_rules.none:long", "module 'house_rules.none' cannot be imported"),
        ("house_fault:rule", "module 'house_fault' cannot be imported (ZeroDivisionError"),
    ],
)
def test_a_function_that_cannot_run_is_refused(trusted: Setting, path: str, want: str) -> None:
    with pytest.raises(BadRule) as caught:
        rule(FunctionSpec(path), setting=trusted)
    assert str(caught.value).startswith(f"rule 'r': function: {want}")


@pytest.mark.parametrize(
    ("condition", "extra", "want"),
    [
        ("(cat", {}, "regex: RE2 cannot read it (missing ): (cat)"),
        ("(?=cat)", {}, "regex: RE2 cannot read it (invalid perl operator: (?=)"),
        ("cat", {"unless": "[z-a]"}, "unless: RE2 cannot read it (invalid character class range: z-a)"),
        ("cat", {"label": "anmal"}, "label: 'anmal' is no class of the task: take one of animal, food, plant"),
        (KeywordSpec(any_of=(" ",)), {}, "keywords: ' ' holds no word: remove it"),
        (
            KeywordSpec(all_of=("cat",), within=2),
            {},
            "keywords: within is the distance between the words of all: name two or more there",
        ),
        (
            compare("colour", "Equal", "red"),
            {},
            (
                "metadata: field 'colour' is none of dataset.metadataFields and no measured feature: "
                "take one of kind, year, characters, words"
            ),
        ),
        (compare("year", "Less", "old"), {}, "metadata: value 'old' is no number: Less compares numbers"),
        (
            ExpressionSpec("item.text.("),
            {},
            "expression: it is no CEL (line 1, column 11 of it: no viable alternative at input '.(')",
        ),
        (
            ExpressionSpec("[1]" + ".map(x, [x, x])" * 40 + " == []"),
            {},
            "expression: it loops more than 2 times (exists, all, map, filter): write it in two rules",
        ),
        (
            ExpressionSpec("text == 'a'"),
            {},
            "expression: 'text' is not known: an expression reads item, as in item.text",
        ),
        (
            ExpressionSpec("item.txt == 'a'"),
            {},
            "expression: item.txt is not known: take one of item.id, item.text, item.meta, item.characters, item.words",
        ),
        (
            ExpressionSpec("contain(item.text)"),
            {},
            "expression: Undefined variable or function: 'contain': correct its name",
        ),
        (
            "cat",
            {"setting": IMAGES},
            "regex: looks into texts, and the items are images: use metadata or expression",
        ),
        (
            KeywordSpec(any_of=("cat",)),
            {"setting": IMAGES},
            "keywords: looks into texts, and the items are images: use metadata or expression",
        ),
    ],
)
def test_a_rule_that_is_wrong_is_refused_by_name_and_field(condition: Any, extra: dict[str, Any], want: str) -> None:
    with pytest.raises(BadRule) as caught:
        rule(condition, **extra)
    assert str(caught.value) == f"rule 'r': {want}"
    assert (caught.value.rule, caught.value.field) == ("r", want.split(":", maxsplit=1)[0])


def test_two_rules_of_one_name_are_refused() -> None:
    specs = [RuleSpec("r", "animal", RegexSpec(each)) for each in ("a", "b")]

    with pytest.raises(BadRule, match="rule 'r': name: two rules have this name: rename one"):
        compile_rules(specs, TEXTS)


def test_a_class_that_is_unknown_among_many_is_told_briefly() -> None:
    setting = Setting(tuple(f"c{number}" for number in range(500)), Modality.TEXT)

    with pytest.raises(BadRule, match=r"take one of its 500, such as c0, c1, c2, c3, c4, c5, c6, c7, c8, c9$"):
        rule("a", label="d", setting=setting)


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        pytest.param(rule("cat", priority=3), True, id="priority shapes which votes count, not the rule's own"),
        pytest.param(rule("cat", label="food"), False, id="another class"),
        pytest.param(rule("cats"), False, id="another pattern"),
        pytest.param(rule("cat", unless="dog"), False, id="another exception"),
        pytest.param(rule(KeywordSpec(any_of=("cat",))), False, id="another kind of condition"),
    ],
)
def test_the_digest_of_a_rule_changes_with_what_it_votes(other: Any, is_same: bool) -> None:
    assert (rule("cat").digest == other.digest) is is_same
