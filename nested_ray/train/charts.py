"""Line charts as SVG text: self-contained, readable in light and dark, no script."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 28, 40
MAX_POINTS = 600
"""More would not be seen at this width."""
COLOURS = ("#2b6cb0", "#c05621", "#2f855a", "#6b46c1", "#b83280", "#718096")


@dataclass(frozen=True)
class Series:
    """One line of a chart."""

    name: str
    points: Sequence[tuple[float, float]]
    """x and y, by x."""
    colour: str
    is_dashed: bool = False


def line_chart(title: str, x_label: str, series: Sequence[Series]) -> str:
    """An SVG element; empty text when no series has a point."""
    shown = [thin(each) for each in series if each.points]
    points = [point for each in shown for point in each.points]
    if not points:
        return ""
    x = Axis.of([px for px, _ in points], LEFT, WIDTH - RIGHT, from_zero=True)
    y = Axis.of([py for _, py in points], HEIGHT - BOTTOM, TOP)
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        f'<text class="title" x="{LEFT}" y="16">{escape(title)}</text>',
        *(grid_line(y, value) for value in y.ticks()),
        *(
            f'<text x="{x.place(value):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">'
            f"{short(value)}</text>"
            for value in x.ticks()
        ),
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">'
        f"{escape(x_label)}</text>",
        *(line(each, x, y) for each in shown),
        "</svg>",
    ]
    return "".join(parts)


@dataclass(frozen=True)
class Axis:
    """Values of a range to places on the page."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def of(
        cls, values: Sequence[float], start: float, end: float, *, from_zero: bool = False
    ) -> Axis:
        low, high = min(values), max(values)
        low = min(low, 0.0) if from_zero else low
        if high <= low:
            high = low + (abs(low) or 1.0)
        return cls(low, high, start, end)

    def place(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Four to ten round values inside the range."""
        step = 10 ** math.floor(math.log10((self.high - self.low) / 4))
        step *= next(f for f in (1, 2, 5) if (self.high - self.low) / (step * f) <= 10)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def grid_line(y: Axis, value: float) -> str:
    place = y.place(value)
    return (
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{place:.1f}" y2="{place:.1f}"/>'
        f'<text x="{LEFT - 6}" y="{place + 4:.1f}" text-anchor="end">{short(value)}</text>'
    )


def line(series: Series, x: Axis, y: Axis) -> str:
    path = " ".join(f"{x.place(px):.1f},{y.place(py):.1f}" for px, py in series.points)
    dash = ' stroke-dasharray="5 4"' if series.is_dashed else ""
    return (
        f'<polyline fill="none" stroke="{series.colour}" stroke-width="1.8"{dash} points="{path}">'
        f"<title>{escape(series.name)}</title></polyline>"
    )


def thin(series: Series) -> Series:
    """At most MAX_POINTS of its points, the last one among them."""
    points = list(series.points)
    every = -(-len(points) // MAX_POINTS)
    kept = points[::every]
    if points and kept[-1] != points[-1]:
        kept.append(points[-1])
    return Series(series.name, kept, series.colour, series.is_dashed)


def short(value: float) -> str:
    """`1.2M`, `350k`, `0.004`."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.4g}{unit}"
    return f"{value:.4g}"
