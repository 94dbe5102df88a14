"""The error of each layer, in the network's order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgeffnet.report.page import Drawing
from edgeffnet.report.plots import canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def drawing(layers: Sequence[Mapping[str, Any]], worst: Sequence[int]) -> Drawing:
    """The signal-to-noise ratio of each of `layers` that has one; those at the places `worst` carry their rank."""

    def draw(figure: Figure, narrow: bool) -> Mapping[str, str]:
        axes = figure.add_subplot()
        canvas.plain_axes(axes)
        known = [(place, layer["snr_db"]) for place, layer in enumerate(layers) if layer["snr_db"] is not None]
        axes.plot(
            [place + 1 for place, _ in known],
            [ratio for _, ratio in known],
            color=canvas.BLUE,
            linewidth=1,
            marker="o",
            markersize=2 if narrow else 3,
        )
        titles = {}
        for rank, place in enumerate(worst, 1):
            layer = layers[place]
            axes.scatter(
                [place + 1],
                [layer["snr_db"]],
                s=42,
                marker="D",
                color=canvas.VERMILLION,
                zorder=3,
                gid=f"worst-{rank}",
            )
            axes.annotate(
                str(rank),
                (place + 1, layer["snr_db"]),
                xytext=(0, -17),
                textcoords="offset points",
                ha="center",
                color=canvas.VERMILLION,
                weight="bold",
            )
            titles[f"worst-{rank}"] = f"{layer['name']}: {layer['snr_db']:.1f} dB"
        low, high = (pick(ratio for _, ratio in known) for pick in (min, max))
        margin = max(1.0, 0.12 * (high - low))
        axes.set_ylim(low - 1.6 * margin, high + margin)
        axes.set_xlim(0, len(layers) + 1)
        axes.set_xlabel("layer, in the network's order")
        axes.set_ylabel("signal-to-noise, dB (less is worse)")
        return titles

    named = "; ".join(
        f"{rank}: {layers[place]['name']} {layers[place]['snr_db']:.1f} dB" for rank, place in enumerate(worst, 1)
    )
    said = f"Signal-to-noise ratio of {len(layers)} layers; the worst are {named}"
    caption = "int8 against the reference, in real values. Numbers are the ranks of the worst layers in the table."
    return canvas.drawing("layers", draw, (300, 260), said, caption)
