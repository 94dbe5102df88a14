"""What an audit noticed beside its figures, faults first."""

from __future__ import annotations

from edgeffnet.report.page import Fact, Findings, Noticed, Section, Text
from edgeffnet.report.sections.models import Report
from edgeffnet.report.wording import first_upper, plain, spaced

_ORDER = ("fault", "warning", "note")
# Evidence may list hundreds of files: the page shows its beginning, report.json all.
_LONGEST = 400


def section(report: Report) -> Section | None:
    """None for what is no audit."""
    if report["kind"] != "audit":
        return None
    found = sorted(report["findings"], key=lambda one: _ORDER.index(one["severity"]))
    if not found:
        return Section("findings", "Findings", (Text(("None: no fault, warning or note.",)),))
    noticed = tuple(
        Noticed(
            one["severity"],
            one["name"],
            one["said"],
            tuple(Fact(first_upper(spaced(name)), _shortened(plain(value))) for name, value in one["evidence"].items()),
        )
        for one in found
    )
    return Section("findings", "Findings", (Findings(noticed),))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\N{HORIZONTAL ELLIPSIS}"
