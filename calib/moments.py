"""Moments of a layer's inputs and outputs over samples: what least squares and rounding look at.

Inputs are (samples, weights), or (rows, samples, weights) where each row of the kernel reads its own
channel (depthwise); outputs are (samples, rows).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib.graph import Array

# What an output counts that its activation discards: a little, so that no row is without weight.
_DISCARDED = 0.01


def importance(slopes: Array) -> Array:
    """How much an error of each output matters, by the slope of the activation it meets."""
    return np.asarray(slopes**2 + np.float32(_DISCARDED))


def second(inputs: Array, weight: Array) -> NDArray[np.float64]:
    """Second moments of `inputs`; samples count by `weight` (samples, rows) where rows have their own."""
    left = inputs if inputs.ndim == 2 else inputs * weight.T[:, :, None]
    return np.asarray(np.swapaxes(left, -1, -2) @ inputs / np.float32(inputs.shape[-2]), np.float64)


def cross(residual: Array, inputs: Array, weight: Array) -> NDArray[np.float64]:
    """Moments of `residual` (samples, rows) with `inputs`, (rows, weights), weighted as `second` is."""
    if inputs.ndim == 2:
        return np.asarray(residual.T @ inputs / np.float32(len(inputs)), np.float64)
    weighted = (residual * weight).T
    return np.asarray((weighted[:, None, :] @ inputs)[:, 0] / np.float32(inputs.shape[1]), np.float64)


def diagonal(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrices with `values` (..., n) on their diagonals."""
    return np.asarray(values[..., :, None] * np.eye(values.shape[-1]))
