"""What was asked of an audit, gate by gate."""

from __future__ import annotations

from edgeffnet.report.page import Section, Table
from edgeffnet.report.sections.models import Report
from edgeffnet.report.wording import UNKNOWN, number

_FIGURES = {
    "max-drop": "drop of top-1 at most, points",
    "min-relative": "top-1 relative to the reference at least",
    "min-agreement": "agreement of top-1 at least, percent",
}
_OUTCOMES = {True: "pass", False: "fail", None: "cannot tell"}


def section(report: Report) -> Section | None:
    """None where no gate was set."""
    gates = report["verdict"]["gates"] if report["kind"] == "audit" else []
    if not gates:
        return None
    rows = []
    for gate in gates:
        digits = 4 if gate["name"] == "min-relative" else 2
        rows.append(
            (
                f"--{gate['name']}",
                _FIGURES.get(gate["name"], ""),
                number(gate["limit"], digits),
                number(gate["value"], digits),
                f"{number(gate['low'], digits)} to {number(gate['high'], digits)}",
                _OUTCOMES[gate["passed"]],
                f"{gate['images_needed']:,}" if gate["images_needed"] else UNKNOWN,
            )
        )
    headings = ("gate", "figure", "limit", "measured", "95% interval", "outcome", "images needed")
    marked = frozenset(index for index, gate in enumerate(gates) if gate["passed"] is False)
    return Section("gates", "Gates", (Table(headings, tuple(rows), frozenset({2, 3, 4, 6}), marked=marked),))
