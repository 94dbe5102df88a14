"""What int8 costs each class, from the worst to the best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgeffnet.report.page import Drawing
from edgeffnet.report.plots import canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIGNIFICANT = 1e-3
# So many classes have their names on the scale.
_NAMED = 16


def drawing(classes: Sequence[Mapping[str, Any]]) -> Drawing:
    """`classes` with a drop, worst first; those whose drop chance does not explain stand out."""
    named = len(classes) <= _NAMED
    clear = [row["p_adjusted"] is not None and row["p_adjusted"] < SIGNIFICANT for row in classes]

    def draw(figure: Figure, narrow: bool) -> Mapping[str, str]:
        axes = figure.add_subplot()
        canvas.plain_axes(axes, grid="x" if named else "both")
        places, drops = list(range(1, len(classes) + 1)), [row["drop"] for row in classes]
        titles = {}
        for index, (place, drop, sure) in enumerate(zip(places, drops, clear, strict=True)):
            colour = canvas.VERMILLION if sure else canvas.BLUE
            if named:
                axes.barh([place], [drop], height=0.6, color=colour, gid=f"class-{index}")
                titles[f"class-{index}"] = f"{classes[index]['label']}: {drop:+.1f} points"
            elif sure:
                axes.scatter([place], [drop], s=42, marker="D", color=colour, zorder=3, gid=f"class-{index}")
                titles[f"class-{index}"] = f"{classes[index]['label']}: {drop:+.1f} points"
        if named:
            axes.axvline(0, color=canvas.FAINT, linewidth=0.8)
            axes.set_ylim(len(classes) + 0.6, 0.4)
            axes.set_yticks(places, [_short(row["label"], 14 if narrow else 32) for row in classes])
            axes.set_xlabel("drop of top-1, points")
        else:
            axes.axhline(0, color=canvas.FAINT, linewidth=0.8)
            axes.step(places, drops, where="mid", color=canvas.BLUE, linewidth=1.5)
            axes.set_xlim(0.5, len(classes) + 0.5)
            axes.set_xlabel("class, from the largest drop to the largest gain")
            axes.set_ylabel("drop of top-1, points")
        return titles

    height = 60 + 26 * len(classes) if named else 260
    worst = "; ".join(f"{row['label']} {row['drop']:+.1f} points" for row in classes[:3])
    said = f"Drop of top-1 in each of {len(classes)} classes; the largest: {worst}"
    return canvas.drawing("classes", draw, (height, height), said)


def _short(label: str, length: int) -> str:
    label = label.replace("\n", " ")
    return label if len(label) <= length else f"{label[: length - 1]}\N{HORIZONTAL ELLIPSIS}"
