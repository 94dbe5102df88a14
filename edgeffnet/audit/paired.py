"""Two models on the same images: what is decided by the images on which they differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from edgeffnet.statistics import Z95, Interval, share


@dataclass(frozen=True)
class Flips:
    """Images that only the reference has right (`worse`) and only int8 (`better`), with McNemar's exact p."""

    worse: int
    better: int

    @property
    def p(self) -> float:
        return mcnemar(self.worse, self.better)


def mcnemar(worse: int, better: int) -> float:
    """The two-sided exact p-value that as many or more images flip so unevenly by chance (McNemar 1947)."""
    flips, fewer = worse + better, min(worse, better)
    if flips == 0:
        return 1.0
    base = math.lgamma(flips + 1) - flips * math.log(2)
    tail = math.fsum(
        math.exp(base - math.lgamma(index + 1) - math.lgamma(flips - index + 1)) for index in range(fewer + 1)
    )
    return min(1.0, 2 * tail)


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for their number by Holm's step-down method (1979), in the order given."""
    made = [1.0] * len(values)
    least = 0.0
    for rank, index in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        least = max(least, min(1.0, (len(values) - rank) * values[index]))
        made[index] = least
    return made


def ratio(both: float, worse: float, better: float) -> Interval | None:
    """int8's accuracy over the reference's, with Bonett and Price's (2006) hybrid Wilson interval for pairs.

    `both` images are right in both models. None where the reference has none right.
    """
    if both + worse == 0:
        return None
    mine, theirs, union = both + better, both + worse, both + worse + better
    spread = math.sqrt((worse + better + 2) / ((mine + 1) * (theirs + 1)))
    apart = [math.sqrt((1 - (right + 1) / (union + 2)) / (right + 1)) for right in (mine, theirs)]
    z = Z95 * spread / sum(apart)
    ours, others = (share(right, union, z) for right in (mine, theirs))
    value = mine / theirs
    return Interval(value, min(value, ours.low / others.high), max(value, ours.high / others.low))
