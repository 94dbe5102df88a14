"""How long the models take, as distributions and in figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeffnet.report.page import Part, Section, Table, Text
from edgeffnet.report.plots import latency as plot
from edgeffnet.report.plots import sustained as sustained_plot
from edgeffnet.report.sections.models import Model, Report, measured_here, models
from edgeffnet.report.wording import UNKNOWN, first_upper, megabytes, milliseconds, number, plain, plural


def section(report: Report) -> Section | None:
    """None for kinds that time nothing."""
    if report["kind"] not in ("build", "validate"):
        return None
    parts: list[Part] = []
    timed = [model for model in models(report) if model["latency"]]
    if timed:
        limit = report["budget"]["latency_ms"] if report["kind"] == "build" and measured_here(report) else None
        parts.append(Text((_machine(timed[0]),)))
        parts.append(plot.drawing([plot.distribution(one["name"], one["latency"]) for one in timed], limit))
        ours = [one for one in timed if "p50_ms" in one["latency"]]
        parts += [_measured(ours), _conditions(ours)] if ours else [_phone(timed)]
    counted = [model for model in models(report) if model.get("instructions")]
    if counted:
        parts.append(_instructions(counted))
    if report["kind"] == "build" and not measured_here(report) and report["fastest_on_device"]:
        parts.append(_estimated(report))
    refused = [f"{model['name']} did not run: {model['not_run']}." for model in models(report) if model["not_run"]]
    if refused:
        parts.append(Text(tuple(refused), listed=True))
    if report.get("sustained"):
        parts.append(_sustained(report["sustained"]))
    if not parts:
        parts.append(Text(("No latency was measured.",)))
    return Section("latency", "Latency", tuple(parts))


def _measured(timed: list[Model]) -> Table:
    rows = []
    for model in timed:
        at = model["latency"]
        rows.append(
            (
                model["name"],
                milliseconds(at["p50_ms"]),
                milliseconds(at["p90_ms"]),
                milliseconds(at["p99_ms"]),
                milliseconds(at["max_ms"]),
                f"p{at['percentile']:g}: {at['low_ms']:.2f} to {at['high_ms']:.2f}",
                f"{at['runs']:,}{'' if at['tight'] else ' (capped)'}",
                str(at["outliers"]),
            )
        )
    headings = ("model", "p50", "p90", "p99", "slowest", "95% interval, ms", "runs", "outliers")
    caption = (
        "Outliers are beyond three deviations of the median and are in every figure; capped: the interval stayed "
        "wider than 2%."
    )
    return Table(headings, tuple(rows), frozenset(range(1, 8)), caption)


def _conditions(timed: list[Model]) -> Table:
    rows = tuple(
        (
            model["name"],
            model["latency"]["runtime"],
            _placement(model["latency"]["placement"]),
            megabytes(model["latency"]["memory_bytes"]),
            milliseconds(model["latency"]["load_ms"]),
            milliseconds(model["latency"]["first_ms"]),
        )
        for model in timed
    )
    headings = ("model", "runtime", "accelerated", "memory", "load", "first inference")
    return Table(headings, rows, frozenset({3, 4, 5}))


def _placement(place: Mapping[str, Any]) -> str:
    return UNKNOWN if place["operators"] is None else f"{place['fast']} of {place['operators']} operators"


def _machine(model: Model) -> str:
    at = model["latency"]
    where = f"{at['on']}, {plural(at['threads'], 'thread')} on cores {', '.join(map(str, at['affinity']))}"
    return f"Measured on {where}: one image at a time, models in turns."


def _phone(timed: list[Model]) -> Table:
    rows = []
    for model in timed:
        at = model["latency"]
        rows.append(
            (
                model["name"],
                milliseconds(at["mean_ms"]),
                f"{at['low_ms']:.2f} to {at['high_ms']:.2f}",
                milliseconds(at["median_ms"]),
                milliseconds(at["p95_ms"]),
                milliseconds(at["max_ms"]),
                f"{at['runs']:,}",
                milliseconds(at["first_ms"]),
            )
        )
    headings = ("model", "mean", "95% interval, ms", "median", "p95", "slowest", "runs", "first")
    return Table(headings, tuple(rows), frozenset(range(1, 8)), "By benchmark_model, which gives means and no p90.")


def _instructions(counted: list[Model]) -> Table:
    classes = ("multiply_accumulate", "load", "store", "other", "total")
    rows = tuple(
        (model["name"], *(number(model["instructions"][name] / 1e6, 1) for name in classes)) for model in counted
    )
    headings = ("model", "multiply-accumulate", "load", "store", "other", "all")
    caption = "Millions of instructions of one inference, counted under emulation: this says nothing of time."
    return Table(headings, rows, frozenset(range(1, 6)), caption)


def _estimated(report: Report) -> Table:
    rows = tuple(
        (
            way["name"],
            milliseconds(way["value_ms"]),
            UNKNOWN if way["low_ms"] is None else f"{way['low_ms']:.2f} to {way['high_ms']:.2f}",
            way["kind"],
            way["why"],
        )
        for way in report["fastest_on_device"]
    )
    title = f"Estimated on {report['device']} by its profile, p{report['percentile']:g}"
    return Table(("model", "latency", "interval, ms", "kind", "why not"), rows, frozenset({1, 2}), title=title)


def _sustained(found: Mapping[str, Any]) -> Part:
    slices = found["slices"]
    said = (
        f"{first_upper(found['artifact'])} on {found['on']} for {plain(round(slices[-1]['at_s']))} s without a pause: "
        f"p50 {slices[0]['p50_ms']:.2f} ms at first, {slices[-1]['p50_ms']:.2f} ms at last "
        f"({found['slowdown']:.2f} times)"
    )
    drawing = sustained_plot.drawing(found, said)
    return type(drawing)(drawing.wide, drawing.narrow, said, f"{said}.")
