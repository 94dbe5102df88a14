"""Intervals for shares and paired differences, in closed form."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

# Deviations on each side of a 95% interval.
Z95 = 1.959964


@dataclass(frozen=True)
class Interval:
    """A figure with its two-sided 95% interval."""

    value: float
    low: float
    high: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def share(successes: float, trials: float, z: float = Z95) -> Interval:
    """Wilson's score interval (1927) of a share, `z` deviations to each side; `trials` > 0."""
    p, z2 = successes / trials, z * z
    centre = (p + z2 / (2 * trials)) / (1 + z2 / trials)
    half = z / (1 + z2 / trials) * math.sqrt(p * (1 - p) / trials + z2 / (4 * trials * trials))
    return Interval(p, max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half)))


def paired_difference(lost: float, gained: float, trials: float) -> Interval:
    """(lost - gained) / trials over pairs: Wald's interval with Agresti and Min's (2005) half counts.

    `lost` pairs were right before and wrong after, `gained` the reverse.
    """
    value = (lost - gained) / trials
    n, b, c = trials + 2, lost + 0.5, gained + 0.5
    centre = (b - c) / n
    half = Z95 * math.sqrt(max(0.0, b + c - (b - c) ** 2 / n)) / n
    return Interval(value, min(value, max(-1.0, centre - half)), max(value, min(1.0, centre + half)))
