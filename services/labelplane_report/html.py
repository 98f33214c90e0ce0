"""The report as one self-contained HTML page."""

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from labelplane_report import wording
from labelplane_report.data import LabelState, ReportData
from labelplane_report.panels import STANDARD_PANELS, PanelBuilder, chosen_sections

__all__ = ["render_html"]

_PACKAGE = "labelplane_report"


def render_html(data: ReportData, *, panels: Mapping[str, PanelBuilder] = STANDARD_PANELS) -> str:
    """Return the report as a page that needs nothing else: styles, script, pictures and Chart.js are inside.

    Every text of the data is escaped, and a content security policy allows the page's own script and style (by their
    hashes) and `data:` pictures alone: it asks nothing of the network, and no text of the data can run. About 260 KB
    plus the previews. Equal data gives equal bytes.

    Args:
        data: What to show.
        panels: The panels that `data.job.panels` may name.

    Raises:
        UnknownPanel: The job names a panel that `panels` does not have.
    """
    sections = chosen_sections(data, panels)
    assets = {"library": _asset("chart.umd.js"), "script": _asset("report.js"), "style": _asset("report.css")}
    charts = [chart.to_json() for section in sections.values() for chart in section.charts]
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            data=data,
            sections=sections,
            charts=charts,
            policy=_policy(scripts=(assets["library"], assets["script"]), style=assets["style"]),
            # The package's own files, not data: escaped, a script would not run and its hash would not hold.
            **{name: Markup(text) for name, text in assets.items()},  # noqa: S704
            LabelState=LabelState,
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    for name in wording.__all__:
        environment.filters[name] = getattr(wording, name)
    return environment


def _asset(name: str) -> str:
    """Return a file of `assets/` as it goes into an element: without the reference to a source map."""
    text = files(_PACKAGE).joinpath("assets", name).read_text(encoding="utf-8")
    return text.split("\n//# sourceMappingURL=")[0]


def _policy(*, scripts: tuple[str, ...], style: str) -> str:
    allowed = " ".join(_hash_source(script) for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src {_hash_source(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash_source(text: str) -> str:
    """Return the source expression that allows an inline element of this text (CSP Level 3, 2.3.1)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
