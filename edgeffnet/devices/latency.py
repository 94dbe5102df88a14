"""The latency a network should have on a device nobody has attached, or why there is no saying.

An estimate is of the mean, because published figures are, and always an interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from edgeffnet import cost
from edgeffnet.architecture import Architecture
from edgeffnet.devices.fitting import Fit, degrees_of_freedom, fit, predict, prior_ms, two_sided_quantile
from edgeffnet.devices.profile import LOCAL, Device, Runtime
from edgeffnet.devices.reference_models import ReferenceModel, reference_model
from edgeffnet.devices.transfer import RUNTIME_SD, Ratio, measured_ratio
from edgeffnet.errors import UsageError

FEWEST_ROWS = 4
_FEWEST_ROWS_OF_PRECISION = 2
# Doubt in log: per factor e outside the rows' range of multiply-adds, and for parts no row has.
_RANGE_SD = 0.05
_UNSEEN_SD = 0.1


@dataclass(frozen=True)
class Estimate:
    """An estimated mean latency: `coverage` of such intervals should hold the measured mean.

    `kind` is always "estimated": a measured figure is another type. `rows` counts the rows behind
    it, all of one device, runtime, version and precision (see `notes` where they are another
    device's); they were `published`, or are those of `edgeffnet profile`. `p90_over_mean` is what
    `to_percentile` multiplies by, and where from.
    """

    mean_ms: float
    low_ms: float
    high_ms: float
    coverage: float
    runtime: str
    runtime_version: str
    precision: str
    threads: int
    clock: str
    rows: int
    sources: tuple[str, ...]
    notes: tuple[str, ...]
    p90_over_mean: float
    p90_source: str
    device: str
    published: bool = True
    kind: Literal["estimated"] = "estimated"

    @property
    def half_width(self) -> float:
        """Half the interval over the mean: 0.2 reads +-20%."""
        return (self.high_ms - self.low_ms) / 2 / self.mean_ms

    def __str__(self) -> str:
        return (
            f"{self.mean_ms:.3g} ms estimated ({self.low_ms:.3g}-{self.high_ms:.3g} at {self.coverage:.0%}), "
            f"mean of one inference, {self.device}, {self.runtime} {self.runtime_version}, {self.precision}, "
            f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        )


@dataclass(frozen=True)
class NoBasis:
    """There is no estimate, and `reason` says what is missing and what to do."""

    reason: str
    kind: Literal["no basis"] = "no basis"

    def __str__(self) -> str:
        return f"no basis: {self.reason}"


def estimate(
    device: Device,
    architecture: Architecture,
    *,
    precision: str = "int8",
    runtime: str = "tflite",
    threads: int | None = None,
    coverage: float = 0.9,
) -> Estimate | NoBasis:
    """The mean latency of `architecture` at batch 1, in milliseconds, with an interval.

    `runtime` is a name ("tflite": the profile's first version that has enough rows) or a name
    and version ("tflite@2.5.0"); `threads` defaults to the device's. NoBasis where fewer than
    four rows of that runtime, none of that precision, or none near that thread count exist.
    UsageError for a coverage or thread count that makes no sense.
    """
    threads = device.default_threads if threads is None else threads
    if not 0.5 <= coverage <= 0.99:
        raise UsageError(f"coverage must lie between 0.5 and 0.99, not {coverage}")
    if not 1 <= threads <= device.cores:
        raise UsageError(f"threads must lie between 1 and {device.cores} on {device.name}, not {threads}")
    chosen = find_runtime(device, runtime, precision)
    ratio = None
    if isinstance(chosen, NoBasis):
        ratio = measured_ratio(device, precision, threads)
        found = find_runtime(ratio.other, runtime, precision) if ratio else chosen
        if ratio is None or isinstance(found, NoBasis):
            return chosen
        chosen = found
    fitted = fit(ratio.other if ratio else device, chosen.at(threads, precision), precision)
    counts = {row.threads for row in fitted.rows}
    if not min(counts) <= threads <= max(counts):
        have = ", ".join(str(count) for count in sorted(counts))
        return NoBasis(f"{chosen.label} has {precision} rows on {device.name} at {have} threads only, not at {threads}")
    return _estimated(device, fitted, ratio, _model_of(architecture), threads, coverage)


def hardware_ms(device: Device, architecture: Architecture, threads: int, precision: str = "int8") -> float:
    """Milliseconds that the hardware's figures alone suggest: to rank networks by, and no estimate."""
    return prior_ms(device, precision, _model_of(architecture), threads)


def find_runtime(device: Device, runtime: str, precision: str) -> Runtime | NoBasis:
    """The rows an estimate for `runtime` would rest on: the first listed with enough of them."""
    if device.name == LOCAL and not device.runtimes:
        return NoBasis("this machine has no published rows; measure on it (--target local)")
    name, _, version = runtime.partition("@")
    named = [candidate for candidate in device.runtimes if candidate.name == name and candidate.fitted]
    named = [candidate for candidate in named if not version or candidate.version == version]
    if not named:
        have = ", ".join(dict.fromkeys(f"{r.name} {r.version}" for r in device.runtimes if r.fitted)) or "none"
        return NoBasis(f"no published row of {runtime} on {device.name} (rows: {have}); measure on the device")
    for candidate in named:
        rows_of_runtime = sum(
            not row.rejected for other in named if other.version == candidate.version for row in other.rows
        )
        if rows_of_runtime >= FEWEST_ROWS and len(candidate.used(precision)) >= _FEWEST_ROWS_OF_PRECISION:
            return candidate
    most = max(len(candidate.used(precision)) for candidate in named)
    return NoBasis(
        f"{runtime} has {most} usable {precision} row{'s' if most != 1 else ''} on {device.name}, too few to fit "
        f"({FEWEST_ROWS} of the runtime, {_FEWEST_ROWS_OF_PRECISION} of the precision); measure on the device"
    )


def interval(fitted: Fit, log_sd: float, coverage: float) -> float:
    """The factor to divide and multiply a mean by, so that `coverage` of the truth lies between."""
    return math.exp(two_sided_quantile(coverage, degrees_of_freedom(fitted)) * log_sd)


def doubts(fitted: Fit, model: ReferenceModel) -> tuple[float, tuple[str, ...]]:
    """What the rows cannot vouch for in `model`: the doubt it adds in log, and each in words."""
    references = [reference_model(name) for name in fitted.models]
    seen = [_macs(reference) for reference in references]
    macs = _macs(model)
    variance, notes = 0.0, []
    outside = max(math.log(min(seen) / macs), math.log(macs / max(seen)), 0.0)
    if outside > 0.05:
        variance += (_RANGE_SD * outside) ** 2
        notes.append(
            f"{macs / 1e6:.0f}M multiply-adds lie outside the rows' {min(seen) / 1e6:.0f}M to {max(seen) / 1e6:.0f}M"
        )
    if _gated(model) and not any(_gated(reference) for reference in references):
        variance += _UNSEEN_SD**2
        notes.append("no row has squeeze-and-excitation or swish: their cost is taken from the hardware alone")
    return math.sqrt(variance), tuple(notes)


def _estimated(
    device: Device, fitted: Fit, ratio: Ratio | None, model: ReferenceModel, threads: int, coverage: float
) -> Estimate:
    extra, notes = doubts(fitted, model)
    notes = (*_about_rows(device, fitted, ratio), *notes)
    if all(row.threads != threads for row in fitted.rows):
        notes = (*notes, f"no row at {threads} threads: between those of fewer and of more")
    sources = {fitted.device.source(row.source): None for row in fitted.rows}
    scale = 1.0
    if ratio:
        extra = math.sqrt(extra**2 + ratio.log_sd**2 + RUNTIME_SD**2)
        scale = ratio.ratio
        sources |= dict.fromkeys(ratio.sources)
    prediction = predict(fitted, model, threads, extra)
    factor = interval(fitted, prediction.log_sd, coverage)
    mean = prediction.ms * scale
    p90, p90_source = _spread(device)
    return Estimate(
        mean_ms=mean,
        low_ms=mean / factor,
        high_ms=mean * factor,
        coverage=coverage,
        runtime=fitted.runtime.name,
        runtime_version=fitted.runtime.version,
        precision=fitted.precision,
        threads=threads,
        clock=fitted.runtime.clock if ratio is None else f"{device.clock_ghz} GHz",
        rows=len(fitted.rows),
        sources=tuple(sources),
        notes=notes,
        p90_over_mean=p90,
        p90_source=p90_source,
        device=device.name,
        published=not fitted.runtime.measured,
    )


def _about_rows(device: Device, fitted: Fit, ratio: Ratio | None) -> tuple[str, ...]:
    notes = []
    if ratio:
        notes.append(
            f"no {fitted.runtime.name} row on {device.name}: the fit of {ratio.other.name} times {ratio.ratio:.2f}, "
            f"the ratio of both under {ratio.runtime} ({len(ratio.models)} models)"
        )
    references = [reference_model(name) for name in fitted.models]
    if not any(_is_efficientnet(reference) for reference in references):
        notes.append(
            f"no EfficientNet classifier was published for {fitted.device.name} under {fitted.runtime.label}; "
            f"fitted on {', '.join(fitted.models)}"
        )
    if fitted.runtime.note:
        notes.append(fitted.runtime.note)
    return tuple(notes)


def _spread(device: Device) -> tuple[float, str]:
    from edgeffnet.devices.percentile import ASSUMED

    spread = device.spread or ASSUMED
    return spread.p90_over_mean, spread.source


@lru_cache(maxsize=256)
def _model_of(architecture: Architecture) -> ReferenceModel:
    return ReferenceModel(architecture.name, "classifier", cost.operators(architecture))


def _macs(model: ReferenceModel) -> int:
    return sum(operator.macs for operator in model.operators)


def _gated(model: ReferenceModel) -> bool:
    """True with squeeze-and-excitation or swish inside (a detector's final sigmoid is neither)."""
    return any(operator.kind == "multiply" for operator in model.operators)


def _is_efficientnet(model: ReferenceModel) -> bool:
    return model.kind == "classifier" and not model.name.startswith("mobilenet")
