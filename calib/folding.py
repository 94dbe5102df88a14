"""Batch-norm folding (Jacob et al. 2018, section 3.2): a convolution and its batch-norm as one convolution."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def fold_batch_norm(
    kernel: Array, gamma: Array, beta: Array, mean: Array, variance: Array, epsilon: float, channel_axis: int
) -> tuple[Array, Array]:
    """(kernel, bias), float32, of the convolution that equals `kernel` without bias then batch-norm.

    `channel_axis` is the kernel's output-channel axis. Computed in double precision: the folded
    weights are what every quantizer rounds.
    """
    factor = gamma.astype(np.float64) / np.sqrt(variance.astype(np.float64) + epsilon)
    shape = [1] * kernel.ndim
    shape[channel_axis] = -1
    folded = kernel.astype(np.float64) * factor.reshape(shape)
    bias = beta.astype(np.float64) - mean.astype(np.float64) * factor
    return folded.astype(np.float32), bias.astype(np.float32)
