"""Figures 1 and 6 of the paper for what was built: accuracy against parameters and against multiply-adds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeffnet.report.plots import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SIZE = (canvas.WIDE, 400)
# Colour and shape both tell the precision.
_MARKS = {"fp32": (canvas.BLUE, "o"), "int8": (canvas.VERMILLION, "s")}
_ACROSS = {"parameters": ("parameters, millions", 1e6), "macs": ("multiply-adds, millions", 1e6)}


@dataclass(frozen=True)
class Built:
    """A network that was built: percent of top-1 by precision, measured."""

    name: str
    parameters: int
    macs: int
    top1: Mapping[str, float]


def svg(built: Sequence[Built], images: str) -> str:
    """The file; `images` says in words on what accuracy was measured. One line for each precision."""

    def draw(figure: Figure, _: bool) -> Mapping[str, str]:
        axes = figure.subplots(1, len(_ACROSS), sharey=True)
        titles: dict[str, str] = {}
        for quantity, on in zip(_ACROSS, axes, strict=True):
            titles |= _panel(on, built, quantity)
        axes[0].set_ylabel("top-1, percent (measured)")
        handles = axes[0].get_legend_handles_labels()
        figure.legend(*handles, loc="outside upper left", ncols=len(_MARKS), columnspacing=1.4)
        return titles

    said = f"top-1 on {images} of {len(built)} networks against parameters and multiply-adds"
    return canvas.svg("size-accuracy", draw, _SIZE, said, standalone=True)


def _panel(axes: Axes, built: Sequence[Built], quantity: str) -> dict[str, str]:
    """Draws one; the titles of its points."""
    label, unit = _ACROSS[quantity]
    canvas.plain_axes(axes)
    axes.set_xscale("log")
    axes.set_xlabel(f"{label} (logarithmic)")
    axes.margins(0.12)
    titles = {}
    ranked = sorted(built, key=lambda one: getattr(one, quantity))
    for precision, (colour, marker) in _MARKS.items():
        known = [(getattr(one, quantity) / unit, one.top1[precision], one) for one in ranked if precision in one.top1]
        axes.plot([x for x, *_ in known], [y for _, y, _ in known], color=colour, marker=marker, label=precision)
        for index, (x, y, one) in enumerate(known):
            name = f"{quantity}-{precision}-{index}"
            axes.scatter([x], [y], color=colour, marker=marker, gid=name, zorder=3)
            titles[name] = f"{one.name} in {precision}: {y:.1f}%, {x:.4g} million {quantity}"
            if precision == "fp32":
                axes.annotate(one.name, (x, y), xytext=(-4, 8), textcoords="offset points", ha="right")
    canvas.logarithmic_ticks(axes.xaxis)
    return titles
