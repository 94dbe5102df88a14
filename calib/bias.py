"""Bias correction compared after the nonlinearity.

Nagel et al. 2019 (arXiv:1906.04721) set a layer's bias so that the mean of its output is right. Where
an activation follows, most of that mean can be of values it discards: far below zero a swish gives
nothing, whatever the error there, and a tail cut by the range is lost to any bias. So the shift sought
here is the one of least squared error after the activation and the cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from calib.calibration import Range
from calib.graph import Array

# Below this mean squared slope a channel's values hardly reach the next layer.
_CLOSED = 1e-4


@dataclass(frozen=True)
class Activation:
    """What follows a layer: bounds on its output, and for a swish the factor that restores its input.

    `restoring` is None where no swish follows, else one factor per channel: f(x) = x sigmoid(restoring x).
    """

    low: float = -np.inf
    high: float = np.inf
    restoring: Array | None = None

    def values(self, x: Array) -> Array:
        """f of the bounded `x` (samples, channels)."""
        held = np.clip(x, np.float32(self.low), np.float32(self.high))
        return held if self.restoring is None else np.asarray(held * _sigmoid(held * self.restoring))

    def slopes(self, x: Array) -> Array:
        """The derivative of `values`; 0 outside the bounds."""
        inside = ((x > self.low) & (x < self.high)).astype(np.float32)
        if self.restoring is None:
            return inside
        share = _sigmoid(x * self.restoring)
        return np.asarray(inside * (share + self.restoring * x * share * (1 - share)))

    def within(self, found: Range) -> Activation:
        """The same, cut to a range as well."""
        return Activation(max(self.low, found.low), min(self.high, found.high), self.restoring)


def correction(wanted: Array, got: Array, activation: Activation, rounds: int = 3) -> NDArray[np.float64]:
    """What to add to each channel of `got` (samples, channels) to come nearest `wanted` after `activation`.

    Both are a layer's outputs before its activation. 0 for channels the activation closes.
    """
    target = activation.values(wanted)
    shift = np.zeros(got.shape[1], np.float32)
    for _ in range(rounds):
        moved = got + shift
        slope = activation.slopes(moved)
        power = (slope**2).mean(axis=0)
        step = (slope * (target - activation.values(moved))).mean(axis=0) / np.maximum(power, _CLOSED)
        shift = shift + np.where(power > _CLOSED, step, 0).astype(np.float32)
    return shift.astype(np.float64)


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))))
