"""Figure 8 drawn: what each way of scaling costs, against multiply-adds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeffnet.report.plots import canvas
from edgeffnet.scaling_curves import WAYS, CurvePoint, Way

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE = (canvas.WIDE, 400)
# Colour and shape both tell the way.
_MARKS: dict[Way, tuple[str, str]] = {
    "depth": (canvas.BLUE, "s"),
    "width": (canvas.ORANGE, "^"),
    "resolution": (canvas.PURPLE, "v"),
    "compound": (canvas.GREEN, "o"),
}


def svg(points: Sequence[CurvePoint], network: str, latency: str | None) -> str:
    """The file: what the ways cost against multiply-adds, and what they are worth where there are scores.

    `latency` says in words what that is, None where there is none.
    """
    drawn = _panels(points, latency is not None)

    def draw(figure: Figure, _: bool) -> Mapping[str, str]:
        titles: dict[str, str] = {}
        axes = figure.subplots(1, len(drawn), squeeze=False)[0]
        for panel, on in zip(drawn, axes, strict=True):
            panel.draw(on, points)
            if panel.up is LATENCY:
                titles = _titled(on, points)
        figure.legend(
            *axes[-1].get_legend_handles_labels(), loc="outside upper left", ncols=len(WAYS), columnspacing=1.4
        )
        return titles

    of = f" and {latency}" if latency else ""
    said = f"{network} scaled in one dimension and in all: what it costs{of}. {_caption(points)}"
    return canvas.svg("scaling-curves", draw, _SIZE, said, standalone=True)


@dataclass(frozen=True)
class _Quantity:
    """What an axis shows of a point; None where the point has none."""

    label: str
    of: Callable[[CurvePoint], float | None]
    logarithmic: bool = True

    def words(self, points: Sequence[CurvePoint]) -> str:
        kind = f"{points[0].latency_kind} " if self is LATENCY else ""
        return f"{kind}{self.label}{' (logarithmic)' if self.logarithmic else ''}"


MACS = _Quantity("multiply-adds, billions", lambda point: point.macs / 1e9)
PARAMETERS = _Quantity("parameters, millions", lambda point: point.parameters / 1e6)
LATENCY = _Quantity("latency, milliseconds", lambda point: point.latency_ms)
SCORE = _Quantity("score after a short training", lambda point: point.score, logarithmic=False)


@dataclass(frozen=True)
class _Panel:
    across: _Quantity
    up: _Quantity

    def draw(self, axes: Axes, points: Sequence[CurvePoint]) -> None:
        canvas.plain_axes(axes)
        axes.set_xlabel(self.across.words(points))
        axes.set_ylabel(self.up.words(points))
        for way in WAYS:
            colour, marker = _MARKS[way]
            at = [(self.across.of(point), self.up.of(point)) for point in points if point.way == way]
            known = [(x, y) for x, y in at if x is not None and y is not None]
            axes.plot(
                [x for x, _ in known], [y for _, y in known], color=colour, marker=marker, markersize=5, label=way
            )
        for axis, quantity in ((axes.xaxis, self.across), (axes.yaxis, self.up)):
            if quantity.logarithmic:
                (axes.set_xscale if axis is axes.xaxis else axes.set_yscale)("log")
                canvas.logarithmic_ticks(axis)


def _panels(points: Sequence[CurvePoint], timed: bool) -> list[_Panel]:
    if any(point.score is not None for point in points):
        return [_Panel(MACS, SCORE), _Panel(LATENCY if timed else PARAMETERS, SCORE)]
    costs = [_Panel(MACS, LATENCY)] if timed else []
    return [*costs, _Panel(MACS, PARAMETERS)]


def _caption(points: Sequence[CurvePoint]) -> str:
    rests = next((f" Scores: {point.rests_on}." for point in points if point.rests_on), "")
    return f"{_on_latency(points)}{rests}"


def _on_latency(points: Sequence[CurvePoint]) -> str:
    kinds = {point.latency_kind for point in points}
    if "estimated" in kinds:
        return "Latency is estimated; bars are its 90% intervals."
    return "Latency is measured." if "measured" in kinds else "No device was named, so there is no latency."


def _titled(axes: Axes, points: Sequence[CurvePoint]) -> dict[str, str]:
    """The intervals of latency, each with a title that says its point."""
    titles = {}
    for index, point in enumerate(points):
        colour, _ = _MARKS[point.way]
        ms, macs = point.latency_ms or 0.0, point.macs / 1e9
        low, high = point.low_ms or ms, point.high_ms or ms
        (line,) = axes.plot([macs, macs], [low, high], color=colour, linewidth=0.8)
        line.set_gid(f"point-{index}")
        titles[f"point-{index}"] = (
            f"{point.way}, phi {point.phi:g}: {macs:.2f} billion multiply-adds, {ms:.2f} ms "
            f"{point.latency_kind}, {point.parameters / 1e6:.1f} million parameters, {point.resolution} pixels"
        )
    return titles
