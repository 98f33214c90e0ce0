"""Errors of the report package.

InvalidInput (labelplane_core)
├── BadReportData            a value of the report that cannot be shown truthfully: a share over 1
├── UnknownPanel             a task kind names a panel that no registry holds
├── UnknownExportFormat      a format's name that no registry holds
└── BadExport                a table that a format cannot hold, or a file that is not of the format

A table of wrong columns or values is a `BadTable` of labelplane_core. None goes away by trying again.
"""

from labelplane_core.errors import InvalidInput

__all__ = ["BadExport", "BadReportData", "UnknownExportFormat", "UnknownPanel"]


class BadReportData(InvalidInput):
    """A value cannot be shown truthfully; the message names it and its bounds."""

    reason = "BadReportData"


class UnknownPanel(InvalidInput):
    """A task kind names a panel that is not in the registry; the message lists those that are."""

    reason = "UnknownPanel"


class UnknownExportFormat(InvalidInput):
    """A format is not in the registry; the message lists those that are."""

    reason = "UnknownExportFormat"


class BadExport(InvalidInput):
    """A table cannot be written in a format, or a file cannot be read as one; the message names column and format."""

    reason = "BadExport"
