"""The frontier drawn: latency across, accuracy up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from edgeffnet.budget import Budget
from edgeffnet.report.frontier import Point
from edgeffnet.report.svg import document, escaped

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 440, 70, 30, 64, 56
_COLOURS = {"chosen": "#1a7f37", "fits": "#1f5fbf", "may fit": "#b58900"}
_OTHER_COLOUR = "#c0392b"
_MANY = 16


def svg(points: Sequence[Point], device: str, budget: Budget, percentile: float) -> str:
    """The frontier as an SVG: latency across with its interval, accuracy up (multiply-adds without one).

    A disc's area is the int8 size; it is filled where the latency was measured and hollow where it is
    estimated. What has no latency is not drawn, but counted in the caption.
    """
    drawn = [point for point in points if point.latency_ms is not None]
    accurate = bool(drawn) and all(point.top1 is not None for point in drawn)
    kinds = "/".join(dict.fromkeys(point.top1_kind for point in drawn))
    up = f"top-1, percent ({kinds})" if accurate else "multiply-adds, millions, logarithmic (no accuracy known)"
    missing = f"; {len(points) - len(drawn)} without a latency are left out" if len(drawn) < len(points) else ""
    title = f"Candidates for {device}: p{percentile:g} of int8 TFLite against {'accuracy' if accurate else 'cost'}"
    legend = (
        "filled: measured; hollow: estimated, with its interval; area: int8 size; "
        f"green chosen, blue fits, yellow may fit, red rejected{missing}"
    )
    body = [_text(_LEFT, 24, title, 15), _text(_LEFT, 44, legend, 11)]
    if drawn:
        body += _plot(drawn, accurate, up, budget.latency_ms)
    return document(_WIDTH, _HEIGHT, 12, body)


def _plot(points: Sequence[Point], accurate: bool, up: str, limit: float | None) -> list[str]:
    highs = [point.high_ms or point.latency_ms or 0.0 for point in points]
    lows = [point.low_ms or point.latency_ms or 0.0 for point in points]
    edges = [*highs, *lows, *([limit] if limit else [])]
    heights = [_height(point, accurate) for point in points]
    left, right = math.log(0.9 * min(edges)), math.log(1.1 * max(edges))
    margin = 0.1 * (max(heights) - min(heights)) or 1.0
    bottom, top = min(heights) - margin, max(heights) + margin

    def x(ms: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (math.log(ms) - left) / (right - left)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * (value - bottom) / (top - bottom)

    drawn = [
        f'<rect x="{_LEFT}" y="{_TOP}" width="{_WIDTH - _LEFT - _RIGHT}" height="{_HEIGHT - _BOTTOM - _TOP}" '
        'fill="none" stroke="#888"/>'
    ]
    for tick in _ticks(math.exp(left), math.exp(right)):
        drawn.append(_line(x(tick), _HEIGHT - _BOTTOM, x(tick), _HEIGHT - _BOTTOM + 5, "#888"))
        drawn.append(_text(x(tick), _HEIGHT - _BOTTOM + 18, f"{tick:g}", 11, "middle"))
    for step in range(5):
        value = bottom + (top - bottom) * (step + 0.5) / 5
        drawn.append(_line(_LEFT - 5, y(value), _LEFT, y(value), "#888"))
        shown = f"{value:.1f}" if accurate else f"{math.exp(value):.0f}"
        drawn.append(_text(_LEFT - 8, y(value) + 4, shown, 11, "end"))
    drawn.append(_text(_LEFT, _HEIGHT - 12, "milliseconds, logarithmic", 11))
    drawn.append(_text(_LEFT, _TOP - 6, up, 11))
    if limit:
        drawn.append(_line(x(limit), _TOP, x(limit), _HEIGHT - _BOTTOM, "#333", dashed=True))
        drawn.append(_text(x(limit) + 4, _TOP + 14, f"budget {limit:g} ms", 11))
    largest = max(point.size_bytes for point in points)
    for point, height in zip(points, heights, strict=True):
        drawn += _disc(point, x, y(height), largest, named=len(points) <= _MANY or point.verdict == "chosen")
    return drawn


def _disc(point: Point, x: Callable[[float], float], height: float, largest: int, *, named: bool) -> list[str]:
    colour = _COLOURS.get(point.verdict, _OTHER_COLOUR)
    assert point.latency_ms is not None
    at, radius = x(point.latency_ms), 10 * math.sqrt(point.size_bytes / largest)
    fill = colour if point.latency_kind == "measured" else "white"
    said = (
        f"{point.name}: {point.latency_ms:.2f} ms {point.latency_kind}, {point.size_bytes / 1e6:.2f} MB, "
        f"{point.verdict}: {point.why}"
    )
    drawn = []
    if point.low_ms and point.high_ms:
        drawn.append(_line(x(point.low_ms), height, x(point.high_ms), height, colour))
    drawn.append(
        f'<circle cx="{at:.1f}" cy="{height:.1f}" r="{radius:.1f}" fill="{fill}" stroke="{colour}" stroke-width="1.5">'
        f"<title>{escaped(said)}</title></circle>"
    )
    label = f"{point.name} {point.latency_kind}" if point.latency_kind == "estimated" else point.name
    return [*drawn, _text(at, height - radius - 4, label, 11, "middle")] if named else drawn


def _height(point: Point, accurate: bool) -> float:
    return point.top1 if accurate and point.top1 is not None else math.log(point.macs / 1e6)


def _ticks(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, 20, ... between the ends."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = [factor * 10.0**power for power in range(first, last + 1) for factor in (1, 2, 5)]
    return [step for step in steps if low <= step <= high]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, dashed: bool = False) -> str:
    dash = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"{dash}/>'


def _text(x: float, y: float, text: str, size: int, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">{escaped(text)}</text>'
