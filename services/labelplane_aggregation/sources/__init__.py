"""Sources of votes that are no people: rules and knowledge bases. Pure: items in, votes out."""

from labelplane_aggregation.sources.block import ItemBlock, image_features
from labelplane_aggregation.sources.diagnostics import Diagnosed, diagnose
from labelplane_aggregation.sources.families import Family, Known
from labelplane_aggregation.sources.knowledge_bases import KnowledgeBase, needed_files
from labelplane_aggregation.sources.rules import Rule, compile_rules
from labelplane_aggregation.sources.source import Ballots, VoteSource
from labelplane_aggregation.sources.specs import (
    Comparison,
    ComparisonSpec,
    ExpressionSpec,
    FunctionSpec,
    GazetteerSpec,
    KeywordSpec,
    KnowledgeBaseSpec,
    RegexSpec,
    RuleSpec,
    Setting,
    WikipediaSpec,
    WordNetSpec,
)
from labelplane_aggregation.sources.weighing import KnownClasses, RuleWeights, weigh_rules

__all__ = [
    "Ballots",
    "Comparison",
    "ComparisonSpec",
    "Diagnosed",
    "ExpressionSpec",
    "Family",
    "FunctionSpec",
    "GazetteerSpec",
    "ItemBlock",
    "KeywordSpec",
    "KnowledgeBase",
    "KnowledgeBaseSpec",
    "Known",
    "KnownClasses",
    "RegexSpec",
    "Rule",
    "RuleSpec",
    "RuleWeights",
    "Setting",
    "VoteSource",
    "WikipediaSpec",
    "WordNetSpec",
    "compile_rules",
    "diagnose",
    "image_features",
    "needed_files",
    "weigh_rules",
]
