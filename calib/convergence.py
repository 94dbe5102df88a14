"""Whether more calibration images would still move the ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from calib import choice
from calib.choice import MethodName
from calib.statistics import Statistics


@dataclass(frozen=True)
class Convergence:
    """The tensor whose range differs most between two halves of the images, and by what share of it."""

    tensor: str
    movement: float
    typical: float

    def said(self) -> str:
        """In words."""
        return (
            f"between two halves of the images the typical range moves by {self.typical:.1%}, {self.tensor} most, by "
            f"{self.movement:.0%}: {'more images would change little' if self.settled else 'more images would help'}"
        )

    @property
    def settled(self) -> bool:
        """Whether the typical range moves by less than two steps of its 8-bit grid."""
        return self.typical < 2 / 255


def of(model: Any, seen: Statistics, method: MethodName) -> Convergence | None:
    """The convergence of ranges by `method` over all of `seen`'s images; None for a single image."""
    return compare(model, *seen.halves, method) if seen.halves else None


def compare(model: Any, first: Statistics, second: Statistics, method: MethodName = "mse") -> Convergence:
    """How far ranges chosen on two disjoint sets of images lie apart: by that much, halved, more would move them.

    `movement` and `typical` (the median) are the larger end's difference over the range's span.
    """
    one, other = (choice.choose(model, seen, method) for seen in (first, second))
    moved = {}
    for name, found in one.items():
        span = max(found.high - found.low, other[name].high - other[name].low, 1e-12)
        moved[name] = max(abs(found.low - other[name].low), abs(found.high - other[name].high)) / span
    worst = max(sorted(moved), key=lambda name: moved[name])
    return Convergence(worst, moved[worst], sorted(moved.values())[len(moved) // 2])
