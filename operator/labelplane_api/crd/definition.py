"""The CustomResourceDefinition of `LabelingJob`."""

from typing import Any, Final

import yaml

from labelplane_api.crd.structural import structural_schema
from labelplane_api.errors import SchemaError
from labelplane_api.job import API_GROUP, API_VERSION, KIND, LabelingJob

PLURAL: Final = "labelingjobs"
LARGEST_BYTES: Final = 262_144
"""`kubectl apply` keeps a copy of the object in an annotation, and annotations are bounded by this."""

_HEADER: Final = "# Written by `make generate` from operator/labelplane_api; do not edit.\n"

_COLUMNS: Final = (
    ("Stage", "string", ".status.stage", "The stage that runs, or Waiting, Suspended, Complete, Failed, Refused.", 0),
    ("Round", "integer", ".status.rounds[-1:].round", "The last round that has begun, from 0.", 0),
    ("Labelled", "integer", ".status.progress.labelled", "Items that people decided.", 0),
    (
        "Quality",
        "string",
        '.status.conditions[?(@.type=="QualityGatePassed")].status',
        "Whether the quality gates are passed.",
        0,
    ),
    ("Cost", "number", ".status.cost.money", "What votes and computing have cost, in budget.currency.", 1),
    ("Age", "date", ".metadata.creationTimestamp", "Since when the job exists.", 0),
)


def build_crd() -> dict[str, Any]:
    """Return the CustomResourceDefinition as the API server takes it.

    Raises:
        SchemaError: a type says what a structural schema cannot.
    """
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{API_GROUP}"},
        "spec": {
            "group": API_GROUP,
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["lpj"],
                "categories": ["labelplane"],
            },
            "scope": "Namespaced",
            "versions": [
                {
                    "name": API_VERSION.removeprefix(f"{API_GROUP}/"),
                    "served": True,
                    "storage": True,
                    "additionalPrinterColumns": [_column(*column) for column in _COLUMNS],
                    "subresources": {"status": {}},
                    "schema": {"openAPIV3Schema": structural_schema(LabelingJob)},
                }
            ],
        },
    }


def crd_yaml() -> str:
    """Return the text of the CRD's file.

    Raises:
        SchemaError: also when the text is larger than `kubectl apply` takes.
    """
    text = _HEADER + yaml.dump(build_crd(), Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=1_000_000)
    if len(text.encode()) >= LARGEST_BYTES:
        raise SchemaError("", f"the CRD has {len(text.encode())} bytes, kubectl apply takes less than {LARGEST_BYTES}")
    return text


def _column(name: str, kind: str, path: str, description: str, priority: int) -> dict[str, Any]:
    column = {"name": name, "type": kind, "jsonPath": path, "description": description}
    return {**column, "priority": priority} if priority else column


class _PlainDumper(yaml.SafeDumper):
    """Writes equal parts out in full: kubectl reads anchors, people rather do not."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True
