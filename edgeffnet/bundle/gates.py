"""The budget and the accuracy floors of a report, held against its own figures and the files beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgeffnet.report.wording import megabytes


def checked(report: Mapping[str, Any], bundle: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What of the report's gates is missed, and what is kept; both in words."""
    missed: list[str] = []
    kept: list[str] = []
    for said, figure, limit in (*_limits(report, bundle), *_floors(report)):
        (kept if figure <= limit else missed).append(said)
    return tuple(missed), tuple(kept)


def unknown(report: Mapping[str, Any]) -> tuple[str, ...]:
    """Gates for which the report holds no figure."""
    limits, chosen = report.get("budget") or {}, report.get("chosen") or {}
    return tuple(
        f"{name.removesuffix('_bytes').removesuffix('_ms')} budget: no figure in the report"
        for name, there in (("memory_bytes", False), ("latency_ms", bool(chosen.get("latency"))))
        if limits.get(name) is not None and not there
    )


def _limits(report: Mapping[str, Any], bundle: Path) -> Iterator[tuple[str, float, float]]:
    """Each limit of a build: in words, what was reached, and what is allowed."""
    limits, chosen = report.get("budget") or {}, report.get("chosen") or {}
    latency, allowed = chosen.get("latency"), limits.get("latency_ms")
    if latency and allowed is not None:
        # An estimate is within the budget where its whole interval is.
        figure = latency["high_ms"] if latency["kind"] == "estimated" else latency["value_ms"]
        yield f"latency {figure:.4g} ms ({latency['kind']}), {allowed:g} ms allowed", figure, allowed
    if (allowed := limits.get("size_bytes")) is not None:
        for entry in _artifacts(report):
            if (entry["format"], entry["precision"]) == ("tflite", "int8"):
                size = (bundle / entry["path"]).stat().st_size
                yield f"{entry['path']} takes {megabytes(size)}, {megabytes(allowed)} allowed", size, allowed
    for name, words in (("macs", "multiply-adds"), ("parameters", "parameters")):
        if (allowed := limits.get(name)) is not None:
            yield f"{chosen[name]:,} {words}, {allowed:,.0f} allowed", chosen[name], allowed


def _floors(report: Mapping[str, Any]) -> Iterator[tuple[str, float, float]]:
    """Each accuracy floor of each int8 artefact, as losses: in words, what is lost, and what is allowed."""
    asked = report.get("budget") or report.get("floor") or {}
    drop, agreement = asked.get("drop_points"), asked.get("agreement_percent")
    for entry in _artifacts(report):
        if entry["precision"] != "int8":
            continue
        found = entry["accuracy"] or {}
        if drop is not None:
            lost = _value(found, "drop")
            yield f"{entry['name']} loses {lost:.2f} points of top-1, {drop:g} allowed", lost, drop
        if agreement is not None:
            kept = 100 - 100 * _value(found, "agreement", -math.inf)
            said = f"{entry['name']} agrees with fp32 on {100 - kept:.2f}%, {agreement:g}% asked"
            yield said, kept, 100 - agreement


def _value(accuracy: Mapping[str, Any], name: str, missing: float = math.inf) -> float:
    return float(accuracy[name]["value"]) if accuracy.get(name) else missing


def _artifacts(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = report.get("artifacts") or []
    return found
