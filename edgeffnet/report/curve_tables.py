"""The points of Figure 8: taken as the command line asks for them, drawn, and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from edgeffnet import devices, scaling_curves
from edgeffnet.bases import family_named
from edgeffnet.devices.profile import LOCAL
from edgeffnet.errors import UsageError
from edgeffnet.grid.candidates import Network
from edgeffnet.grid.costs import EstimatedLatency, MeasuredLatency
from edgeffnet.grid.request import short_training
from edgeffnet.grid.short_training import Short
from edgeffnet.report.console import open_console, plain_table
from edgeffnet.report.plots.canvas import require_library
from edgeffnet.rules import BASE_RESOLUTION, Coefficients, CompoundRule
from edgeffnet.scaling_curves import CurvePoint
from edgeffnet.wanted import NetworkOptions


def draw(
    plot: Path,
    options: NetworkOptions,
    phis: Sequence[float],
    device: str | None,
    short: Short | None = None,
    journal: Path | None = None,
) -> tuple[CurvePoint, ...]:
    """The points, drawn into the file `plot`; `device` "local" is measured, others are estimated.

    With `short` each network is trained for a little while, and scores are drawn.
    `options` name the family, the constants of the compound rule, and what the base network is at phi 0.
    Raises UsageError where the file cannot be, or there is no basis for an estimate.
    """
    from edgeffnet.report.plots.scaling_curves import svg
    from edgeffnet.report.progress import Steps
    from edgeffnet.report.quiet import quiet

    require_library("--plot")
    if plot.is_dir() or not plot.absolute().parent.is_dir():
        raise UsageError(f"--plot {plot}: not a file in a folder that is there")
    if options.rule != "compound":
        raise UsageError(f"--plot compares with the compound rule, not with --rule {options.rule}")
    base = Coefficients(options.width or 1.0, options.depth or 1.0, options.resolution or BASE_RESOLUTION)
    network = Network(family_named(options.family), base, options.classes or 1000)
    measured = device == LOCAL
    phis = phis or (scaling_curves.PHIS_MEASURED if measured else scaling_curves.PHIS)
    steps = Steps()
    with ExitStack() as stack:
        latency = _latency(stack, device)
        evaluator = None if short is None else short_training(short, network.family, steps)
        if measured:
            stack.enter_context(quiet())
        with steps("Scaling"):
            points = scaling_curves.curves(
                network,
                phis,
                rule=CompoundRule(options.alpha, options.beta, options.gamma),
                latency=latency,
                evaluate=evaluator,
                journal=journal,
                evaluator_name=short.name if short else "",
                progress=steps.advance,
            )
    drawn = svg(points, network.family, latency.said if latency else None)
    try:
        plot.write_text(drawn, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--plot {plot}: {error.strerror}") from None
    return points


def _latency(stack: ExitStack, device: str | None) -> EstimatedLatency | MeasuredLatency | None:
    if device is None:
        return None
    if device != LOCAL:
        return EstimatedLatency(devices.load(device))
    from edgeffnet.targets.address import target as target_at
    from edgeffnet.tensorflow_import import require_build_tools

    require_build_tools()
    return MeasuredLatency(stack.enter_context(closing(target_at("local"))))


def show(points: Sequence[CurvePoint], plot: Path) -> None:
    """Prints the points, and where they are drawn."""
    table = plain_table()
    timed = any(point.latency_ms is not None for point in points)
    scored = any(point.score is not None or point.failure for point in points)
    added = [name for name, there in (("int8 latency", timed), ("score", scored)) if there]
    for name in ("grown", "phi", "width", "depth", "pixels", "parameters", "MACs", *added):
        table.add_column(name, justify="left" if name in ("grown", *added) else "right")
    for point in points:
        table.add_row(
            point.way,
            f"{point.phi:g}",
            f"{point.width:.3g}",
            f"{point.depth:.3g}",
            str(point.resolution),
            f"{point.parameters / 1e6:.1f}M",
            f"{point.macs / 1e6:,.0f}M",
            *([_said(point)] if timed else []),
            *([_score(point)] if scored else []),
        )
    console = open_console(width=160)
    console.print(table)
    if rests := next((point.rests_on for point in points if point.rests_on), ""):
        console.print(f"scores: {rests}", markup=False)
    console.print(f"drawn in {plot}", markup=False)


def _said(point: CurvePoint) -> str:
    if point.latency_kind == "estimated":
        return f"{point.latency_ms:.1f} ms estimated ({point.low_ms:.1f}-{point.high_ms:.1f}, 90%)"
    return f"{point.latency_ms:.2f} ms measured"


def _score(point: CurvePoint) -> str:
    if point.score is None:
        return point.failure or ""
    return f"{point.score:.4g}" + ("" if point.spread is None else f" +- {point.spread:.2g}")
