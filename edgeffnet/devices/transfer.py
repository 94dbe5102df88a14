"""A device without a row of a runtime, but with another device's: times a measured ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median, stdev

from edgeffnet.devices.profile import Device, Row, load

_FEWEST_PAIRS = 4
# Two devices' ratio under one runtime need not hold under another: the doubt that adds, in log.
# Pi 4 to Pi 3 B+, 25 rows of TFLite from the ratio under ncnn: 0.098 (benchmarks/latency_transfer.py).
RUNTIME_SD = 0.1


@dataclass(frozen=True)
class Ratio:
    """This device's latency over the other's: the median over models, and its spread in log."""

    other: Device
    ratio: float
    log_sd: float
    models: tuple[str, ...]
    runtime: str
    sources: tuple[str, ...]


def measured_ratio(device: Device, precision: str, threads: int) -> Ratio | None:
    """The ratio that the profile's `transfer` names, at one precision and thread count.

    None where the profile names none, or where fewer than four models were measured on both.
    """
    if device.transfer is None:
        return None
    other = load(device.transfer.device)
    here = _rows(device, device.transfer.runtime, precision, threads)
    there = _rows(other, device.transfer.runtime, precision, threads)
    common = tuple(model for model in here if model in there)
    if len(common) < _FEWEST_PAIRS:
        return None
    logs = [math.log(here[model].ms / there[model].ms) for model in common]
    sources = {device.source(here[m].source): None for m in common}
    sources |= {other.source(there[m].source): None for m in common}
    return Ratio(other, math.exp(median(logs)), stdev(logs), common, device.transfer.runtime, tuple(sources))


def _rows(device: Device, runtime: str, precision: str, threads: int) -> dict[str, Row]:
    return {
        row.model: row
        for candidate in device.runtimes
        if candidate.name == runtime
        for row in candidate.used(precision)
        if row.threads == threads
    }
