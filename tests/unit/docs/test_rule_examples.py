"""What docs/sources.md says of rules and knowledge bases is what they do."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from labelplane_aggregation.source_converters import knowledge_base_specs, rule_specs
from labelplane_aggregation.sources import Family, ItemBlock, KnowledgeBase, Setting, compile_rules, needed_files
from labelplane_api import RuleFile, parse_rule_file
from labelplane_core.tables import RULES, current_votes
from labelplane_core.tasks import Modality
from labelplane_operator.vote_sources import knowledge_base_message, rule_message

PAGE = (Path(__file__).parents[3] / "docs/sources.md").read_text(encoding="utf-8")
SETTING = Setting(("complaint", "order", "praise"), Modality.TEXT, metadata_fields=("channel", "year"))
PROMISE = re.compile(r"^# (.+?) <- (\{.*\} )?(.*)$", re.MULTILINE)
TABLE = re.search(r"^```csv\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def blocks() -> Iterator[str]:
    for text in re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL):
        if text.startswith(("rules:", "knowledgeBases:")):
            yield text


def contents(name: str, uri: str) -> bytes:
    if uri == "terms.csv":
        assert TABLE is not None
        return TABLE.group(1).encode()
    path = Path(uri) / name
    if not path.is_file():
        pytest.skip(f"{path} is not here: apt-get install wordnet-base")
    return path.read_bytes()


def votes_on(found: RuleFile, items: ItemBlock) -> dict[str, dict[str, float]]:
    """Return the weight of each class that is voted, by item."""
    rules = compile_rules(rule_specs([rule_message(each) for each in found.rules]), SETTING)
    bases = [
        KnowledgeBase(spec, {name: contents(name, spec.terms.uri) for name in needed_files(spec)}, SETTING)
        for spec in knowledge_base_specs([knowledge_base_message(each) for each in found.knowledge_bases])
    ]
    said: dict[str, dict[str, float]] = {}
    for members in (rules, tuple(bases)):
        votes = current_votes(Family(RULES, members, SETTING.classes).vote(items, number=0))
        for row in votes.to_pylist():
            said.setdefault(row["item_id"], {})[row["answer"]] = row["weight"]
    return said


@pytest.mark.parametrize("text", [pytest.param(each, id=each.split()[3]) for each in blocks()])
def test_rule_example_votes_as_the_page_says(text: str) -> None:
    found = parse_rule_file(text, source="sources.md")
    promises = PROMISE.findall(text)
    if not promises:
        assert found.knowledge_bases[0].wikipedia is not None  # no dump is at hand
        return
    items = ItemBlock(
        [str(number) for number in range(len(promises))],
        texts=[each[2] for each in promises],
        meta=[each[1] or "{}" for each in promises],
    )

    said = votes_on(found, items)

    for number, (want, _, shown) in enumerate(promises):
        words = want.split()
        weights = words[1::2] or ["1"]
        wanted = {} if want == "-" else dict(zip(words[::2], map(float, weights), strict=True))
        assert said.get(str(number), {}) == wanted, shown


def test_every_kind_of_rule_has_an_example() -> None:
    files = [parse_rule_file(text, source="sources.md") for text in blocks()]
    kinds = {name for each in files for rule in each.rules for name in rule.model_fields_set}
    bases = {name for each in files for base in each.knowledge_bases for name in base.model_fields_set}

    assert kinds >= {"regex", "keywords", "metadata", "expression", "unless", "priority"}
    assert bases >= {"gazetteer", "word_net", "wikipedia"}
