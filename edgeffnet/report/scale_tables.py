"""What networks are and cost, as rows, CSV and a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from edgeffnet import devices, scale_table, scaling
from edgeffnet.architecture import Architecture
from edgeffnet.budget import Budget
from edgeffnet.errors import UsageError
from edgeffnet.largest_phi import largest_phi
from edgeffnet.report.console import open_console, plain_table
from edgeffnet.scaling import Overrides
from edgeffnet.wanted import NetworkOptions, architecture_at, check_rule, has_variants


def rows(
    variants: Sequence[str], phis: Sequence[float], options: NetworkOptions, device: str | None
) -> list[dict[str, Any]]:
    """A row for each variant and phi; when there are none all variants, or phi 0 of a family that has none.

    `latency` is None without a device; else an estimate of the mean in milliseconds with its
    interval (`kind` "estimated"), or the reason why there is none (`kind` "no basis").
    """
    if not (variants or phis or has_variants(options.family)):
        phis = (0.0,)
    check_rule(options, by_rule=bool(phis))
    overrides = Overrides(options.width, options.depth, options.resolution)
    names = variants or (() if phis else tuple(scaling.VARIANTS))
    nets = [scaling.official(name, options.classes or 1000, overrides) for name in names]
    nets += [architecture_at(options, phi) for phi in phis]
    profile = board(device)
    return [row(net, profile) for net in nets]


def largest(budget: Budget, options: NetworkOptions, device: str | None) -> list[dict[str, Any]]:
    """One row, of the largest phi within `budget` by the options' rule; `bound_by` says what keeps larger ones out."""
    check_rule(options, by_rule=True)
    profile = board(device)
    found = largest_phi(lambda phi: architecture_at(options, phi), budget, profile)
    return [{**row(found.candidate.architecture, profile), "bound_by": found.bound_by}]


def board(device: str | None) -> devices.Device | None:
    """The profile called `device`; UsageError for this machine, which is measured and not estimated."""
    profile = None if device is None else devices.load(device)
    if profile is not None and profile.name == "local":
        raise UsageError("--device local has no estimate: `edgeffnet build --device local` measures")
    return profile


def row(net: Architecture, device: devices.Device | None) -> dict[str, Any]:
    """One row as `rows` gives them."""
    return {**scale_table.row(net).to_dict(), "latency": _latency(device, net)}


def to_csv(found: Sequence[dict[str, Any]]) -> str:
    """The rows as CSV with a header; what is known of the latency has columns of its own."""
    flat = [
        {name: value for name, value in row.items() if name != "latency"} | _columns(row["latency"]) for row in found
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def show(found: Sequence[dict[str, Any]]) -> None:
    """Prints the rows, published figures in brackets."""
    table = plain_table()
    columns = ("network", "phi", "rule", "width", "depth", "pixels", "parameters", "MACs", "peak", "int8")
    for name in columns:
        table.add_column(name, justify="left" if name in ("network", "rule") else "right")
    with_latency = any(row["latency"] for row in found)
    if with_latency:
        table.add_column("int8 latency")
    for row in found:
        cells = (
            row["name"],
            f"{row['phi']:g}",
            row["rule"],
            f"{row['width']:.3g}",
            f"{row['depth']:.3g}",
            str(row["resolution"]),
            _beside(f"{row['parameters']:,}", row["published_parameters"]),
            _beside(f"{row['macs'] / 1e6:,.1f}M", row["published_macs"]),
            f"{row['activation_peak_bytes'] / 1e6:.2f} MB",
            f"{row['int8_bytes'] / 1e6:.2f} MB",
        )
        table.add_row(*cells, *([_said(row["latency"])] if with_latency else []))
    console = open_console(width=200)
    console.print(table)
    for row in found:
        if "bound_by" in row:
            console.print(f"phi {row['phi']:g} is the largest; bound by {row['bound_by']}", markup=False)


def _beside(ours: str, published: float | None) -> str:
    return ours if published is None else f"{ours} ({published / 1e6:g}M)"


_LATENCY_FIELDS = ("kind", "mean_ms", "low_ms", "high_ms", "coverage", "threads", "runtime", "rows", "reason")


def _latency(device: devices.Device | None, net: Architecture) -> dict[str, Any] | None:
    if device is None:
        return None
    found = devices.estimate(device, net)
    if isinstance(found, devices.NoBasis):
        return {"kind": found.kind, "device": device.name, "reason": found.reason}
    return {
        "kind": found.kind,
        "device": device.name,
        "mean_ms": found.mean_ms,
        "low_ms": found.low_ms,
        "high_ms": found.high_ms,
        "coverage": found.coverage,
        "threads": found.threads,
        "runtime": f"{found.runtime} {found.runtime_version}",
        "rows": found.rows,
    }


def _columns(latency: Mapping[str, Any] | None) -> dict[str, Any]:
    return {f"latency_{name}": (latency or {}).get(name) for name in _LATENCY_FIELDS}


def _said(latency: Mapping[str, Any]) -> str:
    if "reason" in latency:
        return f"no basis: {latency['reason']}"
    interval = f"{latency['low_ms']:.1f}-{latency['high_ms']:.1f}, {latency['coverage']:.0%}"
    return f"{latency['mean_ms']:.1f} ms estimated ({interval})"
