"""A long run without a pause: latency and temperature against time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgeffnet.report.page import Drawing
from edgeffnet.report.plots import canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEIGHTS = (340, 320)


def drawing(found: Mapping[str, Any], said: str) -> Drawing:
    """`found` is a sustained run as a report holds it, `said` what it comes to."""
    return canvas.drawing("sustained", lambda figure, _: _draw(figure, found), _HEIGHTS, said)


def svg(found: Mapping[str, Any], said: str) -> str:
    """The same as a file of its own."""
    size = (canvas.WIDE, _HEIGHTS[0])
    return canvas.svg("sustained", lambda figure, _: _draw(figure, found), size, said, standalone=True)


def _draw(figure: Figure, found: Mapping[str, Any]) -> Mapping[str, str]:
    slices = found["slices"]
    heat = [one for one in slices if one["temperature_c"] is not None]
    panels = figure.subplots(2 if heat else 1, 1, sharex=True, squeeze=False)[:, 0]
    at = [one["at_s"] for one in slices]
    for name, colour, label in (("p50_ms", canvas.BLUE, "p50"), ("p90_ms", canvas.ORANGE, "p90")):
        panels[0].plot(at, [one[name] for one in slices], color=colour, label=label, marker="o", markersize=2)
    panels[0].set_ylim(bottom=0)
    panels[0].set_ylabel("milliseconds")
    panels[0].legend(loc="lower right", ncols=2)
    if heat:
        panels[1].plot([one["at_s"] for one in heat], [one["temperature_c"] for one in heat], color=canvas.VERMILLION)
        panels[1].set_ylabel("temperature, \N{DEGREE SIGN}C")
    for panel in panels:
        canvas.plain_axes(panel)
    panels[-1].set_xlabel("seconds since the start")
    return {}
