"""The images that set the int8 model's ranges, and how much the answer depends on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeffnet.report.page import Fact, Facts, Part, Section, Table, Text
from edgeffnet.report.sections.models import Report
from edgeffnet.report.wording import first_upper, percent, plain, plural

_LISTED = 12


def section(report: Report) -> Section | None:
    """None for a validation, which knows nothing of it."""
    if report["kind"] == "validate":
        return None
    found = report["calibration"]
    if found is None:
        why = "Not looked at: no calibration images were given."
        return Section("calibration", "Calibration", (Text((why,)),))
    parts = _audit(found) if report["kind"] == "audit" else _made(found)
    return Section("calibration", "Calibration", tuple(parts))


def _made(found: Mapping[str, Any]) -> list[Part]:
    facts = [
        Fact("Images", f"{found['images']:,}", found["source"]),
        Fact("Ranges by", found["method"], f"a scale for each {found['granularity']}"),
    ]
    settling = found["convergence"]
    if settling:
        facts.append(_settling(settling))
    facts.append(Fact("Seed", str(found["seed"])))
    facts.append(Fact("SHA-256", found["sha256"]))
    rows = tuple((step["step"], step["detail"]) for step in found["steps"])
    made: list[Part] = [Facts(tuple(facts))]
    return [*made, Table(("step", "what it did"), rows)] if rows else made


def _audit(found: Mapping[str, Any]) -> list[Part]:
    facts = [Fact("Images", plain(found["images"]), found["source"] or "")]
    coverage, settling, halves = (found[name] for name in ("class_coverage", "convergence", "halves"))
    if coverage:
        each = f"{coverage['least']:,} to {coverage['most']:,} images of a class"
        facts.append(Fact("Classes covered", f"{coverage['covered']:,} of {coverage['classes']:,}", each))
    if settling:
        facts.append(_settling(settling))
    if halves:
        facts.append(Fact("Two calibrations", first_upper(halves["said"]), f"recipe {halves['recipe']}"))
    parts: list[Part] = [Facts(tuple(facts))]
    overlap, clipping = found["overlap"], found["clipping"]
    if overlap:
        rows = tuple((pair["calibration"], pair["validation"]) for pair in overlap[:_LISTED])
        shown = f", {len(rows)} of them shown" if len(rows) < len(overlap) else ""
        caption = f"{plural(len(overlap), 'picture')} in both sets, by content{shown}."
        parts.append(Table(("calibration", "validation"), rows, caption=caption))
    else:
        parts.append(Text(("No picture is in both the calibration and the validation set, by content.",)))
    if clipping:
        ordered = sorted(clipping, key=lambda one: -one["share"])[:_LISTED]
        rows = tuple((one["tensor"], percent(one["share"], 3)) for one in ordered)
        caption = f"Share of values beyond the tensor's int8 range: the highest {len(rows)} of {len(clipping)}."
        parts.append(Table(("tensor", "clipped"), rows, frozenset({1}), caption))
    return parts


def _settling(found: Mapping[str, Any]) -> Fact:
    return Fact(
        "Between two halves of the images",
        f"{percent(found['typical'], 1)} of a typical range",
        f"{found['tensor']} most, by {percent(found['movement'], 0)}",
    )
