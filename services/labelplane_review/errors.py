"""Errors of the review service.

LabelplaneError
└── InvalidInput
    ├── MissingTruth        the simulated crowd is asked about an item whose truth is not known
    └── BadVotesFolder      the folder of votes cannot be read or written
"""

from labelplane_core.errors import InvalidInput

__all__ = ["BadVotesFolder", "MissingTruth"]


class MissingTruth(InvalidInput):
    """The simulated crowd needs the truth of every item that it is asked about."""

    reason = "MissingTruth"


class BadVotesFolder(InvalidInput):
    """The folder of votes cannot be read or written."""

    reason = "BadVotesFolder"
