"""Prepare: from files to a numbered, checked and hashed index."""

from labelplane_aggregation.preparing.listing import Listing, read_listing
from labelplane_aggregation.preparing.stage import Prepare
from labelplane_aggregation.preparing.truth import Truth, read_truth

__all__ = ["Listing", "Prepare", "Truth", "read_listing", "read_truth"]
