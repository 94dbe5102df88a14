"""The same artefact in other runtimes, and on other machines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgeffnet.report.page import Section, Table, Text
from edgeffnet.report.sections.models import Report, models
from edgeffnet.report.wording import UNKNOWN, number, percent, share_interval


def section(report: Report) -> Section | None:
    """None where nothing was compared."""
    rows = _audit(report) if report["kind"] == "audit" else _beside_this_machine(report)
    if rows:
        headings = ("runtime", "model", "agreement", "largest difference", "said")
        return Section("runtimes", "Runtimes", (Table(headings, rows, frozenset({2, 3})),))
    if report["kind"] != "audit":
        return None
    return Section("runtimes", "Runtimes", (Text(("No other runtime that reads the int8 model is here.",)),))


def _audit(report: Report) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            one["runtime"],
            one["model"],
            _agreement(one["agreement"]),
            number(one["largest_difference"], 5),
            f"not run: {one['not_run']} ({one['said']})" if one["not_run"] else one["said"],
        )
        for one in report["runtimes"]
    )


def _beside_this_machine(report: Report) -> tuple[tuple[str, ...], ...]:
    rows = []
    for model in models(report):
        found = model.get("comparison")
        if found:
            equal = f"{found['identical']:,} of {found['images']:,} images bit-equal to this machine's"
            agreement = percent(1 - found["differing"] / found["images"])
            rows.append((report["target"], model["name"], agreement, number(found["largest_difference"], 5), equal))
    return tuple(rows)


def _agreement(found: Mapping[str, Any] | float | None) -> str:
    if found is None:
        return UNKNOWN
    if isinstance(found, Mapping):
        return f"{percent(found['value'])} ({share_interval(found)})"
    return percent(found)
