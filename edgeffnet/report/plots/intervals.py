"""Figures with their intervals, one below the other on one scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeffnet.report.page import Drawing
from edgeffnet.report.plots import canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Row:
    """A figure and its interval, in the scale's unit; `reference` is drawn hollow."""

    name: str
    value: float
    low: float
    high: float
    reference: bool = False


@dataclass(frozen=True)
class Line:
    """A value to hold the figures against: a gate, which has a name, or zero, which the scale names."""

    value: float
    name: str = ""


def drawing(name: str, rows: Sequence[Row], scale: str, lines: Sequence[Line] = (), caption: str = "") -> Drawing:
    """`scale` names the figure and its unit, such as "top-1, percent"."""

    def draw(figure: Figure, _: bool) -> Mapping[str, str]:
        axes = figure.add_subplot()
        canvas.plain_axes(axes, grid="x")
        for index, row in enumerate(rows):
            colour = canvas.FAINT if row.reference else canvas.BLUE
            axes.plot([row.low, row.high], [index, index], color=colour, linewidth=2.2, solid_capstyle="butt")
            axes.scatter(
                [row.value],
                [index],
                s=44,
                color=colour,
                facecolors=canvas.PAPER if row.reference else colour,
                linewidths=1.5,
                zorder=3,
                gid=f"row-{index}",
            )
        axes.margins(x=0.1)
        for line in lines:
            colour, style = (canvas.INK, (0, (5, 4))) if line.name else (canvas.FAINT, "-")
            axes.axvline(line.value, color=colour, linewidth=1, linestyle=style)
            axes.annotate(
                line.name,
                (line.value, 1),
                xycoords=("data", "axes fraction"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
            )
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_yticks(range(len(rows)), [row.name for row in rows])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(scale)
        return {f"row-{index}": _said(row) for index, row in enumerate(rows)}

    height = 52 + 30 * len(rows) + (18 if any(line.name for line in lines) else 0)
    said = f"{scale}: {'; '.join(map(_said, rows))}"
    return canvas.drawing(name, draw, (height, height), said, caption)


def _said(row: Row) -> str:
    return f"{row.name} {row.value:.2f} ({row.low:.2f} to {row.high:.2f})"
