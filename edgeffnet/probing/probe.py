"""A probe: the stand-in of a network, timed on the target for as long as it is in doubt."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from edgeffnet import stand_ins
from edgeffnet.architecture import Architecture
from edgeffnet.patience import Patience
from edgeffnet.stand_ins import Manner
from edgeffnet.targets.target import Progress, Target
from edgeffnet.timing import SECONDS_PER_MODEL, TOLERANCE, Latency, latencies

# Looks at the clock, each in a process of its own: (tolerance, seconds). The first is the shortest the protocol allows.
_LOOKS = ((1.0, 1.0), *((0.5 * TOLERANCE, 3.0),) * 3, (0.5 * TOLERANCE, SECONDS_PER_MODEL))
# A 95% interval is widened for being looked at again and again, and by what separates two processes.
_REPEATED_LOOKS = 1.5
_BETWEEN_PROCESSES = 0.03
# What others compute makes a whole look slower, never faster: by up to this, as on a core that two threads share.
_SLOWED = 1.4


@dataclass(frozen=True)
class Probe:
    """A network's int8 `.tflite` with random weights, measured against `limit_ms`.

    `latency` is the last look's, but for the percentile, which is the median of all looks: one that was
    disturbed does not move it. `certain` is False where the limit lay within the error to the end.
    """

    architecture: Architecture
    limit_ms: float
    certain: bool
    latency: Latency
    bytes: int

    @property
    def ms(self) -> float:
        return self.latency.value_ms

    @property
    def fits(self) -> bool:
        return self.ms <= self.limit_ms

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.architecture.name,
            "phi": self.architecture.phi,
            "fits": self.fits,
            "certain": self.certain,
            "latency": self.latency.to_dict(),
        }


def probe(
    architecture: Architecture,
    manner: Manner,
    target: Target,
    *,
    limit_ms: float,
    threads: int | None,
    percentile: float,
    thoroughly: bool = False,
    patience: Patience | None = None,
    progress: Progress | None = None,
) -> Probe:
    """Makes the stand-in, or takes it from the cache, and measures until it is clear of the limit.

    `thoroughly` skips the short looks; looks that others disturbed are taken again within `patience`.
    Raises ArtifactError and TargetError.
    """
    artifact = stand_ins.make(architecture, manner)["int8"]
    preprocessing, image = stand_ins.contract(architecture, manner)
    patience = patience or Patience()

    def look(tolerance: float, seconds: float) -> Latency:
        found = patience.timed(
            lambda: latencies(
                [artifact],
                target,
                preprocessing,
                image,
                threads=threads,
                percentile=percentile,
                tolerance=tolerance,
                seconds=seconds,
                pace_ms=patience.pace_ms,
                progress=progress,
            )
        )
        return found[artifact]

    looks, certain = sequential(look, limit_ms, _LOOKS[1:] if thoroughly else _LOOKS)
    return Probe(architecture, limit_ms, certain, _pooled(looks), artifact.bytes)


def sequential(
    look: Callable[[float, float], Latency], limit_ms: float, plan: tuple[tuple[float, float], ...]
) -> tuple[list[Latency], bool]:
    """The looks taken, and whether what they say together leaves the limit out.

    One look is enough to say that a network is within the limit, or that it is far from it.
    """
    looks: list[Latency] = []
    for tolerance, seconds in plan:
        looks.append(look(tolerance, seconds))
        together = _pooled(looks)
        apart = median(abs(found.value_ms - together.value_ms) for found in looks)
        margin = max(_BETWEEN_PROCESSES * together.value_ms / math.sqrt(len(looks)), apart)
        high = together.value_ms + _REPEATED_LOOKS * (together.high_ms - together.value_ms) + margin
        low = together.value_ms - _REPEATED_LOOKS * (together.value_ms - together.low_ms) - margin
        alone_too_slow = len(looks) == 1 and limit_ms < together.value_ms <= _SLOWED * limit_ms
        if not low <= limit_ms <= high and not alone_too_slow:
            return looks, True
    return looks, False


def _pooled(looks: Sequence[Latency]) -> Latency:
    """The last look with the median of all for its percentile; the interval is half as wide after four looks."""
    value = median(latency.value_ms for latency in looks)
    share = 1 / math.sqrt(len(looks))
    below = share * median(latency.value_ms - latency.low_ms for latency in looks)
    above = share * median(latency.high_ms - latency.value_ms for latency in looks)
    runs = sum(latency.runs for latency in looks)
    return replace(looks[-1], value_ms=value, low_ms=value - below, high_ms=value + above, runs=runs)
