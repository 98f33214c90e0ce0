"""From rules and knowledge bases as people write them to what votes."""

from labelplane_aggregation.sources import (
    Comparison,
    ComparisonSpec,
    ExpressionSpec,
    FunctionSpec,
    GazetteerSpec,
    KeywordSpec,
    KnowledgeBaseSpec,
    RegexSpec,
    RuleSpec,
    WikipediaSpec,
    WordNetSpec,
)
from labelplane_aggregation.sources.specs import ConditionSpec, TermSpec
from labelplane_api.sources import KeywordMatch, KnowledgeBaseSource, RuleSource

__all__ = ["knowledge_base_spec", "rule_spec"]


def rule_spec(rule: RuleSource) -> RuleSpec:
    """Return a rule whose condition it has itself: a file of rules names no other file."""
    return RuleSpec(
        rule.name,
        rule.label or "",
        _condition(rule),
        unless=rule.unless or "",
        priority=rule.priority,
        review_share=rule.review_share,
    )


def knowledge_base_spec(source: KnowledgeBaseSource) -> KnowledgeBaseSpec:
    """Return a knowledge base."""
    return KnowledgeBaseSpec(source.name, _terms(source))


def _condition(rule: RuleSource) -> ConditionSpec:
    if rule.regex is not None:
        return RegexSpec(rule.regex)
    if rule.keywords is not None:
        return _keywords(rule.keywords)
    if rule.metadata is not None:
        compared = rule.metadata
        return ComparisonSpec(compared.field, Comparison(compared.comparison.value), compared.value)
    if rule.expression is not None:
        return ExpressionSpec(rule.expression)
    return FunctionSpec(rule.function or "")


def _keywords(match: KeywordMatch) -> KeywordSpec:
    return KeywordSpec(
        any_of=match.any,
        all_of=match.all,
        within=match.within or 0,
        whole_words=match.whole_words,
        match_case=match.match_case,
    )


def _terms(source: KnowledgeBaseSource) -> TermSpec:
    if source.gazetteer is not None:
        return GazetteerSpec(source.gazetteer.uri, whole_words=source.gazetteer.whole_words)
    if source.word_net is not None:
        return WordNetSpec(source.word_net.uri, dict(sorted(source.word_net.synsets.items())))
    assert source.wikipedia is not None  # exactly one is set
    return WikipediaSpec(source.wikipedia.uri, dict(sorted(source.wikipedia.categories.items())))
