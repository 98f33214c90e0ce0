"""Files of rules: what `spec.sources` says of rules and knowledge bases, in a file or a ConfigMap of its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from labelplane_api.documents import Document, load_documents
from labelplane_api.errors import JobFileError, NodePath
from labelplane_api.sources import KnowledgeBaseSource, RuleSource, Sources
from labelplane_api.validation import problems_of

__all__ = ["MOST_KNOWLEDGE_BASES", "MOST_RULES", "RuleFile", "RuleOrigin", "parse_rule_file"]

MOST_RULES: Final = 200
"""Rules of one job, as in `spec.sources.rules`."""
MOST_KNOWLEDGE_BASES: Final = 20
"""Knowledge bases of one job, as in `spec.sources.knowledgeBases`."""

_BELOW: Final = ("spec", "sources")


@dataclass(frozen=True, slots=True)
class RuleOrigin:
    """Where a rule or knowledge base is written.

    Attributes:
        document: the document.
        path: of the rule in it.
    """

    document: Document
    path: NodePath

    def place(self, field: str) -> str:
        """Return file, line and column of a field of the rule, as error lines begin."""
        return f"{self.document.source}:{self.document.place((*self.path, *field.split('.')))}"


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A file of rules.

    Attributes:
        rules: none of them is a ConfigMap.
        knowledge_bases: as they stand.
        document: where they are written.
    """

    rules: tuple[RuleSource, ...]
    knowledge_bases: tuple[KnowledgeBaseSource, ...]
    document: Document

    @property
    def origins(self) -> Mapping[str, RuleOrigin]:
        """Where each rule and knowledge base is written, by its name."""
        rules = {rule.name: RuleOrigin(self.document, ("rules", place)) for place, rule in enumerate(self.rules)}
        bases = {
            base.name: RuleOrigin(self.document, ("knowledgeBases", place))
            for place, base in enumerate(self.knowledge_bases)
        }
        return bases | rules


def parse_rule_file(text: str, *, source: str) -> RuleFile:
    """Read a file of rules.

    Args:
        text: one YAML document with `rules`, `knowledgeBases` or both, each as in `spec.sources` of a job.
        source: the file's name, as error lines begin.

    Raises:
        JobFileError: the text is no YAML or holds something else; one line a problem, with file, line and column.
    """
    documents = load_documents(text, source=source)
    if len(documents) != 1:
        raise JobFileError([f"{source}: holds {len(documents)} documents: write rules: in one"])
    document = documents[0]
    try:
        found = Sources.model_validate(document.data, by_alias=True, by_name=False)
    except ValidationError as error:
        raise JobFileError(_lines(document, error)) from error
    for name in ("humans", "models"):
        if name in document.data:
            raise JobFileError(
                [f"{source}:{document.place((name,))}: {name}: only rules and knowledgeBases stand here"]
            )
    nested = [place for place, rule in enumerate(found.rules) if rule.config_map is not None]
    if nested:
        where = document.place(("rules", nested[0], "configMap"))
        raise JobFileError(
            [f"{source}:{where}: rules[{nested[0]}].configMap: a file of rules names no other: remove it"]
        )
    return RuleFile(found.rules, found.knowledge_bases, document)


def _lines(document: Document, error: ValidationError) -> list[str]:
    # The fields are those of a job, so its names are suggested for what is misspelt.
    problems = problems_of(error, below=_BELOW)
    return [f"{document.source}:{document.place(each.path)}: {each.message}" for each in problems]
