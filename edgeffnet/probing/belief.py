"""What is believed of every candidate's latency, and what a probe of one says of the others.

Latencies are normal in their logarithm around what was expected. One scale is common to all (a device
faster or slower than thought), one tilt too (large networks dearer or cheaper than thought), and each
candidate strays on its own. A measured candidate tells of the scale at once and of the tilt with the
next, so that few probes place a whole ladder.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

# A repeated measurement of one artefact, in another process, in log.
_MEASUREMENT_SD = 0.01


@dataclass(frozen=True)
class Doubt:
    """Standard deviations in log: of the common scale, of the tilt per factor e, of each candidate."""

    scale: float
    tilt: float
    each: float


# Of a fit to rows of the device itself, of one from the hardware's figures alone.
FITTED = Doubt(scale=0.10, tilt=0.03, each=0.025)
FROM_HARDWARE = Doubt(scale=0.70, tilt=0.08, each=0.03)


class Belief:
    """Expected latencies, in milliseconds, and what probes make of them."""

    def __init__(self, expected_ms: Sequence[float], doubt: Doubt) -> None:
        self._prior = np.log(np.asarray(expected_ms, float))
        lean = self._prior - self._prior.mean()
        self._covariance = (
            doubt.scale**2 + doubt.tilt**2 * np.outer(lean, lean) + doubt.each**2 * np.eye(len(self._prior))
        )
        self._measured: dict[int, float] = {}

    def learn(self, index: int, ms: float) -> None:
        """Takes in that candidate `index` was measured at `ms`; a second time replaces the first."""
        self._measured[index] = math.log(ms)

    def at(self, index: int) -> tuple[float, float]:
        """The median in milliseconds of what is believed of a candidate, and its deviation in log."""
        if not self._measured:
            return math.exp(self._prior[index]), math.sqrt(self._covariance[index, index])
        known = list(self._measured)
        told = np.array([self._measured[one] - self._prior[one] for one in known])
        among = self._covariance[np.ix_(known, known)] + _MEASUREMENT_SD**2 * np.eye(len(known))
        gain = np.linalg.solve(among, self._covariance[known, index])
        variance = self._covariance[index, index] - gain @ self._covariance[known, index]
        return math.exp(self._prior[index] + gain @ told), math.sqrt(max(float(variance), 1e-8))

    def fits(self, index: int, limit_ms: float) -> float:
        """The probability that a candidate is within `limit_ms`."""
        ms, deviation = self.at(index)
        return NormalDist(math.log(ms), deviation).cdf(math.log(limit_ms))
