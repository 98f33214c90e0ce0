"""From a job's rules and knowledge bases to their messages. Pure."""

from labelplane.aggregation.v1 import aggregation_pb2 as aggregation
from labelplane_api.sources import KeywordMatch, KnowledgeBaseSource, MetadataMatch, RuleSource

__all__ = ["knowledge_base_message", "rule_message"]


def rule_message(rule: RuleSource) -> aggregation.Rule:
    """Return the message of a rule, or of the file in a ConfigMap that stands for its rules.

    On one machine no such file is left: what it says has been put into the job before.
    """
    message = aggregation.Rule(name=rule.name, label=rule.label or "", unless=rule.unless or "", priority=rule.priority)
    message.review_share = rule.review_share
    if rule.config_map is not None:
        message.file.CopyFrom(aggregation.RuleFile(config_map=rule.config_map.name, key=rule.config_map.key))
    elif rule.regex is not None:
        message.regex = rule.regex
    elif rule.keywords is not None:
        message.keywords.CopyFrom(_keywords(rule.keywords))
    elif rule.metadata is not None:
        message.metadata.CopyFrom(_comparison(rule.metadata))
    elif rule.expression is not None:
        message.expression = rule.expression
    else:
        message.function = rule.function or ""
    return message


def knowledge_base_message(source: KnowledgeBaseSource) -> aggregation.KnowledgeBase:
    """Return the message of a knowledge base."""
    message = aggregation.KnowledgeBase(name=source.name)
    if source.gazetteer is not None:
        gazetteer = source.gazetteer
        message.gazetteer.CopyFrom(aggregation.Gazetteer(uri=gazetteer.uri, part_words=not gazetteer.whole_words))
    elif source.word_net is not None:
        message.word_net.CopyFrom(aggregation.WordNet(uri=source.word_net.uri, synsets=source.word_net.synsets))
    elif source.wikipedia is not None:
        dump = source.wikipedia
        message.wikipedia.CopyFrom(aggregation.Wikipedia(uri=dump.uri, categories=dump.categories))
    return message


def _keywords(match: KeywordMatch) -> aggregation.Keywords:
    return aggregation.Keywords(
        any=match.any,
        all=match.all,
        within=match.within or 0,
        part_words=not match.whole_words,
        match_case=match.match_case,
    )


def _comparison(match: MetadataMatch) -> aggregation.Comparison:
    return aggregation.Comparison(field=match.field, comparison=match.comparison.value, value=match.value)
