"""What tests of rules and knowledge bases are made of."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from labelplane_aggregation.sources import ItemBlock, RegexSpec, Rule, RuleSpec, Setting
from labelplane_core.tasks import Modality

CLASSES = ("animal", "food", "plant")
TEXTS = Setting(CLASSES, Modality.TEXT, metadata_fields=("kind", "year"))
IMAGES = Setting(CLASSES, Modality.IMAGE, metadata_fields=("camera",))


def block(*texts: str, meta: Sequence[Mapping[str, Any]] = ()) -> ItemBlock:
    """Make a block of texts, named i0, i1 and so on."""
    return ItemBlock(
        [f"i{place}" for place in range(len(texts))], texts=texts, meta=[json.dumps(each) for each in meta]
    )


def rule(condition: Any, *, name: str = "r", label: str = "animal", setting: Setting = TEXTS, **extra: Any) -> Rule:
    """Make a rule; a plain string is its regex."""
    spec = RegexSpec(condition) if isinstance(condition, str) else condition
    return Rule(RuleSpec(name, label, spec, **extra), setting)


def hits(source: Any, items: ItemBlock) -> list[int]:
    """Return on which items a source votes."""
    return sorted(set(source.vote(items).rows.tolist()))
