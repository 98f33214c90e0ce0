"""Finalize: the labels of all items, the export and the report."""

from labelplane_aggregation.finalizing.stage import Finalize

__all__ = ["Finalize"]
