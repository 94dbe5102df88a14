"""An audit on a terminal: its verdict, its figures, and what to know about them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from edgeffnet.audit.finding import Finding
from edgeffnet.audit.result import Audit
from edgeffnet.audit.verdict import Gate, Verdict
from edgeffnet.report.console import open_console, plain_table
from edgeffnet.statistics import Interval

_SHOWN = 5
_STYLES = {"fault": "red", "warning": "yellow", "note": "dim"}


def show(found: Audit) -> None:
    """Prints an audit."""
    console = open_console()
    console.print(
        f"{escape(found.int8.file)} against {escape(found.reference.file)} on {found.images.count:,} images of "
        f"{escape(found.images.source)}"
    )
    console.print(f"{_word(found.verdict)}  {escape(found.verdict.said)}")
    for gate in found.verdict.gates:
        # The others are in the verdict's own words.
        if gate.passed is not found.verdict.passed:
            console.print(f"- {gate.name} {_passed(gate)}: {escape(gate.said)}")
    console.print(_figures(found))
    _print_findings(console, found.findings)
    if found.layers and found.layers.rows:
        told = ", ".join(f"{row.name} {row.snr_db:.1f} dB" for row in found.layers.worst(_SHOWN))
        console.print(f"- noisiest of {len(found.layers.rows)} layers: {escape(told)}")
    elif found.layers:
        console.print(f"- layers cannot be compared: {escape(found.layers.unmatched or 'none match')}")
    for one in sorted(found.per_class, key=lambda one: one.p_adjusted)[:_SHOWN]:
        if one.p_adjusted < 0.05 and one.drop > 0:
            lost = f"{one.drop:.1f} points of {one.images} images (p = {one.p_adjusted:.2g})"
            console.print(f"- {escape(one.label)} loses {lost}")
    if found.calibration and found.calibration.halves:
        console.print(f"- {escape(found.calibration.halves.said())}")
    for row in found.runtimes:
        agreement = f"agrees on {row.agreement:.2%}" if row.agreement is not None else f"not run: {row.not_run}"
        console.print(f"- {escape(row.runtime)}: {escape(agreement)}; {escape(row.said)}")
    for note in found.notes:
        console.print(f"- {escape(note)}")
    console.print(f"\n-> {escape(str(found.output))} in {sum(found.seconds.values()):.0f} s")


def _word(verdict: Verdict) -> str:
    if verdict.passed is None:
        return "[yellow]CANNOT TELL[/yellow]" if verdict.gates else "NO VERDICT"
    return "[green]PASS[/green]" if verdict.passed else "[red]FAIL[/red]"


def _passed(gate: Gate) -> str:
    return {True: "passed", False: "failed", None: "cannot be told"}[gate.passed]


def _figures(found: Audit) -> Table:
    accuracy, error = found.accuracy, found.output_error
    table = plain_table()
    for name in ("", "reference", "int8", "difference"):
        table.add_column(name, justify="left" if not name else "right")
    theirs, mine = accuracy.reference, accuracy.int8
    if theirs and mine and accuracy.drop:
        drop = f"{accuracy.drop.value:+.2f} points lost ({accuracy.drop.low:+.2f} to {accuracy.drop.high:+.2f})"
        table.add_row("top-1", _share(theirs.top1), _share(mine.top1), drop)
        table.add_row("top-5", _share(theirs.top5), _share(mine.top5), "")
        table.add_row("calibration error", f"{theirs.calibration_error:.4f}", f"{mine.calibration_error:.4f}", "")
    if accuracy.relative:
        one = accuracy.relative
        table.add_row("relative", "", "", f"{one.value:.4f} ({one.low:.4f} to {one.high:.4f})")
    table.add_row("agreement", "", "", _share(accuracy.agreement))
    if accuracy.flips:
        flips = accuracy.flips
        table.add_row("flips", "", "", f"{flips.worse} worse, {flips.better} better (McNemar p = {flips.p:.2g})")
    noise = "equal" if error.snr_db is None else f"{error.snr_db:.1f} dB"
    table.add_row("error of the output", "", "", f"{noise}, largest {error.largest:.3f}, KL {error.kl:.2g} nats")
    return table


def _share(found: Interval) -> str:
    return f"{found.value:.2%} ({found.low:.1%} to {found.high:.1%})"


def _print_findings(console: Console, findings: Sequence[Finding]) -> None:
    for one in findings:
        style = _STYLES[one.severity]
        console.print(f"- [{style}]{one.severity}[/{style}] {escape(one.name)}: {escape(one.said)}")
