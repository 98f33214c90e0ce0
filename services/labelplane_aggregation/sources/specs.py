"""Rules and knowledge bases as they are asked for, before anything is read or compiled."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from labelplane_core.tasks import Modality

__all__ = [
    "Comparison",
    "ComparisonSpec",
    "ConditionSpec",
    "ExpressionSpec",
    "FunctionSpec",
    "GazetteerSpec",
    "KeywordSpec",
    "KnowledgeBaseSpec",
    "RegexSpec",
    "RuleSpec",
    "Setting",
    "TermSpec",
    "WikipediaSpec",
    "WordNetSpec",
]


class Comparison(StrEnum):
    """How a field is compared, as jobs spell it."""

    EQUAL = "Equal"
    NOT_EQUAL = "NotEqual"
    LESS = "Less"
    LESS_OR_EQUAL = "LessOrEqual"
    GREATER = "Greater"
    GREATER_OR_EQUAL = "GreaterOrEqual"


@dataclass(frozen=True, slots=True)
class RegexSpec:
    """A pattern (RE2) that the text holds."""

    pattern: str


@dataclass(frozen=True, slots=True)
class KeywordSpec:
    """Words that the text holds: one of `any_of`, every one of `all_of`, these `within` so many words (0: anywhere)."""

    any_of: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()
    within: int = 0
    whole_words: bool = True
    match_case: bool = False


@dataclass(frozen=True, slots=True)
class ComparisonSpec:
    """A comparison of a metadata field or a measured feature."""

    field: str
    comparison: Comparison
    value: str


@dataclass(frozen=True, slots=True)
class ExpressionSpec:
    """CEL over `item`."""

    source: str


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """A Python function, as package.module:function."""

    path: str


ConditionSpec = RegexSpec | KeywordSpec | ComparisonSpec | ExpressionSpec | FunctionSpec


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """A rule: where its condition holds, and the pattern `unless` does not, it votes its label.

    `review_share` is the share of these items that people look at; it shapes no vote.
    """

    name: str
    label: str
    condition: ConditionSpec
    unless: str = ""
    priority: int = 0
    review_share: float = 0.0


@dataclass(frozen=True, slots=True)
class GazetteerSpec:
    """A table of terms with their classes."""

    uri: str
    whole_words: bool = True


@dataclass(frozen=True, slots=True)
class WordNetSpec:
    """The hyponyms of a synset for each class."""

    uri: str
    synsets: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WikipediaSpec:
    """The pages of a category for each class."""

    uri: str
    categories: Mapping[str, str]


TermSpec = GazetteerSpec | WordNetSpec | WikipediaSpec


@dataclass(frozen=True, slots=True)
class KnowledgeBaseSpec:
    """A knowledge base and where its terms come from."""

    name: str
    terms: TermSpec


@dataclass(frozen=True, slots=True)
class Setting:
    """What rules are compiled for.

    Attributes:
        classes: the task's.
        modality: of its items.
        metadata_fields: names that items carry.
        trusted_packages: Python packages whose functions may be rules.
    """

    classes: tuple[str, ...]
    modality: Modality
    metadata_fields: tuple[str, ...] = ()
    trusted_packages: tuple[str, ...] = ()
