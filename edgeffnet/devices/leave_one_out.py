"""How well a fit predicts a model it has not seen: each model's rows left out in turn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean, median

from edgeffnet.devices.fitting import fit, predict
from edgeffnet.devices.latency import doubts, interval
from edgeffnet.devices.profile import Device, Row, Runtime
from edgeffnet.devices.reference_models import reference_model


@dataclass(frozen=True)
class HeldOut:
    """A row, and what a fit made without any row of its model says about it."""

    row: Row
    predicted_ms: float
    low_ms: float
    high_ms: float
    kind: str = "estimated"

    @property
    def error(self) -> float:
        """Predicted over measured, minus 1."""
        return self.predicted_ms / self.row.ms - 1

    @property
    def covered(self) -> bool:
        return self.low_ms <= self.row.ms <= self.high_ms

    @property
    def half_width(self) -> float:
        """Half the interval over the prediction."""
        return (self.high_ms - self.low_ms) / 2 / self.predicted_ms


@dataclass(frozen=True)
class Score:
    """Of `rows` left-out rows: mean absolute error, share covered, median half-width."""

    rows: int
    error: float
    covered: float
    half_width: float


@lru_cache(maxsize=64)
def leave_one_model_out(device: Device, runtime: Runtime, precision: str, coverage: float = 0.9) -> tuple[HeldOut, ...]:
    """Every used row of `precision`, predicted from the rows of the other models.

    Empty where there are fewer than two models: then nothing can be held out.
    """
    rows = runtime.used(precision)
    models = dict.fromkeys(row.model for row in rows)
    if len(models) < 2:
        return ()
    return tuple(
        _held_out(device, runtime, precision, row, coverage) for model in models for row in rows if row.model == model
    )


def score(held_out: tuple[HeldOut, ...]) -> Score:
    """The score over `held_out`; not a number throughout where it is empty."""
    if not held_out:
        return Score(0, math.nan, math.nan, math.nan)
    return Score(
        rows=len(held_out),
        error=fmean(abs(item.error) for item in held_out),
        covered=fmean(item.covered for item in held_out),
        half_width=median(item.half_width for item in held_out),
    )


def _held_out(device: Device, runtime: Runtime, precision: str, row: Row, coverage: float) -> HeldOut:
    fitted = fit(device, runtime.at(row.threads, precision), precision, row.model)
    model = reference_model(row.model)
    extra, _ = doubts(fitted, model)
    prediction = predict(fitted, model, row.threads, extra)
    factor = interval(fitted, prediction.log_sd, coverage)
    return HeldOut(row, prediction.ms, prediction.ms / factor, prediction.ms * factor)
