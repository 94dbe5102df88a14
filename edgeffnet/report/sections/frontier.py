"""Every candidate of a build: what it takes, what it is worth, and what was decided."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeffnet.report.page import Drawing, Part, Section, Table
from edgeffnet.report.plots import frontier as plot
from edgeffnet.report.sections.models import Report
from edgeffnet.report.wording import UNKNOWN, megabytes, millions

_ROWS = 40


def section(report: Report) -> Section | None:
    """None for what is no build."""
    if report["kind"] != "build":
        return None
    points = report["frontier"]
    parts: list[Part] = []
    if len([point for point in points if point["latency_ms"] is not None]) > 1:
        parts.append(_drawing(report))
    rows = tuple(_row(point) for point in points[:_ROWS])
    marked = frozenset(index for index, point in enumerate(points[:_ROWS]) if point["verdict"] == "chosen")
    more = f"{len(points) - _ROWS} more are in report.json." if len(points) > _ROWS else ""
    headings = ("network", "phi", "pixels", "MACs", "int8 size", "latency", "interval", "top-1", "verdict", "why")
    parts.append(Table(headings, rows, frozenset(range(1, 8)), more, marked))
    return Section("frontier", "Candidates and frontier", tuple(parts))


def _drawing(report: Report) -> Drawing:
    return plot.drawing(report["frontier"], report["device"], report["budget"]["latency_ms"], report["percentile"])


def _row(point: Mapping[str, Any]) -> tuple[str, ...]:
    known = point["latency_ms"] is not None
    return (
        point["name"],
        f"{point['phi']:g}",
        str(point["resolution"]),
        millions(point["macs"]),
        f"{'' if point['size_kind'] == 'file' else '≥ '}{megabytes(point['size_bytes'])}",
        f"{point['latency_ms']:.2f} ms {point['latency_kind']}" if known else UNKNOWN,
        f"{point['low_ms']:.2f} to {point['high_ms']:.2f}" if point["low_ms"] and point["high_ms"] else UNKNOWN,
        UNKNOWN if point["top1"] is None else f"{point['top1']:.1f}% {point['top1_kind']}",
        point["verdict"],
        point["why"],
    )
