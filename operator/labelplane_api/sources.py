"""`spec.sources`: everything that votes."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from labelplane_api.rules import Rule, TransitionRule, at_least_one, exactly_one, immutable, unique_items
from labelplane_api.schema import (
    Address,
    ApiModel,
    Bool,
    Change,
    ClassName,
    Endpoint,
    FieldName,
    Float,
    Int,
    ObjectName,
    Text,
    Word,
    mapping,
    option,
)

_Probability = Annotated[float, Field(strict=True, ge=0, le=1)]
_ConfusionRow = Annotated[tuple[_Probability, ...], Field(min_length=2, max_length=50)]
_ROW_TOLERANCE: Final = 1e-6


class Connector(StrEnum):
    """How votes of people come in."""

    SIMULATED = "Simulated"
    FILES = "Files"
    LABEL_STUDIO = "LabelStudio"
    INBOX = "Inbox"


def _unequal_rows(group: Any) -> str | None:
    for number, row in enumerate(group.confusion or ()):
        if len(row) != len(group.confusion):
            return f"[{number}]: has {len(row)} numbers for {len(group.confusion)} rows: the matrix is square"
        if not 1 - _ROW_TOLERANCE < sum(row) < 1 + _ROW_TOLERANCE:
            return f"[{number}]: adds up to {sum(row):g}: a row adds up to 1"
    return None


class SimulatedAnnotators(ApiModel):
    """Simulated annotators of one kind; they read the data set's truth."""

    name: Word = option("name begins the annotators' names: name-1, name-2 and so on.")
    count: Int = option("count is how many annotators of this kind there are.", 1, ge=1, le=100_000)
    accuracy: Float | None = option(
        "accuracy is how often they are right; errors fall evenly on the other classes.",
        None,
        otherwise="random or confusion says how they answer",
        ge=0,
        le=1,
    )
    random: Literal[True] | None = option(
        "random, when true, makes them answer without looking at the item.",
        None,
        otherwise="accuracy or confusion says how they answer",
    )
    confusion: tuple[_ConfusionRow, ...] | None = option(
        "confusion is how they answer: one row a true class, one column an answer, in the order of task.classes; a "
        "row adds up to 1.",
        None,
        otherwise="accuracy or random says how they answer",
        min_length=2,
        max_length=50,
    )
    response_seconds: Float = option(
        "responseSeconds is how long they take for an answer, in seconds.", 0.0, ge=0, le=86_400
    )

    checks: ClassVar[tuple[Rule, ...]] = (
        exactly_one("accuracy", "random", "confusion"),
        Rule(
            field="confusion",
            message="confusion must be a square matrix whose rows add up to 1",
            check=_unequal_rows,
            cel="!has(self.confusion) || self.confusion.all(row, row.size() == self.confusion.size() "
            "&& row.sum() > 0.999999 && row.sum() < 1.000001)",
        ),
    )

    @property
    def names(self) -> tuple[str, ...]:
        """The annotators' names, in order; no two groups of different names share one."""
        return tuple(f"{self.name}-{number}" for number in range(1, self.count + 1))


class SimulatedCrowd(ApiModel):
    """A crowd of simulated annotators with stated errors, for demonstrations and tests."""

    seed: Int | None = option(
        "seed fixes every simulated answer and who is asked.",
        None,
        otherwise="run.seed",
        ge=0,
        le=2_147_483_647,
        change=Change.NEVER,
    )
    annotators: tuple[SimulatedAnnotators, ...] = option(
        "annotators are the groups of the crowd.", min_length=1, max_length=32
    )

    checks: ClassVar[tuple[Rule, ...]] = (unique_items("annotators", key="name"),)
    transitions: ClassVar[tuple[TransitionRule, ...]] = (immutable("seed"),)


class FilesConnector(ApiModel):
    """Votes as files that appear in a folder: CSV, JSONL or Parquet with item, label and optionally annotator."""

    uri: Address = option(
        "uri is the folder where tasks are written and votes are read: s3://bucket/prefix, or a path relative to the "
        "job file.",
        change=Change.AT_ONCE,
    )
    poll_seconds: Int = option(
        "pollSeconds is the time between two looks for new files, in seconds; it grows to ten minutes while nothing "
        "comes.",
        30,
        ge=1,
        le=3600,
        change=Change.AT_ONCE,
    )


class ImageDelivery(StrEnum):
    """How annotators' browsers get images."""

    PRESIGNED = "Presigned"
    INLINE = "Inline"


class LabelStudioConnector(ApiModel):
    """Tasks to and annotations from a Label Studio server."""

    url: Endpoint = option("url is the server's address, as in https://host:8080.", change=Change.AT_ONCE)
    token_secret: ObjectName = option(
        "tokenSecret names the Secret whose key token holds an access token of the server, legacy or personal.",
        change=Change.AT_ONCE,
    )
    project: Int | None = option(
        "project is the number of a project that is there already; its annotations count from the start, and open "
        "items that it has no task of are added to it.",
        None,
        otherwise="the job makes a project of its own",
        ge=1,
        le=2_147_483_647,
        change=Change.AT_ONCE,
    )
    images: ImageDelivery | None = option(
        "images is Presigned (addresses in the bucket, which annotators' browsers must reach; they work for a week and "
        "are renewed) or Inline (each image stands in its task, at most 256 KiB; larger ones are made smaller).",
        None,
        otherwise="Presigned where dataset.uri is a bucket, Inline where it is a folder",
        change=Change.AT_ONCE,
    )
    ca_bundle_config_map: ObjectName | None = option(
        "caBundleConfigMap names the ConfigMap whose key ca.crt holds certificates to trust the server by.",
        None,
        otherwise="the system's certificates",
        change=Change.AT_ONCE,
    )
    poll_seconds: Int = option(
        "pollSeconds is the time between two looks for changed annotations, in seconds.",
        30,
        ge=1,
        le=3600,
        change=Change.AT_ONCE,
    )


class InboxConnector(ApiModel):
    """Labelplane's own review page, and every tool that speaks its HTTP contract."""

    lease_seconds: Int = option(
        "leaseSeconds is how long a person holds a task before others get it, in seconds.",
        600,
        ge=10,
        le=86_400,
        change=Change.AT_ONCE,
    )


def _fewer_at_most(humans: Any) -> str | None:
    most = humans.max_votes_per_item
    if most is None or humans.votes_per_item <= most:
        return None
    return f" ({humans.votes_per_item}) is above maxVotesPerItem ({most}): lower it or raise maxVotesPerItem"


def _more_in_label_studio(humans: Any) -> str | None:
    if humans.max_votes_per_item is None or humans.label_studio is None:
        return None
    return " does not go with labelStudio, whose projects ask about all items alike: leave it out"


class Humans(ApiModel):
    """People, real or simulated."""

    votes_per_item: Int = option("votesPerItem is how many people are asked about an item.", 3, ge=1, le=25)
    max_votes_per_item: Int | None = option(
        "maxVotesPerItem is how many people are asked about an item at most: those beyond votesPerItem where another "
        "vote is worth it.",
        None,
        otherwise="votesPerItem on every item",
        ge=1,
        le=25,
    )
    least_gain: Float = option(
        "leastGain is by how much a vote beyond votesPerItem must be expected to lower an item's chance of a wrong "
        "label; read with maxVotesPerItem alone.",
        0.01,
        ge=0.0001,
        le=0.5,
    )
    price_per_vote: Float = option(
        "pricePerVote is what a vote costs, in budget.currency. A number, not a decimal string: it is multiplied into "
        "an estimate, not booked.",
        0.0,
        ge=0,
        le=1_000_000,
    )
    simulated: SimulatedCrowd | None = option(
        "simulated lets a crowd with stated errors answer.", None, change=Change.AT_ONCE
    )
    files: FilesConnector | None = option("files takes votes from files.", None, change=Change.AT_ONCE)
    label_studio: LabelStudioConnector | None = option(
        "labelStudio takes votes from a Label Studio server.", None, change=Change.AT_ONCE
    )
    inbox: InboxConnector | None = option(
        "inbox takes votes from the review page and over HTTP.", None, change=Change.AT_ONCE
    )

    checks: ClassVar[tuple[Rule, ...]] = (
        exactly_one("simulated", "files", "labelStudio", "inbox"),
        Rule(
            field="votesPerItem",
            message="votesPerItem must not be above maxVotesPerItem: lower it or raise maxVotesPerItem",
            check=_fewer_at_most,
            cel="!has(self.maxVotesPerItem) || self.votesPerItem <= self.maxVotesPerItem",
        ),
        Rule(
            field="maxVotesPerItem",
            message="maxVotesPerItem does not go with labelStudio, whose projects ask about all items alike",
            check=_more_in_label_studio,
            cel="!has(self.maxVotesPerItem) || !has(self.labelStudio)",
        ),
    )

    @property
    def connector(self) -> Connector:
        """Which of the members is set."""
        if self.simulated is not None:
            return Connector.SIMULATED
        if self.files is not None:
            return Connector.FILES
        return Connector.LABEL_STUDIO if self.label_studio is not None else Connector.INBOX


class KeywordMatch(ApiModel):
    """Words that a text holds."""

    any: tuple[FieldName, ...] = option("any are words of which one must occur.", (), max_length=1000)
    all: tuple[FieldName, ...] = option("all are words that must all occur.", (), max_length=1000)
    within: Int | None = option(
        "within is the largest distance between the words of all, in words.",
        None,
        otherwise="any distance",
        ge=1,
        le=10_000,
    )
    whole_words: Bool = option("wholeWords matches words only, not parts of them.", default=True)
    match_case: Bool = option("matchCase tells capital from small letters.", default=False)

    checks: ClassVar[tuple[Rule, ...]] = (at_least_one("any", "all"),)


class Comparison(StrEnum):
    """How a metadata rule compares."""

    EQUAL = "Equal"
    NOT_EQUAL = "NotEqual"
    LESS = "Less"
    LESS_OR_EQUAL = "LessOrEqual"
    GREATER = "Greater"
    GREATER_OR_EQUAL = "GreaterOrEqual"


class MetadataMatch(ApiModel):
    """A comparison of a metadata field, or of a measured feature such as width or brightness."""

    field: FieldName = option("field is one of dataset.metadataFields, or a measured feature.")
    comparison: Comparison = option(
        "comparison is Equal, NotEqual, Less, LessOrEqual, Greater or GreaterOrEqual.", Comparison.EQUAL
    )
    value: Text = option("value is what the field is compared with; a number is written in quotes.")


class ConfigMapKey(ApiModel):
    """One key of a ConfigMap in the job's namespace."""

    name: ObjectName = option("name names the ConfigMap.")
    key: Word = option("key is the key in it.", "rules.yaml")


class RuleSource(ApiModel):
    """A rule that votes a class or abstains, or a ConfigMap full of them."""

    name: Word = option("name is the annotator's name of the rule.")
    label: ClassName | None = option(
        "label is the class that the rule votes.", None, otherwise="only with configMap, whose rules name theirs"
    )
    config_map: ConfigMapKey | None = option("configMap names a file of rules.", None)
    regex: Text | None = option("regex is a pattern that the text holds (RE2).", None)
    keywords: KeywordMatch | None = option("keywords are words that the text holds.", None)
    metadata: MetadataMatch | None = option("metadata compares one field of the item.", None)
    expression: Text | None = option("expression is CEL over item.", None)
    function: Text | None = option(
        "function is package:function in the image; only where the installation trusts it.", None
    )
    unless: Text | None = option("unless is a pattern (RE2) at which the rule abstains.", None)
    priority: Int = option("priority lets the higher of two rules that disagree vote alone.", 0, ge=-1000, le=1000)
    review_share: Float = option(
        "reviewShare is the share of its items that people look at before what the strategy picks; those on which "
        "rules disagree come first.",
        0.0,
        ge=0,
        le=1,
    )

    checks: ClassVar[tuple[Rule, ...]] = (
        exactly_one("configMap", "regex", "keywords", "metadata", "expression", "function"),
        Rule(
            field="label",
            message="label is needed, except with configMap",
            check=lambda rule: (
                ": is needed: name the class that the rule votes"
                if rule.label is None and rule.config_map is None
                else None
            ),
            cel="has(self.label) || has(self.configMap)",
        ),
    )


class Gazetteer(ApiModel):
    """A list of terms with their classes."""

    uri: Address = option("uri is the CSV, JSONL or Parquet file with the columns term, class and optionally weight.")
    whole_words: Bool = option("wholeWords matches words only, not parts of them.", default=True)


class WordNet(ApiModel):
    """The hyponyms of given synsets."""

    uri: Address = option("uri is the folder of the WordNet database files.")
    synsets: dict[FieldName, Text] = mapping("synsets gives each class its synset, as in dog.n.01.", max_length=1000)


class Wikipedia(ApiModel):
    """Titles and redirects of Wikipedia's pages, by category."""

    uri: Address = option("uri is the dump file.")
    categories: dict[FieldName, Text] = mapping("categories gives each class its category.", max_length=1000)


class KnowledgeBaseSource(ApiModel):
    """A source of terms that votes for the classes of those it finds."""

    name: Word = option("name is the annotator's name of the knowledge base.")
    gazetteer: Gazetteer | None = option("gazetteer is a list of terms.", None)
    word_net: WordNet | None = option("wordNet takes terms from WordNet.", None)
    wikipedia: Wikipedia | None = option("wikipedia takes terms from a dump of Wikipedia.", None)

    checks: ClassVar[tuple[Rule, ...]] = (exactly_one("gazetteer", "wordNet", "wikipedia"),)


class ZeroShot(ApiModel):
    """A Hugging Face model that knows the classes by their names."""

    weights: Address = option("weights is the folder of the model.")
    template: Text = option("template is the sentence that a class is put into.", "This is about {}.")


class ModelSource(ApiModel):
    """A model that votes: the job's own student, an exported one, or one that was never trained for the task."""

    name: Word = option("name is the annotator's name of the model.")
    student: Literal[True] | None = option("student, when true, lets the job's promoted student vote.", None)
    model: Address | None = option("model is the folder of an exported model.", None)
    zero_shot: ZeroShot | None = option("zeroShot asks a pretrained model about the classes' names.", None)

    checks: ClassVar[tuple[Rule, ...]] = (exactly_one("student", "model", "zeroShot"),)


class Sources(ApiModel):
    """Everything that votes; one inference weighs them all."""

    humans: Humans | None = option("humans are people, real or simulated.", None, otherwise="no person is asked")
    rules: tuple[RuleSource, ...] = option("rules are patterns that vote a class or abstain.", (), max_length=200)
    knowledge_bases: tuple[KnowledgeBaseSource, ...] = option(
        "knowledgeBases are lists of terms that vote.", (), max_length=20
    )
    models: tuple[ModelSource, ...] = option("models are models that vote.", (), max_length=20)

    checks: ClassVar[tuple[Rule, ...]] = (
        at_least_one("humans", "rules", "knowledgeBases", "models"),
        unique_items("rules", key="name"),
        unique_items("knowledgeBases", key="name"),
        unique_items("models", key="name"),
    )
