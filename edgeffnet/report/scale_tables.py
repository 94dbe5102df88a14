"""What networks are and cost, as rows, CSV and a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from edgeffnet import devices, scale_table, scaling
from edgeffnet.architecture import Architecture
from edgeffnet.errors import UsageError
from edgeffnet.scaling import Overrides
from edgeffnet.wanted import NetworkOptions, architecture_at


def rows(
    variants: Sequence[str], phis: Sequence[float], options: NetworkOptions, device: str | None
) -> list[dict[str, Any]]:
    """A row for each variant and phi, all variants when there are none; `latency` is an estimate or why none is."""
    overrides = Overrides(options.width, options.depth, options.resolution)
    names = variants or (() if phis else tuple(scaling.VARIANTS))
    nets = [scaling.official(name, options.classes or 1000, overrides) for name in names]
    nets += [architecture_at(options, phi) for phi in phis]
    profile = None if device is None else devices.load(device)
    if profile is not None and profile.name == "local":
        raise UsageError("--device local has no estimate: `edgeffnet build --device local` measures")
    return [{**scale_table.row(net).to_dict(), "latency": _latency(profile, net)} for net in nets]


def to_csv(found: Sequence[dict[str, Any]]) -> str:
    """The rows as CSV with a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(found[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(found)
    return text.getvalue()


def show(found: Sequence[dict[str, Any]]) -> None:
    """Prints the rows, published figures in brackets."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
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
        table.add_row(*cells, *([row["latency"]] if with_latency else []))
    console = Console(highlight=False)
    (console if console.is_terminal else Console(highlight=False, width=200)).print(table)


def _beside(ours: str, published: float | None) -> str:
    return ours if published is None else f"{ours} ({published / 1e6:g}M)"


def _latency(device: devices.Device | None, net: Architecture) -> str | None:
    if device is None:
        return None
    found = devices.estimate(device, net)
    if isinstance(found, devices.NoBasis):
        return f"no basis: {found.reason}"
    return f"{found.mean_ms:.1f} ms estimated ({found.low_ms:.1f}-{found.high_ms:.1f}, {found.coverage:.0%})"
