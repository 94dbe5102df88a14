"""The frontier drawn: latency across, accuracy up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgeffnet.report.page import Drawing
from edgeffnet.report.plots import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_HEIGHTS = (400, 380)
# Colour and shape both tell the verdict.
_MARKS = {"chosen": (canvas.GREEN, "D"), "fits": (canvas.BLUE, "o"), "may fit": (canvas.ORANGE, "^")}
_REJECTED = (canvas.VERMILLION, "s")
_MANY = 16
_AREA = 150.0

Points = Sequence[Mapping[str, Any]]


def drawing(points: Points, device: str, limit_ms: float | None, percentile: float) -> Drawing:
    """The frontier's points, as `report.json` holds them, and the budget of latency where there is one."""
    plot = _Plot(points, limit_ms, percentile)
    return canvas.drawing("frontier", plot.draw, _HEIGHTS, plot.said(device), plot.caption)


def svg(points: Points, device: str, limit_ms: float | None, percentile: float) -> str:
    """The same as a file of its own."""
    plot = _Plot(points, limit_ms, percentile)
    size = (canvas.WIDE, _HEIGHTS[0])
    return canvas.svg("frontier", plot.draw, size, f"{plot.said(device)}. {plot.caption}", standalone=True)


class _Plot:
    """Points with a latency, against top-1 where all have one of the same kind, else against multiply-adds."""

    def __init__(self, points: Points, limit_ms: float | None, percentile: float) -> None:
        self.drawn = [point for point in points if point["latency_ms"] is not None]
        self.missing = len(points) - len(self.drawn)
        self.limit_ms = limit_ms
        self.percentile = percentile
        kinds = {point["top1_kind"] for point in self.drawn}
        self.worth = "top1" if len(kinds) == 1 else "published_top1"
        self.kind = "published, of fp32 on ImageNet" if kinds != {"measured"} else "measured in int8"
        self.accurate = bool(self.drawn) and all(point[self.worth] is not None for point in self.drawn)

    def said(self, device: str) -> str:
        worth = "accuracy" if self.accurate else "multiply-adds"
        return f"Candidates for {device}: p{self.percentile:g} latency of int8 TFLite against {worth}"

    @property
    def caption(self) -> str:
        left_out = f" {self.missing} without a latency are left out." if self.missing else ""
        return (
            "Filled: measured; hollow: estimated. Bars are the intervals of latency, a mark's area is the size in "
            f"int8, and the line joins candidates that no faster one beats.{left_out}"
        )

    def draw(self, figure: Figure, narrow: bool) -> Mapping[str, str]:
        axes = figure.add_subplot()
        canvas.plain_axes(axes)
        axes.set_xscale("log")
        axes.set_xlabel(f"p{self.percentile:g} latency, milliseconds (logarithmic)")
        if self.accurate:
            axes.set_ylabel(f"top-1, percent ({self.kind})")
        else:
            axes.set_yscale("log")
            axes.set_ylabel("multiply-adds, millions (logarithmic)")
        if not self.drawn:
            axes.set_axis_off()
            axes.text(0.5, 0.5, "no candidate has a latency", ha="center", transform=axes.transAxes)
            return {}
        self._scale(axes)
        best = sorted((point["latency_ms"], self._height(point)) for point in self.drawn if point["best"])
        axes.plot([ms for ms, _ in best], [height for _, height in best], color=canvas.FAINT, linewidth=1, zorder=1)
        titles = {f"point-{index}": self._point(axes, index, point, narrow) for index, point in enumerate(self.drawn)}
        if self.limit_ms:
            axes.axvline(self.limit_ms, color=canvas.INK, linewidth=1, linestyle=(0, (5, 4)), zorder=1)
            axes.annotate(
                f"budget {self.limit_ms:g} ms",
                (self.limit_ms, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, 4),
                textcoords="offset points",
                ha="right" if narrow else "center",
            )
        self._legend(figure, narrow)
        return titles

    def _scale(self, axes: Axes) -> None:
        ends = [point[name] or point["latency_ms"] for point in self.drawn for name in ("low_ms", "high_ms")]
        ends += [self.limit_ms] if self.limit_ms else []
        axes.set_xlim(min(ends) / 1.2, max(ends) * 1.2)
        heights = [self._height(point) for point in self.drawn]
        if self.accurate:
            margin = 0.14 * (max(heights) - min(heights)) or 1.0
            axes.set_ylim(min(heights) - margin, max(heights) + margin)
        else:
            axes.set_ylim(min(heights) / 1.4, max(heights) * 1.4)
        for axis in (axes.xaxis, *(() if self.accurate else (axes.yaxis,))):
            canvas.logarithmic_ticks(axis, many=8)

    def _point(self, axes: Axes, index: int, point: Mapping[str, Any], narrow: bool) -> str:
        """Draws one; its title."""
        colour, marker = _MARKS.get(point["verdict"], _REJECTED)
        at, height = point["latency_ms"], self._height(point)
        if point["low_ms"] and point["high_ms"]:
            axes.plot([point["low_ms"], point["high_ms"]], [height, height], color=colour, linewidth=1.2, zorder=2)
        largest = max(other["size_bytes"] for other in self.drawn)
        axes.scatter(
            [at],
            [height],
            s=_AREA * (0.6 if narrow else 1) * point["size_bytes"] / largest,
            marker=marker,
            facecolors=colour if point["latency_kind"] == "measured" else canvas.PAPER,
            edgecolors=colour,
            linewidths=1.5,
            zorder=3,
            gid=f"point-{index}",
        )
        if len(self.drawn) <= _MANY or point["verdict"] == "chosen":
            left, right = axes.get_xlim()
            # Where the line rises, the places above it on the left and below it on the right are free.
            early = at < left**0.7 * right**0.3
            estimated = " estimated" if point["latency_kind"] == "estimated" else ""
            axes.annotate(
                f"{point['name']}{estimated}",
                (at, height),
                xytext=(8, -18) if early else (-4, 10),
                textcoords="offset points",
                ha="left" if early else "right",
                zorder=4,
            )
        return (
            f"{point['name']}: {at:.2f} ms {point['latency_kind']}, {point['size_bytes'] / 1e6:.2f} MB, "
            f"{point['verdict']}: {point['why']}"
        )

    def _legend(self, figure: Figure, narrow: bool) -> None:
        from matplotlib.lines import Line2D

        present = {point["verdict"] if point["verdict"] in _MARKS else "rejected" for point in self.drawn}
        handles = [
            Line2D([], [], linestyle="", marker=marker, color=colour, markersize=7, label=verdict)
            for verdict, (colour, marker) in {**_MARKS, "rejected": _REJECTED}.items()
            if verdict in present
        ]
        figure.legend(handles=handles, loc="outside upper left", ncols=2 if narrow else 4, columnspacing=1.4)

    def _height(self, point: Mapping[str, Any]) -> float:
        return float(point[self.worth] if self.accurate else point["macs"] / 1e6)
