"""Where in the network the error arises, and which layers were left in float because of it."""

from __future__ import annotations

from edgeffnet.report.page import Part, Section, Table, Text
from edgeffnet.report.plots import layers as plot
from edgeffnet.report.sections.models import Report
from edgeffnet.report.wording import first_upper, milliseconds, number, percent

_WORST, _LISTED = 5, 12


def section(report: Report) -> Section | None:
    """None where nothing of the kind was looked for."""
    parts = _audit(report) if report["kind"] == "audit" else _mixed(report)
    return Section("layers", "Error of each layer", tuple(parts)) if parts else None


def _audit(report: Report) -> list[Part]:
    layers = report["layers"]
    order = sorted(
        (place for place, layer in enumerate(layers) if layer["snr_db"] is not None),
        key=lambda place: layers[place]["snr_db"],
    )
    if not order:
        why = report["layers_unmatched"] or "the models' tensors could not be matched"
        return [Text((f"Not measured: {why}.",))]
    listed = order[:_LISTED]
    rows = tuple(
        (
            str(rank),
            layers[place]["name"],
            layers[place]["int8_tensor"],
            str(place + 1),
            f"{number(layers[place]['snr_db'], 1)} dB",
            number(layers[place]["largest"], 4),
        )
        for rank, place in enumerate(listed, 1)
    )
    headings = ("rank", "layer", "int8 tensor", "place", "signal-to-noise", "largest error")
    caption = f"The worst {len(listed)} of {len(layers)} layers; report.json holds all."
    parts: list[Part] = []
    if len(order) > 1:
        parts.append(plot.drawing(layers, order[:_WORST]))
    parts.append(Table(headings, rows, frozenset({3, 4, 5}), caption, frozenset(range(min(_WORST, len(rows))))))
    if report["layers_unmatched"]:
        parts.append(Text((f"{first_upper(report['layers_unmatched'])}.",)))
    return parts


def _mixed(report: Report) -> list[Part]:
    rows = tuple(
        (
            one["artifact"],
            f"{len(one['layers'])} of {one['of']}",
            percent(one["integer"]["agreement"]["value"]),
            milliseconds(one["integer_ms"]),
            milliseconds(one["mixed_ms"]),
            ", ".join(one["layers"]),
        )
        for one in report.get("mixed_precision", [])
    )
    if not rows:
        return []
    headings = ("model", "layers in float", "agreement all in int8", "median all in int8", "median mixed", "which")
    caption = "Layers that cost the most accuracy in int8 and stay in float, so that the floor is met."
    return [Table(headings, rows, frozenset(range(1, 5)), caption)]
