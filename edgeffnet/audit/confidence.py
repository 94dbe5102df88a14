"""Whether a model is right as often as it says: expected calibration error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BINS = 15


def calibration_error(probabilities: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """Guo et al.'s (2017) expected calibration error over 15 bins of equal width, 0 to 1.

    `probabilities` are those of each image's best class, `right` whether that class is the label.
    """
    bins = np.clip(np.ceil(probabilities.astype(np.float64) * BINS).astype(np.int64) - 1, 0, BINS - 1)
    said = np.bincount(bins, probabilities, BINS)
    found = np.bincount(bins, right, BINS)
    return float(np.abs(said - found).sum() / len(probabilities))
