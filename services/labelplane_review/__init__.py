"""What people and tools reach: the review page (`web`), and connectors that bring tasks to annotators and votes back.

They know the inbox of the aggregation service by its RPCs alone. Names load on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labelplane_review.files import FilesConnector, PollTimes
    from labelplane_review.inbox_client import InboxClient, NewVote, OpenTask, Rejected
    from labelplane_review.simulated import AnnotatorGroup, SimulatedConnector, SimulatedCrowd

__all__ = [
    "AnnotatorGroup",
    "FilesConnector",
    "InboxClient",
    "NewVote",
    "OpenTask",
    "PollTimes",
    "Rejected",
    "SimulatedConnector",
    "SimulatedCrowd",
]

_HOMES = {
    "AnnotatorGroup": "simulated",
    "FilesConnector": "files",
    "InboxClient": "inbox_client",
    "NewVote": "inbox_client",
    "OpenTask": "inbox_client",
    "PollTimes": "files",
    "Rejected": "inbox_client",
    "SimulatedConnector": "simulated",
    "SimulatedCrowd": "simulated",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module at first use."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    """The public names, whether loaded or not."""
    return sorted(__all__)
