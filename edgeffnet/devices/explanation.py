"""A profile's fit laid open: its rows, its prices, and its error on models it has not seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgeffnet.devices.features import FEATURES
from edgeffnet.devices.fitting import compute_speedup, fit, predict
from edgeffnet.devices.latency import NoBasis, find_runtime
from edgeffnet.devices.leave_one_out import HeldOut, Score, leave_one_model_out, score
from edgeffnet.devices.profile import Device, Row
from edgeffnet.devices.reference_models import reference_model


@dataclass(frozen=True)
class Price:
    """Nanoseconds per `unit` of a feature on one core: as fitted, as expected from the hardware.

    `factor` is how far one standard deviation reaches, up or down.
    """

    feature: str
    unit: str
    meaning: str
    nanoseconds: float
    expected_nanoseconds: float
    factor: float


@dataclass(frozen=True)
class FittedRow:
    """A row of the fit, with its source in words and what the fit makes of it."""

    row: Row
    source: str
    estimated_ms: float
    kind: str = "estimated"


@dataclass(frozen=True)
class ModelError:
    """Mean absolute leave-one-out error of one model's rows."""

    model: str
    score: Score


@dataclass(frozen=True)
class Explanation:
    """Everything behind a device's estimates at one precision."""

    device: Device
    runtime: str
    clock: str
    precision: str
    rows: tuple[FittedRow, ...]
    rejected: tuple[Row, ...]
    prices: tuple[Price, ...]
    speedups: tuple[tuple[int, float], ...]
    held_out: tuple[HeldOut, ...]
    by_model: tuple[ModelError, ...]
    by_threads: tuple[tuple[int, Score], ...]
    notes: tuple[str, ...]


def explain(device: Device, *, precision: str = "int8", runtime: str = "tflite") -> Explanation | NoBasis:
    """The fit that `estimate` uses for the same arguments; NoBasis where the device has none of its own."""
    chosen = find_runtime(device, runtime, precision)
    if isinstance(chosen, NoBasis):
        return chosen
    fitted = fit(device, chosen.at(device.default_threads, precision), precision)
    size = len(FEATURES)
    scale = fitted.parameters[size]
    prices = tuple(
        Price(
            feature=feature.name,
            unit=feature.unit,
            meaning=feature.meaning,
            nanoseconds=1e6 * math.exp(fitted.parameters[index] + scale),
            expected_nanoseconds=1e6 * math.exp(fitted.prior[index]),
            factor=math.exp(_price_sd(fitted.covariance, index, size)),
        )
        for index, feature in enumerate(FEATURES)
    )
    held_out = leave_one_model_out(device, chosen, precision)
    by_model = tuple(
        ModelError(model, score(tuple(item for item in held_out if item.row.model == model))) for model in fitted.models
    )
    rows = chosen.used(precision)
    counts = sorted({row.threads for row in rows})
    at_count = {count: fit(device, chosen.at(count, precision), precision) for count in counts}
    return Explanation(
        device=device,
        runtime=chosen.label,
        clock=chosen.clock,
        precision=precision,
        rows=tuple(
            FittedRow(
                row,
                device.source(row.source),
                predict(at_count[row.threads], reference_model(row.model), row.threads).ms,
            )
            for row in rows
        ),
        rejected=tuple(row for row in chosen.rows if row.rejected and row.precision == precision),
        prices=prices,
        speedups=tuple(
            (count, compute_speedup(at_count[count].parameters, at_count[count].thread_counts, count))
            for count in counts
        ),
        held_out=held_out,
        by_model=by_model,
        by_threads=tuple((count, score(tuple(i for i in held_out if i.row.threads == count))) for count in counts),
        notes=(chosen.note,) if chosen.note else (),
    )


def _price_sd(covariance: tuple[tuple[float, ...], ...], index: int, scale: int) -> float:
    """Of price and common scale together: apart, rows hardly tell one from the other."""
    return math.sqrt(covariance[index][index] + covariance[scale][scale] + 2 * covariance[index][scale])
