"""Kubernetes events of a job: pure, and named so that the same event is made once."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from labelplane_api.job import API_VERSION, KIND
from labelplane_api.metadata import ObjectMeta
from labelplane_operator.kinds import EVENT
from labelplane_operator.plan import Event

__all__ = ["event_manifest"]

_MAX_NOTE_BYTES = 1024
_MAX_NAME_LENGTH = 200
_CONTROLLER = "labelplane.io/operator"


def event_manifest(metadata: ObjectMeta, event: Event, *, now: datetime) -> dict[str, Any]:
    """Return an event of the job with this metadata, as an object of events.k8s.io/v1.

    Its name is a hash of what it says and of the generation, so that a leader that says it again is refused.
    """
    said = (metadata.uid, metadata.generation, event.reason, event.message)
    mark = hashlib.sha256(repr(said).encode()).hexdigest()[:12]
    return {
        "apiVersion": EVENT.api_version,
        "kind": EVENT.kind,
        "metadata": {"name": f"{metadata.name[:_MAX_NAME_LENGTH]}.{mark}", "namespace": metadata.namespace},
        "eventTime": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": _CONTROLLER,
        "reportingInstance": "labelplane-operator",
        "action": "Reconcile",
        "reason": event.reason,
        # The API server counts bytes; a message may quote what people wrote, in any script.
        "note": event.message.encode()[:_MAX_NOTE_BYTES].decode(errors="ignore"),
        "type": "Warning" if event.is_warning else "Normal",
        "regarding": {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "name": metadata.name,
            "namespace": metadata.namespace,
            "uid": metadata.uid,
        },
    }
