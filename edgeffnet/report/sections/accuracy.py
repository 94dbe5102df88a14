"""What the models get right, each figure with its interval and on how many images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgeffnet.report.page import Fact, Facts, Part, Section, Table, Text
from edgeffnet.report.plots import intervals
from edgeffnet.report.plots.intervals import Line, Row
from edgeffnet.report.sections.models import Report, models
from edgeffnet.report.wording import (
    UNKNOWN,
    decibels,
    number,
    percent,
    points_interval,
    probability,
    share_interval,
    signed,
)

_CAPTION = "Bars are 95% intervals; hollow: the float model."


def section(report: Report) -> Section:
    parts = _audit(report) if report["kind"] == "audit" else _beside_fp32(report)
    return Section("accuracy", "Accuracy", tuple(parts))


def _beside_fp32(report: Report) -> list[Part]:
    known = [model for model in models(report) if model["accuracy"]]
    if not known:
        return [Text((_why_unknown(report),))]
    parts: list[Part] = []
    labelled = [model for model in known if model["accuracy"]["top1"]]
    if labelled:
        tops = [_shares(one["name"], one["accuracy"]["top1"], one["precision"] == "fp32") for one in labelled]
        parts.append(intervals.drawing("top1", tops, "top-1, percent", caption=_CAPTION))
    drops = [
        Row(one["name"], *_ends(one["accuracy"]["drop"]))
        for one in labelled
        if one["precision"] == "int8" and one["accuracy"].get("drop")
    ]
    floor = (report.get("budget") or report.get("floor") or {}).get("drop_points")
    if drops:
        lines = [Line(0), *([Line(floor, f"limit {floor:g}")] if floor is not None else [])]
        parts.append(intervals.drawing("drop", drops, "drop of top-1, points (paired)", lines))
    elif not labelled:
        agreeing = [
            _shares(one["name"], one["accuracy"]["agreement"], False)
            for one in known
            if one["precision"] == "int8" and one["accuracy"].get("agreement")
        ]
        if agreeing:
            parts.append(intervals.drawing("agreement", agreeing, "agreement with fp32's top-1, percent"))
    parts.append(_table(known))
    if not labelled:
        parts.append(Text((_why_unknown(report),)))
    missing = [
        f"{model['name']}: accuracy not measured: {model['accuracy_not_measured']}."
        for model in models(report)
        if model.get("accuracy_not_measured")
    ]
    if missing:
        parts.append(Text(tuple(missing), listed=True))
    return parts


def _table(known: Sequence[Mapping[str, Any]]) -> Table:
    labelled = any(model["accuracy"]["top1"] for model in known)
    rows = []
    for model in known:
        at = model["accuracy"]
        drop, agreement = at.get("drop"), at.get("agreement")
        right = (
            _share(at["top1"]),
            share_interval(at["top1"]),
            _share(at["top5"]),
            UNKNOWN if drop is None else signed(drop["value"]),
            points_interval(drop),
        )
        beside = (
            _share(agreement),
            share_interval(agreement),
            decibels(at["snr_db"]) if "snr_db" in at else UNKNOWN,
            f"{at['ties']:,}" if "ties" in at else UNKNOWN,
        )
        rows.append((model["name"], *(right if labelled else ()), *beside))
    headings = ("top-1", "95%", "top-5", "drop, points", "95%") if labelled else ()
    at = known[0]["accuracy"]
    caption = (
        f"On {at['images']:,} images: {at['source']}. Drop and agreement are paired with the float model; where a top "
        "score is shared (ties) the lower class index counts."
    )
    headings = ("model", *headings, "agreement", "95%", "SNR of logits", "ties")
    return Table(headings, tuple(rows), frozenset(range(1, len(headings))), caption)


def _why_unknown(report: Report) -> str:
    """The note that gives the reason."""
    notes = [note for note in report["notes"] if "no accuracy is stated" in note or "random weights" in note]
    return f"{'; '.join(notes)}." if notes else "No accuracy was measured: no validation images were given."


def _audit(report: Report) -> list[Part]:
    accuracy = report["accuracy"]
    reference, int8 = accuracy["reference"] or {}, accuracy["int8"] or {}
    parts: list[Part] = []
    gates = {gate["name"]: gate["limit"] for gate in report["verdict"]["gates"]}
    if reference.get("top1") and int8.get("top1"):
        tops = [_shares("reference", reference["top1"], True), _shares("int8", int8["top1"], False)]
        parts.append(intervals.drawing("top1", tops, "top-1, percent", caption=_CAPTION))
    if accuracy["drop"]:
        lines = [Line(0)]
        if "max-drop" in gates:
            lines.append(Line(gates["max-drop"], f"gate {gates['max-drop']:g}"))
        rows = [Row("int8", *_ends(accuracy["drop"]))]
        parts.append(intervals.drawing("drop", rows, "drop of top-1, points (paired)", lines))
    elif accuracy["agreement"]:
        lines = [Line(gates["min-agreement"], "gate")] if "min-agreement" in gates else []
        rows = [_shares("int8", accuracy["agreement"], False)]
        parts.append(intervals.drawing("agreement", rows, "agreement with the reference's top-1, percent", lines))
    parts += [_each(report), _together(report)]
    if not report["images"]["labelled"]:
        parts.append(Text(("The images have no labels, so nothing is said of what either model gets right.",)))
    return parts


def _each(report: Report) -> Table:
    accuracy = report["accuracy"]
    errors = accuracy["calibration_error"] or {}
    rows = []
    for name in ("reference", "int8"):
        found = accuracy[name] or {}
        rows.append((name, _both(found.get("top1")), _both(found.get("top5")), percent(errors.get(name))))
    caption = f"On {report['images']['count']:,} images; brackets are 95% intervals."
    headings = ("model", "top-1", "top-5", "expected calibration error")
    return Table(headings, tuple(rows), frozenset({1, 2, 3}), caption)


def _together(report: Report) -> Facts:
    accuracy, error = report["accuracy"], report["output_error"] or {}
    drop, relative, flips = (accuracy[name] for name in ("drop", "relative", "flips"))
    facts = [Fact("Agreement of top-1", _both(accuracy["agreement"]))]
    if drop:
        facts.append(Fact("Drop of top-1", f"{signed(drop['value'])} points ({points_interval(drop)})"))
    if relative:
        between = f"{relative['low']:.4f} to {relative['high']:.4f}"
        facts.append(Fact("Top-1 relative to the reference", f"{number(relative['value'], 4)} ({between})"))
    if flips:
        said = f"{flips['worse']:,} worse, {flips['better']:,} better (McNemar p {probability(flips['mcnemar_p'])})"
        facts.append(Fact("Flips against the label", said))
    facts.append(Fact("Images whose top score int8 shares", f"{accuracy['ties']:,}"))
    if error:
        facts += [
            Fact("Signal-to-noise of the logits", decibels(error["snr_db"])),
            Fact("Largest error of a probability", number(error["largest"], 4)),
            Fact("Kullback-Leibler divergence", f"{number(error['kl'], 5)} nats an image"),
        ]
    return Facts(tuple(facts), "Image by image")


def _shares(name: str, found: Mapping[str, float], reference: bool) -> Row:
    value, low, high = _ends(found)
    return Row(name, 100 * value, 100 * low, 100 * high, reference)


def _ends(found: Mapping[str, float]) -> tuple[float, float, float]:
    return found["value"], found["low"], found["high"]


def _share(found: Mapping[str, float] | None) -> str:
    return percent(found["value"]) if found else UNKNOWN


def _both(found: Mapping[str, float] | None) -> str:
    return f"{percent(found['value'])} ({share_interval(found)})" if found else UNKNOWN
