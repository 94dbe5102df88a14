"""Distributions of measured latencies: where how many of the runs lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgeffnet.report.page import Drawing
from edgeffnet.report.plots import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Percentiles between which a bar is drawn, and how thick it is.
_BARS = ((1, 99, 1.5), (5, 95, 5.0), (25, 75, 11.0))


@dataclass(frozen=True)
class Distribution:
    """Milliseconds of a model's runs by percent of them, 100 being the slowest; `figure_ms` is the one stated.

    `low_ms` and `high_ms` bound that one, which is called `figure`, such as "p90".
    """

    name: str
    quantiles: Mapping[int, float]
    figure: str
    figure_ms: float
    low_ms: float
    high_ms: float
    slowest_ms: float


def distribution(name: str, latency: Mapping[str, Any]) -> Distribution:
    """From a measured latency of a report: ours, or that of a phone, which has a mean and few percentiles."""
    quantiles = {int(percent): ms for percent, ms in latency.get("quantiles_ms", {}).items()}
    known = {50: latency.get("p50_ms", latency.get("median_ms")), 90: latency.get("p90_ms"), 99: latency.get("p99_ms")}
    known[95] = latency.get("p95_ms")
    quantiles = {**{percent: ms for percent, ms in known.items() if ms is not None}, **quantiles}
    figure = f"p{latency['percentile']:g}" if "percentile" in latency else "mean"
    at = latency["value_ms"] if "value_ms" in latency else latency["mean_ms"]
    return Distribution(name, quantiles, figure, at, latency["low_ms"], latency["high_ms"], latency["max_ms"])


def drawing(found: Sequence[Distribution], limit_ms: float | None = None) -> Drawing:
    """One row a model; `limit_ms` is the budget, where it is for these measurements."""

    def draw(figure: Figure, narrow: bool) -> Mapping[str, str]:
        axes = figure.add_subplot()
        canvas.plain_axes(axes, grid="x")
        right = 1.06 * max([_last(one) for one in found] + ([limit_ms] if limit_ms else []))
        titles = {}
        for row, one in enumerate(found):
            _row(axes, row, one, right, narrow)
            titles[f"row-{row}"] = _said(one)
        axes.set_xlim(0, right)
        axes.set_ylim(len(found) - 0.45, -0.75)
        axes.set_yticks(range(len(found)), [one.name for one in found])
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("milliseconds for one inference")
        if limit_ms:
            axes.axvline(limit_ms, color=canvas.INK, linewidth=1, linestyle=(0, (5, 4)))
            axes.annotate(
                f"budget {limit_ms:g} ms", (limit_ms, -0.72), xytext=(-4, 0), textcoords="offset points", ha="right",
                va="top",
            )  # fmt: skip
        return titles

    height = 56 + 46 * len(found)
    caption = (
        "Thick, middle and thin bar: the middle 50, 90 and 98% of the runs; white line: median; diamond: the figure "
        "stated, its bracket the 95% interval."
    )
    return canvas.drawing("latency", draw, (height, height), "; ".join(map(_said, found)), caption)


def _row(axes: Axes, row: int, one: Distribution, right: float, narrow: bool) -> None:
    for low, high, width in _BARS:
        if low in one.quantiles and high in one.quantiles:
            axes.plot(
                [one.quantiles[low], one.quantiles[high]],
                [row, row],
                color=canvas.BLUE,
                linewidth=width,
                alpha=1.0 if width > 10 else 0.55,
                solid_capstyle="butt",
            )
    if 50 in one.quantiles:
        at = one.quantiles[50]
        axes.plot([at, at], [row - 0.13, row + 0.13], color=canvas.PAPER, linewidth=1.6)
    axes.plot([one.low_ms, one.high_ms], [row + 0.28, row + 0.28], color=canvas.VERMILLION, linewidth=1.5)
    axes.scatter([one.figure_ms], [row + 0.28], s=26, marker="D", color=canvas.VERMILLION, zorder=3, gid=f"row-{row}")
    slowest = f", slowest {one.slowest_ms:.3g}" if not narrow else ""
    late = one.figure_ms > 0.5 * right
    axes.annotate(
        f"{one.figure} {one.figure_ms:.3g} ms{slowest}",
        (one.figure_ms, row - 0.2),
        xytext=(6 if late else -6, 0),
        textcoords="offset points",
        ha="right" if late else "left",
        va="bottom",
    )


def _last(one: Distribution) -> float:
    """The right end of what is drawn: one slow run among thousands would hide all others."""
    return max([one.high_ms, *(ms for percent, ms in one.quantiles.items() if percent <= 99)])


def _said(one: Distribution) -> str:
    return f"{one.name}: {one.figure} {one.figure_ms:.2f} ms ({one.low_ms:.2f} to {one.high_ms:.2f})"
