"""Weight grids for machines that add two 8-bit products in 16 bits and saturate there.

x86 without VNNI multiplies unsigned activations by signed weights and adds neighbours along the input
channels (vpmaddubsw): two weights of one sign may reach 32767 / 255 = 128 steps together. Halving the
range of all weights is safe too, and gives up a bit of each; most channels never need it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from calib import rounding
from calib.graph import Layer

# Steps that two weights may reach together.
_ROOM = 128
# Steps of a pair before rounding, which may move each of the two by one.
_PAIR = 126
# Fewer input channels than the instruction takes at once are laid out otherwise: there, half the range.
_GROUP = 4


def steps(weights: NDArray[np.float64], kernel_shape: tuple[int, ...], layer: Layer) -> NDArray[np.float64]:
    """The step of each row of a layer's weights (`calib.patches.rows`), (rows, 1), at which no pair saturates.

    A depthwise layer has no pairs: its largest magnitude is 127 steps.
    """
    alone = rounding.scales(weights)
    if layer.kind == "depthwise":
        return alone
    inputs = kernel_shape[-1]
    if inputs < _GROUP:
        return 2 * alone
    return np.maximum(alone, _together(weights.reshape(len(weights), -1, inputs))[:, None] / _PAIR)


def can_saturate(whole: NDArray[np.int16]) -> bool:
    """Whether some pair of a kernel's 8-bit weights, (rows, taps, input channels), can exceed 16 bits."""
    if whole.shape[-1] < _GROUP:
        return bool(np.abs(whole).max(initial=0) > _ROOM // 2)
    return bool(_together(whole.astype(np.float64)).max(initial=0) > _ROOM)


def _together(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each row of (rows, taps, input channels), the most that two neighbours of one sign add up to."""
    if weights.shape[-1] % 2:
        weights = np.pad(weights, ((0, 0), (0, 0), (0, 1)))
    positive, negative = (np.maximum(sign * weights, 0) for sign in (1, -1))
    pairs = np.maximum(*(part[..., 0::2] + part[..., 1::2] for part in (positive, negative)))
    return np.asarray(pairs.reshape(len(weights), -1).max(axis=1))
