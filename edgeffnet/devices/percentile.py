"""From an estimated mean to a percentile, by a ratio that says where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from edgeffnet.devices.latency import Estimate
from edgeffnet.devices.profile import Spread
from edgeffnet.errors import UsageError

# Well above what was published for idle boards (1.01 to 1.15): a phone in use is not one.
ASSUMED = Spread(1.2, "assumed, not measured: no spread was published for this device")


@dataclass(frozen=True)
class PercentileEstimate:
    """An estimated percentile of single inferences, in milliseconds, with the mean's interval.

    `measured` tells whether `ratio` (percentile over mean) rests on measurements of the device.
    """

    percentile: float
    ms: float
    low_ms: float
    high_ms: float
    coverage: float
    ratio: float
    source: str
    measured: bool
    kind: Literal["estimated"] = "estimated"


def to_percentile(estimate: Estimate, percentile: float) -> PercentileEstimate:
    """`estimate` at a percentile from 50 to 99.

    The known ratio is that of the 90th; others keep its distance in normal quantiles, and the
    50th is the mean. UsageError outside that range: the tail was never published.
    """
    if not 50 <= percentile <= 99:
        raise UsageError(f"an estimate has percentiles from 50 to 99, not {percentile:g}")
    quantile = NormalDist().inv_cdf
    ratio = 1 + (estimate.p90_over_mean - 1) * quantile(percentile / 100) / quantile(0.9)
    return PercentileEstimate(
        percentile=percentile,
        ms=estimate.mean_ms * ratio,
        low_ms=estimate.low_ms * ratio,
        high_ms=estimate.high_ms * ratio,
        coverage=estimate.coverage,
        ratio=ratio,
        source=estimate.p90_source,
        measured=estimate.p90_source != ASSUMED.source,
    )
