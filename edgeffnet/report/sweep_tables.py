"""A sweep as a table: the int8 `.tflite` of each variant on each device."""

from __future__ import annotations

from edgeffnet.report.console import open_console, plain_table
from edgeffnet.sweep.results import Row
from edgeffnet.sweep.sweep import RESULTS, Sweep


def show(found: Sweep) -> None:
    """Prints a line for each cell, and where the rest is."""
    console = open_console(width=160)
    table = plain_table()
    for name in ("variant", "device", "data"):
        table.add_column(name)
    for name in ("size", "latency", "top-1", "drop", "agreement"):
        table.add_column(name, justify="right")
    for name in ("verdict", "audit"):
        table.add_column(name)
    for row in found.rows:
        if row.model in (None, "TFLite int8"):
            table.add_row(*_cells(row))
    console.print(table)
    for name in found.failed:
        console.print(f"- {name} failed: {found.outcomes[name].said}", markup=False, highlight=False)
    plots = "".join(f", {path.relative_to(found.output)}" for path in found.plots)
    console.print(f"\n{len(found.rows)} rows -> {found.output / RESULTS}{plots}", markup=False, highlight=False)


def _cells(row: Row) -> tuple[str, ...]:
    if row.model is None:
        return row.variant, row.device, row.data, "", "", "", "", "", "failed", ""
    latency = "" if row.latency_ms is None else f"{row.latency_ms:.2f} ms {row.latency_kind}"
    return (
        row.variant,
        row.device,
        row.data,
        f"{(row.bytes or 0) / 1e6:.2f} MB",
        latency,
        "" if row.top1 is None else f"{row.top1:.1f}%",
        "" if row.drop is None else f"{row.drop:.2f}",
        "" if row.agreement is None else f"{row.agreement:.1f}%",
        row.verdict.partition(":")[0],
        row.audit.partition(":")[0],
    )
