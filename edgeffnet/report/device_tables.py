"""Device profiles as data and as tables."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.table import Table

from edgeffnet import devices
from edgeffnet.errors import UsageError
from edgeffnet.report.console import open_console, plain_table

if TYPE_CHECKING:
    from edgeffnet.profiling.profile import Profiled


def listing() -> list[dict[str, Any]]:
    """Every profile in a line: hardware, and what its latency rests on."""
    return [_summary(devices.load(name)) for name in devices.device_names()]


def details(name: str) -> dict[str, Any]:
    """One profile with its rows and their sources. UsageError for an unknown name."""
    device = devices.load(name)
    return {
        **_summary(device),
        "isa": list(device.isa),
        "memory_mib": device.memory_mib,
        "hardware_source": device.hardware_source,
        "runtimes": [
            {
                "runtime": runtime.label,
                "clock": runtime.clock,
                "note": runtime.note,
                "rows": [{**vars(row), "source": device.source(row.source)} for row in runtime.rows],
            }
            for runtime in device.runtimes
        ],
    }


def show_listing(found: list[dict[str, Any]]) -> None:
    table = plain_table()
    for column in ("name", "cores", "GHz", "int8 arithmetic", "latency", "description"):
        table.add_column(column, justify="right" if column in ("cores", "GHz") else "left")
    for row in found:
        clock = f"{row['clock_ghz']:.1f}"
        table.add_row(row["name"], str(row["cores"]), clock, row["int8"], row["latency"], row["description"])
    open_console().print(table)


def show_details(found: dict[str, Any]) -> None:
    console = open_console()
    console.print(f"[bold]{found['name']}[/bold]  {found['description']}")
    console.print(
        f"  {found['soc']}, {found['cores']} x {found['core']} at {found['clock_ghz']:.2f} GHz, "
        f"{found['memory_mib']} MiB"
    )
    console.print(f"  int8: {found['int8']}; default {found['default_threads']} threads; latency: {found['latency']}")
    console.print(f"  hardware: {found['hardware_source']}")
    for runtime in found["runtimes"]:
        console.print(f"\n[bold]{runtime['runtime']}[/bold] {runtime['clock']} {runtime['note']}")
        table = Table(box=None, padding=(0, 2, 0, 2), header_style="bold")
        for column in ("model", "precision", "threads", "ms", "source", "left out because"):
            table.add_column(column, justify="right" if column in ("threads", "ms") else "left")
        for row in runtime["rows"]:
            threads, ms = str(row["threads"]), f"{row['ms']:g}"
            table.add_row(row["model"], row["precision"], threads, ms, row["source"], row["rejected"])
        console.print(table)


def show_explanation(name: str, precision: str, as_json: bool) -> None:
    """Prints the fit behind a device's estimates: rows, prices, and its error on models left out."""
    device = devices.load(name)
    found = devices.explain(device, precision=precision)
    if isinstance(found, devices.NoBasis):
        raise UsageError(f"{name} has no latency estimate: {found.reason}")
    if as_json:
        print(json.dumps(asdict(found), indent=2, ensure_ascii=False))
        return
    console = open_console()
    console.print(f"[bold]{name}[/bold] {found.precision}, {found.runtime}, {found.clock}")
    prices = _columns("operators", "ns each", "expected", "per", "meaning", right=("ns each", "expected"))
    for price in found.prices:
        cost = (f"{price.nanoseconds:.3g}", f"{price.expected_nanoseconds:.3g}")
        prices.add_row(price.feature, *cost, price.unit, price.meaning)
    console.print(prices)
    measured = any(runtime.measured and runtime.label == found.runtime for runtime in device.runtimes)
    said = "measured ms" if measured else "published ms"
    rows = _columns("model", "threads", said, "estimated ms", "source", right=("threads", said, "estimated ms"))
    for fitted in found.rows:
        row = fitted.row
        rows.add_row(row.model, str(row.threads), f"{row.ms:g}", f"{fitted.estimated_ms:.1f}", fitted.source)
    console.print(rows)
    errors = _columns("model left out", "rows", "mean error", "inside its 90% interval", right=("rows", "mean error"))
    for by_model in found.by_model:
        score = by_model.score
        errors.add_row(by_model.model, str(score.rows), f"{score.error:.1%}", f"{score.covered:.0%}")
    console.print(errors)
    for note in found.notes:
        console.print(f"- {note}", markup=False)


def show_profiled(found: Profiled) -> None:
    """Prints what a new profile estimates of the models its fit has not seen."""
    console = open_console()
    table = _columns(
        "model held out", "precision", "threads", "measured ms", "estimated ms", "error", right=_FIGURES_OF_PROFILE
    )
    for item in found.held_out:
        row = item.row
        estimate = f"{item.predicted_ms:.2f} ({item.low_ms:.2f} to {item.high_ms:.2f})"
        table.add_row(row.model, row.precision, str(row.threads), f"{row.ms:.2f}", estimate, f"{item.error:+.1%}")
    console.print(table)
    for model in found.skipped:
        console.print(f"- {model}: not measured, it would take too long on this device", markup=False)
    if found.resumed:
        console.print(f"- {found.resumed} timings are of an earlier run that was interrupted")
    console.print(
        f"- {found.rows} rows fitted; estimated {found.mean_error:.1%} off on average and {found.worst_error:.1%} at "
        "worst, on models the fit has not seen"
    )
    console.print(f"\n-> {found.path} in {found.seconds:.0f} s: edgeffnet build --device {found.path}", markup=False)


_FIGURES_OF_PROFILE = ("threads", "measured ms", "estimated ms", "error")


def _columns(*columns: str, right: tuple[str, ...] = ()) -> Table:
    table = plain_table()
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left")
    return table


def _summary(device: devices.Device) -> dict[str, Any]:
    return {
        "name": device.name,
        "description": device.description,
        "soc": device.soc,
        "core": device.core,
        "cores": device.cores,
        "clock_ghz": device.clock_ghz,
        "int8": device.int8,
        "default_threads": device.default_threads,
        "latency": _latency_basis(device),
    }


def _latency_basis(device: devices.Device) -> str:
    if device.name == "local":
        return "measured"
    rows = sum(not row.rejected for runtime in device.runtimes for row in runtime.rows if runtime.fitted)
    if any(runtime.measured for runtime in device.runtimes):
        return f"estimated from {rows} rows measured on it"
    if device.transfer:
        return f"estimated from {device.transfer.device}'s rows"
    return f"estimated from {rows} published rows" if rows else "no basis"
