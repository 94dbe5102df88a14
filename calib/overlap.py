"""Copies of an image found by content: re-encoded, resized or lightly cropped, whatever their names.

A difference hash over a small grey thumbnail survives compression and scaling; what it finds is
confirmed on the thumbnails themselves, for smooth pictures share hashes by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE = 16
# Of 240 bits. A copy at a third of the size moves up to 45; unrelated photographs differ by about half.
_HASH_DISTANCE = 50
# A copy at a third of the size keeps .969, at 3/4 .975; unrelated photographs with hashes so near reach .73 to .89.
_CORRELATION = 0.95


@dataclass(frozen=True)
class Fingerprint:
    """240 bits of a difference hash and the standardised 16 x 16 thumbnail they come from."""

    bits: NDArray[np.bool_]
    thumbnail: NDArray[np.float32]


def fingerprint(pixels: NDArray[np.uint8]) -> Fingerprint:
    """Of an image as uint8 (h, w, 3), at any size."""
    grey = Image.fromarray(pixels).convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX)
    values = np.asarray(grey, np.float32)
    spread = max(float(values.std()), 1e-3)
    return Fingerprint(values[:, 1:] > values[:, :-1], (values - values.mean()) / spread)


def copies(calibration: Sequence[Fingerprint], validation: Sequence[Fingerprint]) -> list[tuple[int, int]]:
    """Pairs (index in calibration, index in validation) that show the same picture."""
    if not calibration or not validation:
        return []
    ours, theirs = (np.stack([one.bits.reshape(-1) for one in side]) for side in (calibration, validation))
    signed, other = 2.0 * ours - 1, 2.0 * theirs - 1
    distance = (ours.shape[1] - signed @ other.T) / 2
    found = []
    for first, second in np.argwhere(distance <= _HASH_DISTANCE):
        correlation = (calibration[first].thumbnail * validation[second].thumbnail).mean()
        if correlation >= _CORRELATION:
            found.append((int(first), int(second)))
    return found
