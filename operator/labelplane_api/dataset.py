"""`spec.dataset` and `spec.storage`: where the items are and where everything is kept."""

from enum import StrEnum
from typing import Any, ClassVar

from labelplane_api.rules import Rule, TransitionRule, immutable, needs, only, unique_items
from labelplane_api.schema import (
    Address,
    ApiModel,
    Bool,
    Change,
    Endpoint,
    FieldName,
    Float,
    Int,
    Key,
    ObjectName,
    option,
)


class DatasetFormat(StrEnum):
    """How items are found under the data set's address."""

    AUTO = "Auto"
    CLASS_FOLDERS = "ClassFolders"
    CSV = "Csv"
    JSONL = "Jsonl"
    PARQUET = "Parquet"


_TABLES = (DatasetFormat.CSV, DatasetFormat.JSONL, DatasetFormat.PARQUET)


def _is_table(dataset: Any) -> bool:
    return dataset.format in _TABLES


def _is_no_folder(dataset: Any) -> bool:
    return dataset.format is not DatasetFormat.CLASS_FOLDERS


def _has_index(dataset: Any) -> bool:
    return dataset.index is not None


def _gold_is_truth(dataset: Any) -> str | None:
    if dataset.gold_field is None or dataset.gold_field != dataset.truth_field:
        return None
    return (
        f' ("{dataset.gold_field}") is also truthField: name two fields, '
        "or every truth would be gold and nothing would be left to measure"
    )


class Dataset(ApiModel):
    """The items, and which columns say what about them."""

    uri: Address = option(
        "uri is the folder of the items: s3://bucket/prefix, or a path relative to the job file when the job runs on "
        "one machine.",
        change=Change.NEVER,
    )
    format: DatasetFormat = option(
        "format is how items are listed: ClassFolders (one folder a class), a table (Csv, Jsonl, Parquet), or Auto "
        "(by what lies there).",
        DatasetFormat.AUTO,
        change=Change.NEVER,
    )
    index: Key | None = option(
        "index is the path of the table inside uri.",
        None,
        otherwise="items are the files below uri",
        change=Change.NEVER,
    )
    id_field: FieldName | None = option(
        "idField is the column with each item's id, unique in the table.",
        None,
        otherwise="the item's path, or for a text a hash of it, is its id",
        change=Change.NEVER,
    )
    item_field: FieldName | None = option(
        "itemField is the column with the text itself or with the item's path below uri.",
        None,
        otherwise="items are files, not rows",
        change=Change.NEVER,
    )
    gold_field: FieldName | None = option(
        "goldField is the column with the known class of some items, empty for the others; with ClassFolders the one "
        "column is called folder.",
        None,
        otherwise="there is no gold, and no item is accepted without a person",
        change=Change.NEVER,
    )
    gold_gate_share: Float = option(
        "goldGateShare is the share of gold that decides (stop, promotion, acceptance); the rest is audit gold and is "
        "only reported.",
        0.5,
        ge=0,
        le=1,
        change=Change.NEVER,
    )
    truth_field: FieldName | None = option(
        "truthField is the column with every item's class, for simulated annotators and the report; it is never "
        "stored nor trained on.",
        None,
        otherwise="the truth is unknown",
        change=Change.NEVER,
    )
    metadata_fields: tuple[FieldName, ...] = option(
        "metadataFields are columns that are kept beside each item, for rules and for people.",
        (),
        max_length=32,
        change=Change.NEVER,
    )
    train_on_gold: Bool = option("trainOnGold lets gold items also be trained on.", default=False)
    max_item_errors: Int = option(
        "maxItemErrors is how many items may be unreadable before the job fails.",
        100,
        ge=0,
        le=1_000_000_000,
        change=Change.AT_ONCE,
    )

    checks: ClassVar[tuple[Rule, ...]] = (
        needs("index", when="self.format in ['Csv', 'Jsonl', 'Parquet']", reason="for a table format", holds=_is_table),
        only(
            "index", when="self.format != 'ClassFolders'", reason="when format is not ClassFolders", holds=_is_no_folder
        ),
        needs("itemField", when="has(self.index)", reason="with an index", holds=_has_index),
        only("itemField", when="has(self.index)", reason="with an index", holds=_has_index),
        only("idField", when="has(self.index)", reason="with an index", holds=_has_index),
        unique_items("metadataFields"),
        Rule(
            field="goldField",
            message="goldField and truthField must name different columns",
            check=_gold_is_truth,
            cel="!has(self.goldField) || !has(self.truthField) || self.goldField != self.truthField",
        ),
    )
    transitions: ClassVar[tuple[TransitionRule, ...]] = tuple(
        immutable(name)
        for name in (
            "uri",
            "format",
            "index",
            "idField",
            "itemField",
            "goldField",
            "goldGateShare",
            "truthField",
            "metadataFields",
        )
    )


def _is_bucket(storage: Any) -> bool:
    return "://" in storage.uri


def _only_for_buckets(name: str) -> Rule:
    return only(name, when="self.uri.contains('://')", reason="when uri is s3://bucket/prefix", holds=_is_bucket)


class Storage(ApiModel):
    """The object store that holds the job's results; items are read with the same credentials."""

    uri: Address = option(
        "uri is the address below which the job keeps everything: s3://bucket/prefix, or a folder relative to the job "
        "file when the job runs on one machine.",
        change=Change.NEVER,
    )
    endpoint: Endpoint | None = option(
        "endpoint is the address of the S3 server, as in https://host:9000.",
        None,
        otherwise="the cloud's own",
        change=Change.AT_ONCE,
    )
    region: FieldName | None = option(
        "region is the bucket's region.", None, otherwise="us-east-1", change=Change.AT_ONCE
    )
    path_style: Bool = option(
        "pathStyle puts the bucket into the path, not into the host name; MinIO and most private servers want it.",
        default=False,
        change=Change.AT_ONCE,
    )
    credentials_secret: ObjectName | None = option(
        "credentialsSecret names the Secret with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, if need be, "
        "AWS_SESSION_TOKEN.",
        None,
        otherwise="the identity of the pod or of the machine's user",
        change=Change.AT_ONCE,
    )
    ca_bundle_config_map: ObjectName | None = option(
        "caBundleConfigMap names the ConfigMap whose key ca.crt holds the certificates that sign the endpoint's.",
        None,
        otherwise="the system's certificates",
        change=Change.AT_ONCE,
    )

    checks: ClassVar[tuple[Rule, ...]] = tuple(
        _only_for_buckets(name) for name in ("endpoint", "region", "credentialsSecret", "caBundleConfigMap")
    )
    transitions: ClassVar[tuple[TransitionRule, ...]] = (immutable("uri"),)
