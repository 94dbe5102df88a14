"""Where the time went: each step from its beginning to its end."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import TYPE_CHECKING

from edgeffnet.report.page import Drawing
from edgeffnet.report.plots import canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_AROUND, _ROW = 70, 24


def drawing(seconds: Mapping[str, float]) -> Drawing:
    """The steps in their order, one after the other; a step that was taken more than once stands where it was first."""
    names, lengths = list(seconds), list(seconds.values())
    starts = [0.0, *accumulate(lengths)][: len(lengths)]

    def draw(figure: Figure, narrow: bool) -> Mapping[str, str]:
        axes = figure.add_subplot()
        canvas.plain_axes(axes, grid="x")
        bars = axes.barh(range(len(names)), lengths, left=starts, color=canvas.BLUE, height=0.6)
        titles = {}
        for index, (bar, name) in enumerate(zip(bars, names, strict=True)):
            bar.set_gid(f"step-{index}")
            titles[f"step-{index}"] = f"{name}: {lengths[index]:.1f} s from {starts[index]:.1f} s on"
            if narrow:
                axes.annotate(name, (0, index - 0.32), va="bottom", fontsize=9)
        if narrow:
            axes.set_yticks([])
        else:
            axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.4, -0.9)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlim(0, max(sum(lengths), 1e-3))
        axes.set_xlabel("seconds")
        return titles

    said = f"{len(names)} steps one after the other, {sum(lengths):.1f} seconds in all"
    heights = (_AROUND + _ROW * len(names), _AROUND + (_ROW + 14) * len(names))
    return canvas.drawing("timeline", draw, heights, said)
