"""Scaling rules: phi -> width, depth and resolution.

`compound` is the paper's. Below the base network it is known to be poor: TinyNet (Han et al. 2020,
"Model Rubik's Cube") found resolution and depth to matter more than width there. `tinynet` passes
through that paper's five networks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from edgeffnet.errors import UsageError

BASE_RESOLUTION = 224


@dataclass(frozen=True)
class Coefficients:
    """Multipliers of the base network's width and depth, and the input size in pixels."""

    width: float
    depth: float
    resolution: int


class Rule(Protocol):
    """What `scaling.architecture_at` asks of a rule."""

    @property
    def name(self) -> str:
        """What reports call the rule, its constants included where they are not the published ones."""

    @property
    def shrinking(self) -> bool:
        """Whether networks below phi 0 follow TinyNet's rounding (see `scaling.scale`)."""

    def coefficients(self, phi: float) -> Coefficients:
        """The coefficients at `phi`; UsageError where the rule says nothing about it."""


@dataclass(frozen=True)
class CompoundRule:
    """depth = alpha^phi, width = beta^phi, resolution = 224 gamma^phi, alpha beta^2 gamma^2 ~ 2 (equation 3).

    UsageError for a constant below 1: the paper excludes it, and networks would shrink as phi grows.
    """

    alpha: float = 1.2
    beta: float = 1.1
    gamma: float = 1.15

    shrinking = False

    def __post_init__(self) -> None:
        for constant in ("alpha", "beta", "gamma"):
            value = getattr(self, constant)
            if not (math.isfinite(value) and value >= 1):
                raise UsageError(f"{constant} is {value}; compound scaling needs a finite number of at least 1")

    @property
    def name(self) -> str:
        if (self.alpha, self.beta, self.gamma) == (1.2, 1.1, 1.15):
            return "compound"
        return f"compound alpha={self.alpha:g} beta={self.beta:g} gamma={self.gamma:g}"

    def coefficients(self, phi: float) -> Coefficients:
        return Coefficients(
            width=self.beta**phi,
            depth=self.alpha**phi,
            resolution=round(BASE_RESOLUTION * self.gamma**phi),
        )


def _knot(mmacs: float, width: float, depth: float, resolution: int) -> tuple[float, Coefficients]:
    return math.log2(mmacs / 387), Coefficients(width, depth, resolution)


# TinyNet's networks: published multiply-adds in millions (B0: 387), then the three coefficients.
TINYNET_POINTS: dict[str, tuple[float, Coefficients]] = {
    "b0": (0.0, Coefficients(1.0, 1.0, BASE_RESOLUTION)),
    "a": _knot(339, 1.0, 1.2, 192),
    "b": _knot(202, 0.75, 1.1, 188),
    "c": _knot(100, 0.54, 0.85, 184),
    "d": _knot(52, 0.54, 0.695, 152),
    "e": _knot(24, 0.51, 0.6, 106),
}


@dataclass(frozen=True)
class TinyRule:
    """Through B0 and TinyNet-A..E, for phi <= 0; phi is log2 of multiply-adds relative to B0's.

    Each coefficient is interpolated geometrically (straight in its logarithm) between neighbouring
    points; below TinyNet-E (phi -4.0) the last segment is continued. Width, resolution and, from
    TinyNet-A (phi -0.19) down, depth shrink with phi. Between B0 and A depth grows from 1 to 1.2 as
    the published points do, so parameters do not shrink there.
    """

    name = "tinynet"
    shrinking = True

    def coefficients(self, phi: float) -> Coefficients:
        if phi > 0:
            raise UsageError(f"the tinynet rule is for phi <= 0, not {phi:g}; above, use the compound rule")
        segments = list(pairwise(TINYNET_POINTS.values()))
        (high, upper), (low, lower) = next((pair for pair in segments if phi >= pair[1][0]), segments[-1])
        share = (phi - high) / (low - high)
        return Coefficients(
            width=_between(upper.width, lower.width, share),
            depth=_between(upper.depth, lower.depth, share),
            resolution=round(_between(upper.resolution, lower.resolution, share)),
        )


def rule_named(name: str) -> Rule:
    """The rule called `name` with its published constants; UsageError lists the names."""
    rules: dict[str, Rule] = {"compound": CompoundRule(), "tinynet": TinyRule()}
    if name not in rules:
        raise UsageError(f"unknown scaling rule {name!r}; there are: {', '.join(rules)}")
    return rules[name]


def _between(upper: float, lower: float, share: float) -> float:
    if share in (0.0, 1.0):
        return lower if share else upper
    return float(upper * (lower / upper) ** share)
