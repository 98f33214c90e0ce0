"""The picture of a simulated run: nodes and workers, backlog, and what each setting costs."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from simulated_cluster import Outcome

__all__ = ["Point", "draw"]

_WIDTH: Final = 760
_LEFT: Final = 70
_RIGHT: Final = 730
_PANEL: Final = 150
_GAP: Final = 70
_TOP: Final = 50
_EVERY: Final = 2
"""Of the moments each second is drawn: one a minute."""

_STYLE: Final = """<style>
  text { font: 13px system-ui, "Segoe UI", "Liberation Sans", Arial, sans-serif; fill: #1d1c1a; }
  .paper { fill: #fbfaf7; } .grid { stroke: #dcd8d0; } .small { fill: #5f5b54; } .head { font-weight: 600; }
  .nodes { stroke: #8a5a83; fill: #8a5a83; } .busy { stroke: #1d5c87; fill: #1d5c87; }
  .backlog { stroke: #a33c2e; fill: #a33c2e; } .line { fill: none; stroke-width: 1.8; } .name { stroke: none; }
  .nodes.line { stroke-dasharray: 6 3; } .try { fill: #8a857c; opacity: 0.6; } .default { fill: #1d5c87; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e9e7e2; } .paper { fill: #15171a; } .grid { stroke: #363a41; } .small { fill: #a8a59e; }
    .nodes { stroke: #c79ac1; fill: #c79ac1; } .busy { stroke: #7db7e0; fill: #7db7e0; }
    .backlog { stroke: #ee8d7d; fill: #ee8d7d; } .line { fill: none; } .name { stroke: none; }
    .default { fill: #7db7e0; }
  }
</style>"""


@dataclass(frozen=True, slots=True)
class Point:
    """A setting of the grid."""

    node_hours: float
    slow_seconds: float
    is_default: bool


def draw(run: Outcome, points: Sequence[Point], *, nodes: int) -> str:
    """Return the picture as SVG: one run with the defaults, and the grid."""
    height = _TOP + 3 * _PANEL + 2 * _GAP + 60
    title = f"Scaling simulated on up to {nodes:,} nodes: nodes and busy workers, backlog, and cost of each setting"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img">',
        f"<title>{title}</title>",
        _STYLE,
        f'<rect class="paper" width="{_WIDTH}" height="{height}" rx="6"/>',
        *_workers(run, _TOP),
        *_backlog(run, _TOP + _PANEL + _GAP),
        *_settings(points, _TOP + 2 * (_PANEL + _GAP)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _workers(run: Outcome, top: float) -> Iterator[str]:
    moments = run.moments[::_EVERY]
    hours = [each.seconds / 3600 for each in moments]
    panel = _Panel(top, most_x=hours[-1], most_y=max(each.nodes for each in moments))
    share = f"{run.utilisation:.0%} of the paid time is work"
    yield panel.head(f"Nodes paid for (dashed) and busy workers, by the hour: {share}")
    yield from panel.axes(lambda value: f"{value:,.0f}", lambda value: f"{value:.1f} h")
    yield panel.line("nodes", hours, [each.nodes for each in moments])
    yield panel.line("busy", hours, [each.busy for each in moments])


def _backlog(run: Outcome, top: float) -> Iterator[str]:
    moments = run.moments[::_EVERY]
    hours = [each.seconds / 3600 for each in moments]
    panel = _Panel(top, most_x=hours[-1], most_y=max(each.backlog for each in moments))
    yield panel.head(f"Backlog in shards, ready and leased: {run.shards:,} done in all")
    yield from panel.axes(lambda value: f"{value:,.0f}", lambda value: f"{value:.1f} h")
    yield panel.line("backlog", hours, [each.backlog for each in moments])


def _settings(points: Sequence[Point], top: float) -> Iterator[str]:
    panel = _Panel(
        top, most_x=max(each.node_hours for each in points), most_y=max(each.slow_seconds for each in points) / 60
    )
    yield panel.head(f"{len(points) - 1} settings: minutes in which 95 of 100 rounds are done, by node-hours")
    yield from panel.axes(lambda value: f"{value:.0f} min", lambda value: f"{value:.0f} h")
    for each in points:
        x, y = panel.place(each.node_hours, each.slow_seconds / 60)
        size, name = (6, "default") if each.is_default else (3, "try")
        yield f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="{size}"/>'
        if each.is_default:
            yield f'<text x="{x:.1f}" y="{y + 24:.1f}" text-anchor="middle">the defaults</text>'


@dataclass(frozen=True, slots=True)
class _Panel:
    top: float
    most_x: float
    most_y: float

    def place(self, x: float, y: float) -> tuple[float, float]:
        return _LEFT + (_RIGHT - _LEFT) * x / self.most_x, self.top + _PANEL * (1 - y / self.most_y)

    def head(self, text: str) -> str:
        return f'<text class="head" x="{_LEFT}" y="{self.top - 18}">{text}</text>'

    def axes(self, of_y: Callable[[float], str], of_x: Callable[[float], str]) -> Iterator[str]:
        for share in (0.0, 0.5, 1.0):
            x, y = self.place(share * self.most_x, share * self.most_y)
            yield f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            text = of_y(share * self.most_y)
            yield f'<text class="small" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{text}</text>'
            text = of_x(share * self.most_x)
            yield f'<text class="small" x="{x:.1f}" y="{self.top + _PANEL + 20}" text-anchor="middle">{text}</text>'

    def line(self, name: str, xs: Sequence[float], ys: Sequence[float]) -> str:
        places = (self.place(x, y) for x, y in zip(xs, ys, strict=True))
        return f'<polyline class="{name} line" points="{" ".join(f"{x:.0f},{y:.1f}" for x, y in places)}"/>'
