"""From messages to rules and knowledge bases."""

import re
from collections.abc import Sequence

from labelplane.aggregation.v1 import aggregation_pb2 as pb
from labelplane_aggregation.requests import RuleFile
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
from labelplane_core.errors import InvalidInput
from labelplane_core.task_messages import share_from_proto

__all__ = ["knowledge_base_specs", "rule_entries", "rule_specs"]

_MAX_RULES = 1000
_MAX_KNOWLEDGE_BASES = 20
_MAX_WORDS = 1000
_MAX_CLASSES = 1000
_MAX_NAME = 253
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,252}")
"""Of a ConfigMap or a key in one; it leads to no other folder."""

ConditionSpec = RegexSpec | KeywordSpec | ComparisonSpec | ExpressionSpec | FunctionSpec


def rule_entries(messages: Sequence[pb.Rule]) -> tuple[RuleSpec | RuleFile, ...]:
    """Return rules and files of rules, or raise `InvalidInput` naming the rule and its field that is wrong."""
    if len(messages) > _MAX_RULES:
        raise InvalidInput(f"rules must be at most {_MAX_RULES}, got {len(messages)}")
    return tuple(
        _file(f"rules[{place}].file", message.file) if message.HasField("file") else _rule(message, place)
        for place, message in enumerate(messages)
    )


def rule_specs(messages: Sequence[pb.Rule]) -> tuple[RuleSpec, ...]:
    """Return the rules, of which none may be a file, or raise `InvalidInput` naming what is wrong."""
    if len(messages) > _MAX_RULES:
        raise InvalidInput(f"rules must be at most {_MAX_RULES}, got {len(messages)}")
    return tuple(_rule(message, place) for place, message in enumerate(messages))


def knowledge_base_specs(messages: Sequence[pb.KnowledgeBase]) -> tuple[KnowledgeBaseSpec, ...]:
    """Return the knowledge bases, or raise `InvalidInput` naming what is wrong."""
    if len(messages) > _MAX_KNOWLEDGE_BASES:
        raise InvalidInput(f"knowledge_bases must be at most {_MAX_KNOWLEDGE_BASES}, got {len(messages)}")
    return tuple(_knowledge_base(message, place) for place, message in enumerate(messages))


def _rule(message: pb.Rule, place: int) -> RuleSpec:
    where = f"rules[{place}]"
    return RuleSpec(
        name=_name(where, message.name),
        label=message.label,
        condition=_condition(where, message),
        unless=message.unless,
        priority=message.priority,
        review_share=share_from_proto(f"{where}.review_share", message.review_share),
    )


def _file(where: str, message: pb.RuleFile) -> RuleFile:
    for name, value in (("config_map", message.config_map), ("key", message.key)):
        if not _FILE_NAME.fullmatch(value):
            raise InvalidInput(f"{where}.{name} {value[:_MAX_NAME]!r} is no name of a {name.replace('_', ' ')}")
    return RuleFile(message.config_map, message.key)


def _condition(where: str, message: pb.Rule) -> ConditionSpec:
    match message.WhichOneof("condition"):
        case "regex":
            return RegexSpec(message.regex)
        case "keywords":
            return _keywords(where, message.keywords)
        case "metadata":
            return _comparison(where, message.metadata)
        case "expression":
            return ExpressionSpec(message.expression)
        case "function":
            return FunctionSpec(message.function)
    raise InvalidInput(f"{where}: none of regex, keywords, metadata, expression and function is set: set one")


def _keywords(where: str, message: pb.Keywords) -> KeywordSpec:
    count = len(message.any) + len(message.all)
    if not 1 <= count <= 2 * _MAX_WORDS:
        raise InvalidInput(f"{where}.keywords: any and all must name from 1 to {_MAX_WORDS} words each")
    return KeywordSpec(
        any_of=tuple(message.any),
        all_of=tuple(message.all),
        within=message.within,
        whole_words=not message.part_words,
        match_case=message.match_case,
    )


def _comparison(where: str, message: pb.Comparison) -> ComparisonSpec:
    known = {each.value for each in Comparison}
    if message.comparison not in known:
        raise InvalidInput(f"{where}.metadata.comparison {message.comparison!r} is none of {', '.join(sorted(known))}")
    return ComparisonSpec(message.field, Comparison(message.comparison), message.value)


def _knowledge_base(message: pb.KnowledgeBase, place: int) -> KnowledgeBaseSpec:
    where = f"knowledge_bases[{place}]"
    name = _name(where, message.name)
    match message.WhichOneof("terms"):
        case "gazetteer":
            source = message.gazetteer
            return KnowledgeBaseSpec(name, GazetteerSpec(_uri(where, source.uri), whole_words=not source.part_words))
        case "word_net":
            synsets = _mapping(f"{where}.word_net.synsets", dict(message.word_net.synsets))
            return KnowledgeBaseSpec(name, WordNetSpec(_uri(where, message.word_net.uri), synsets))
        case "wikipedia":
            categories = _mapping(f"{where}.wikipedia.categories", dict(message.wikipedia.categories))
            return KnowledgeBaseSpec(name, WikipediaSpec(_uri(where, message.wikipedia.uri), categories))
    raise InvalidInput(f"{where}: none of gazetteer, word_net and wikipedia is set: set one")


def _name(where: str, name: str) -> str:
    if not 1 <= len(name) <= _MAX_NAME:
        raise InvalidInput(f"{where}.name must have 1 to {_MAX_NAME} characters")
    return name


def _uri(where: str, uri: str) -> str:
    if not uri:
        raise InvalidInput(f"{where}: uri must be set")
    return uri


def _mapping(where: str, entries: dict[str, str]) -> dict[str, str]:
    if not 1 <= len(entries) <= _MAX_CLASSES:
        raise InvalidInput(f"{where} must have from 1 to {_MAX_CLASSES} entries")
    return dict(sorted(entries.items()))
