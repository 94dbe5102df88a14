"""Loss and top-1 of a training, epoch after epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgeffnet.report.page import Drawing
from edgeffnet.report.plots import canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEIGHTS = (360, 460)
# Epochs up to which each has a mark.
_MARKED = 60


def drawing(epochs: Sequence[Mapping[str, Any]], best: int) -> Drawing:
    """`epochs` as a report holds them; the weights of epoch `best` were kept."""
    kept = next(row for row in epochs if row["epoch"] == best)
    said = (
        f"Loss and top-1 over {len(epochs) - 1} epochs of fine-tuning; epoch {best} was kept, with "
        f"{kept['val_top1']:.1%} top-1 on the validation images"
    )
    caption = (
        "Training figures are of images that were changed and labels that were smoothed; those of epoch 0 are not."
    )
    return canvas.drawing(
        "training", lambda figure, narrow: _draw(figure, epochs, best, narrow), _HEIGHTS, said, caption
    )


def _draw(figure: Figure, epochs: Sequence[Mapping[str, Any]], best: int, narrow: bool) -> Mapping[str, str]:
    panels = figure.subplots(2, 1, sharex=True) if narrow else figure.subplots(1, 2)
    at = [row["epoch"] for row in epochs]
    marker = "o" if len(epochs) <= _MARKED else None
    for axes, figure_of, words in zip(panels, ("loss", "top1"), ("loss, nats", "top-1, percent"), strict=True):
        scale = 100 if figure_of == "top1" else 1
        for part, colour, label in (("train", canvas.ORANGE, "training"), ("val", canvas.BLUE, "validation")):
            values = [row[f"{part}_{figure_of}"] for row in epochs]
            drawn = [float("nan") if value is None else scale * value for value in values]
            axes.plot(at, drawn, color=colour, label=label, marker=marker, markersize=3)
        axes.axvline(best, color=canvas.FAINT, linewidth=0.8, linestyle=":")
        axes.set_ylabel(words)
        axes.xaxis.get_major_locator().set_params(integer=True)
        canvas.plain_axes(axes)
    panels[0].legend(loc="best")
    panels[-1].set_xlabel("epoch; 0 is the classifier on frozen features")
    return {}
