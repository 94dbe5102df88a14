"""The fit: prices per unit of each feature, found from rows by Bayesian least squares in log time.

    time = sum over features of amount x price / speedup(threads)

A price starts from what the hardware says it should be (its prior) and moves as far as the rows
push it, so a fit from three rows stays sensible and one from thirty follows them. Because the
prices keep their uncertainty, a prediction far from the rows comes out less certain than one
among them. Rows of one model share an error of their own: four thread counts of one network are
not four independent witnesses.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import TYPE_CHECKING

from edgeffnet.devices.features import FEATURES, features
from edgeffnet.devices.profile import Device, Row, Runtime
from edgeffnet.devices.reference_models import ReferenceModel, reference_model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ELEMENT_BYTES = {"fp32": 4, "fp16": 2, "int8": 1}

# Spread of log time that no price explains: between models, and between rows of one model.
_MODEL_SD = 0.05
_ROW_SD = 0.03
# How far a prior may be off, in log: each price, the common scale, and the speedups.
_PRICE_SD = {
    "pointwise": 0.4,
    "depthwise3": 0.4,
    "depthwise5": 0.4,
    "convolution": 0.5,
    "output": 0.5,
    "activations": 0.5,
    "weights": 0.4,
    "elementwise": 0.5,
    "sigmoid": 0.5,
    "calls": 0.6,
    "selection": 0.6,
}
_SCALE_SD = 0.6
_SPEEDUP_SD = 0.2
_MEMORY_EXPONENT, _MEMORY_EXPONENT_SD = 0.4, 0.15
_COMPUTE_EXPONENT = 0.93
# What the spread above is worth in rows, when the rows' own residuals are weighed against it.
_PRIOR_ROWS = 8.0
_STEPS = 60


@dataclass(frozen=True)
class Fit:
    """Prices and how sure they are. `inflation` is how much wider than assumed the rows scatter."""

    device: Device
    runtime: Runtime
    precision: str
    rows: tuple[Row, ...]
    parameters: tuple[float, ...]
    prior: tuple[float, ...]
    thread_counts: tuple[int, ...]
    covariance: tuple[tuple[float, ...], ...]
    inflation: float

    @property
    def models(self) -> tuple[str, ...]:
        """The models of the rows, each once."""
        return tuple(dict.fromkeys(row.model for row in self.rows))


@dataclass(frozen=True)
class Prediction:
    """A mean in milliseconds and the standard deviation of its logarithm."""

    ms: float
    log_sd: float


def prior_prices(device: Device, precision: str) -> list[float]:
    """Milliseconds per unit of each feature, from the hardware alone.

    The efficiencies and cycle counts are the same for every device. They were chosen with the
    shipped rows in view; `benchmarks/latency_model.py --sensitivity` shows how little they matter.
    """
    cycle = 1 / (device.clock_ghz * 1e9)
    fp32, int8 = device.peak_fp32_gmacs * 1e9, device.peak_int8_gmacs * 1e9
    integer = precision == "int8"
    # A dot product's four-way sums are harder to keep fed than a plain multiply-add.
    efficiency = (0.5 if int8 > 3 * fp32 else 0.55) if integer else 0.6
    pointwise = 1 / (efficiency * (int8 if integer else fp32))
    # Depthwise has no four-way sums to make: it runs at the rate of plain lanes, 8-bit ones a bit faster.
    depthwise = 1 / ((0.4 if integer else 0.25) * fp32)
    byte = 1 / (device.bandwidth_gb_s * 1e9)
    # Passes over elements go as wide as the processor multiplies: four lanes at once is one unit.
    lane = cycle / (device.peak_fp32_gmacs / device.clock_ghz / 4)
    seconds = {
        "pointwise": pointwise,
        "depthwise3": depthwise,
        "depthwise5": 0.8 * depthwise,
        "convolution": pointwise / 0.6,
        "output": (2.0 if integer else 0.5) * cycle,
        "activations": byte,
        "weights": byte,
        "elementwise": (0.2 if integer else 0.35) * lane,
        "sigmoid": (0.7 if integer else 4.0) * lane,
        "calls": 22_000 * cycle,
        "selection": 10 * cycle,
    }
    return [1e3 * seconds[feature.name] for feature in FEATURES]


def prior_ms(device: Device, precision: str, model: ReferenceModel, threads: int) -> float:
    """The mean latency of `model` that the hardware alone suggests: right in proportion, often far off in scale."""
    import numpy as np

    # Results are clamped and stored as wide as the vectors are; where there are rows, a fit finds what that costs.
    lanes = device.peak_fp32_gmacs / device.clock_ghz / 4
    prices = [
        price / lanes if feature.name == "output" else price
        for feature, price in zip(FEATURES, prior_prices(device, precision), strict=True)
    ]
    parameters = np.array([*(math.log(price) for price in prices), 0.0, _MEMORY_EXPONENT])
    log_ms, _ = _log_time(parameters, np.array([_amounts(device, precision, model)]), [threads], ())
    return math.exp(float(log_ms[0]))


@lru_cache(maxsize=256)
def fit(device: Device, runtime: Runtime, precision: str, without: str = "") -> Fit:
    """The fit of `device` under `runtime` at `precision`, from its used rows.

    `without` leaves every row of one model out, so that it can be judged. The runtime must have
    at least one row left.
    """
    import numpy as np

    rows = tuple(row for row in runtime.used(precision) if row.model != without)
    counts = tuple(sorted({row.threads for row in rows if row.threads > 1}))
    prior = [math.log(price) for price in prior_prices(device, precision)]
    prior += [0.0] + [0.0] * len(counts) + [_MEMORY_EXPONENT]
    spread = [_PRICE_SD[feature.name] for feature in FEATURES]
    spread += [_SCALE_SD] + [_SPEEDUP_SD] * len(counts) + [_MEMORY_EXPONENT_SD]

    amounts = np.array([_amounts(device, precision, reference_model(row.model)) for row in rows])
    threads = [row.threads for row in rows]
    measured = np.log([row.ms for row in rows])
    same = np.array([[a.model == b.model for b in rows] for a in rows], dtype=float)
    weight = np.linalg.inv(_ROW_SD**2 * np.eye(len(rows)) + _MODEL_SD**2 * same)
    start = np.array(prior)
    tightness = np.diag(1 / np.array(spread) ** 2)

    parameters = start.copy()
    for _ in range(_STEPS):
        predicted, slope = _log_time(parameters, amounts, threads, counts)
        curvature = slope.T @ weight @ slope + tightness
        step = np.linalg.solve(curvature, slope.T @ weight @ (measured - predicted) - tightness @ (parameters - start))
        parameters = parameters + np.clip(step, -0.5, 0.5)
        if float(np.abs(step).max()) < 1e-7:
            break
    predicted, slope = _log_time(parameters, amounts, threads, counts)
    residual, shift = measured - predicted, parameters - start
    misfit = float(residual @ weight @ residual + shift @ tightness @ shift)
    covariance = np.linalg.inv(slope.T @ weight @ slope + tightness)
    return Fit(
        device=device,
        runtime=runtime,
        precision=precision,
        rows=rows,
        parameters=tuple(float(value) for value in parameters),
        prior=tuple(prior),
        thread_counts=counts,
        covariance=tuple(tuple(float(value) for value in line) for line in covariance),
        inflation=max(1.0, math.sqrt((_PRIOR_ROWS + misfit) / (_PRIOR_ROWS + len(rows)))),
    )


def predict(fitted: Fit, model: ReferenceModel, threads: int, extra_sd: float = 0.0) -> Prediction:
    """The mean latency of `model`, and how sure the fit is of it.

    `extra_sd` adds a doubt of its own, in log, to what the rows leave open.
    """
    import numpy as np

    amounts = np.array([_amounts(fitted.device, fitted.precision, model)])
    log_ms, slope = _log_time(np.array(fitted.parameters), amounts, [threads], fitted.thread_counts)
    open_variance = float(slope[0] @ np.array(fitted.covariance) @ slope[0]) + _MODEL_SD**2 + _ROW_SD**2
    return Prediction(math.exp(float(log_ms[0])), math.sqrt(open_variance * fitted.inflation**2 + extra_sd**2))


def two_sided_quantile(coverage: float, freedom: float) -> float:
    """How many standard deviations each side of Student's t hold `coverage`, to about 1%."""
    z = NormalDist().inv_cdf((1 + coverage) / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return z + sum(term / freedom**power for power, term in enumerate(terms, start=1))


def degrees_of_freedom(fitted: Fit) -> float:
    """Models seen, and what the assumed spread is worth."""
    return _PRIOR_ROWS + len(fitted.models)


def compute_speedup(parameters: Sequence[float], counts: tuple[int, ...], threads: int) -> float:
    """How many times faster than on one thread the computing (not the memory) part of a fit is."""
    deviations = parameters[len(FEATURES) + 1 :]
    shares = _thread_shares(threads, counts)
    deviation = sum(share * value for share, value in zip(shares, deviations, strict=False))
    return math.exp(_COMPUTE_EXPONENT * math.log(threads) + deviation)


def _thread_shares(threads: int, counts: tuple[int, ...]) -> list[float]:
    """How much of each count's deviation applies at `threads`: between two counts, part of both."""
    below = max((count for count in (1, *counts) if count <= threads), default=1)
    above = min((count for count in counts if count >= threads), default=below)
    share = math.log(threads / below) / math.log(above / below) if above > below else 0.0
    return [share if count == above > below else 1 - share if count == below else 0.0 for count in counts]


@lru_cache(maxsize=512)
def _amounts_of(model: ReferenceModel, element_bytes: int, cache_bytes: int) -> tuple[float, ...]:
    return tuple(
        features(model.operators, element_bytes=element_bytes, cache_bytes=cache_bytes, scores=model.post_elements)
    )


def _amounts(device: Device, precision: str, model: ReferenceModel) -> tuple[float, ...]:
    return _amounts_of(model, ELEMENT_BYTES[precision], device.cache_kib * 1024)


def _log_time(
    parameters: Array, amounts: Array, threads: Sequence[int], counts: tuple[int, ...]
) -> tuple[Array, Array]:
    """Log milliseconds of each line of `amounts`, and their derivatives by the parameters.

    Parameters: log price of each feature; common scale; for each of `counts`, how much better or
    worse than expected computing speeds up; the exponent with which memory does.
    """
    import numpy as np

    size = len(FEATURES)
    computes = np.array([feature.scaling == "compute" for feature in FEATURES], dtype=float)
    moves = np.array([feature.scaling == "memory" for feature in FEATURES], dtype=float)
    log_threads = np.log(np.array(threads, dtype=float))
    shares_of_count = np.array([_thread_shares(count, counts) for count in threads]).reshape(len(threads), len(counts))
    speedup = _COMPUTE_EXPONENT * log_threads + shares_of_count @ parameters[size + 1 : size + 1 + len(counts)]
    exponent = parameters[size + 1 + len(counts)]
    log_prices = parameters[:size] + parameters[size]
    parts = amounts * np.exp(log_prices - np.outer(speedup, computes) - np.outer(exponent * log_threads, moves))
    total = parts.sum(axis=1)
    shares = parts / total[:, None]
    slope = np.zeros((len(threads), len(parameters)))
    slope[:, :size] = shares
    slope[:, size] = 1.0
    slope[:, size + 1 : size + 1 + len(counts)] = -(shares @ computes)[:, None] * shares_of_count
    slope[:, -1] = -(shares @ moves) * log_threads
    return np.log(total), slope
