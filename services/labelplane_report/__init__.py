"""The report of a job and the exports of its labels: pure on tables."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labelplane_report.build import ReportTables as ReportTables
    from labelplane_report.build import build_report as build_report
    from labelplane_report.data import Cost as Cost
    from labelplane_report.data import Curve as Curve
    from labelplane_report.data import JobFacts as JobFacts
    from labelplane_report.data import Preview as Preview
    from labelplane_report.data import Provenance as Provenance
    from labelplane_report.data import ReportData as ReportData
    from labelplane_report.data import StageRow as StageRow
    from labelplane_report.data import Stop as Stop
    from labelplane_report.export import EXPORT_FORMATS as EXPORT_FORMATS
    from labelplane_report.export import ExportFormat as ExportFormat
    from labelplane_report.export import export_format as export_format
    from labelplane_report.export import export_table as export_table
    from labelplane_report.html import render_html as render_html
    from labelplane_report.items import hardest_item_ids as hardest_item_ids
    from labelplane_report.items import item_preview as item_preview
    from labelplane_report.label_studio import write_label_studio as write_label_studio
    from labelplane_report.measures import RoundTables as RoundTables
    from labelplane_report.panels import STANDARD_PANELS as STANDARD_PANELS
    from labelplane_report.panels import Section as Section

_HOMES = {
    "EXPORT_FORMATS": "export",
    "STANDARD_PANELS": "panels",
    "Cost": "data",
    "Curve": "data",
    "ExportFormat": "export",
    "JobFacts": "data",
    "Preview": "data",
    "Provenance": "data",
    "ReportData": "data",
    "ReportTables": "build",
    "RoundTables": "measures",
    "Section": "panels",
    "StageRow": "data",
    "Stop": "data",
    "build_report": "build",
    "export_format": "export",
    "export_table": "export",
    "hardest_item_ids": "items",
    "item_preview": "items",
    "render_html": "html",
    "write_label_studio": "label_studio",
}

__all__ = [
    "EXPORT_FORMATS",
    "STANDARD_PANELS",
    "Cost",
    "Curve",
    "ExportFormat",
    "JobFacts",
    "Preview",
    "Provenance",
    "ReportData",
    "ReportTables",
    "RoundTables",
    "Section",
    "StageRow",
    "Stop",
    "build_report",
    "export_format",
    "export_table",
    "hardest_item_ids",
    "item_preview",
    "render_html",
    "write_label_studio",
]


def __getattr__(name: str) -> object:
    """Load a public name where it is first used: the command line must start without pyarrow."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
