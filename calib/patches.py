"""A layer as a matrix product: samples of its inputs, its kernel, and what they give."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib.calibration import Range
from calib.graph import Layer

Array = NDArray[np.float64]
Samples = NDArray[np.float32]


def rows(kernel: NDArray[np.float32], layer: Layer) -> Array:
    """The kernel as (output channels, weights of each)."""
    if layer.kind == "depthwise":
        return kernel.reshape(-1, kernel.shape[-1]).T.astype(np.float64)
    return kernel.reshape(kernel.shape[0], -1).astype(np.float64)


def kernel_of(weights: Array, layer: Layer, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """The inverse of `rows`."""
    flat = weights.T if layer.kind == "depthwise" else weights
    return np.ascontiguousarray(flat.reshape(shape), np.float32)


def positions(output_shape: tuple[int, ...], wanted: int, seed: int) -> NDArray[np.int64]:
    """Up to `wanted` places (image, row, column) of a layer's output, at random but reproducible."""
    images, height, width = output_shape[0], *(output_shape[1:3] if len(output_shape) == 4 else (1, 1))
    total = images * height * width
    flat = np.arange(total)
    if total > wanted:
        flat = np.sort(np.random.default_rng(seed).choice(total, wanted, replace=False))
    return np.stack(np.unravel_index(flat, (images, height, width)), axis=1)


def sample(
    values: NDArray[np.float32],
    layer: Layer,
    operator: Any,
    kernel_shape: tuple[int, ...],
    at: Any,
    within: Range | None = None,
) -> Samples:
    """The inputs that make the outputs at `at`: (samples, weights), or (channels, samples, weights).

    `values` is the layer's whole input, NHWC (NC for a dense layer), cut to what lies `within`; padding is
    zeros, as the operator's options say.
    """

    def cut(taken: NDArray[np.float32]) -> NDArray[np.float32]:
        return taken if within is None else np.clip(taken, within.low, within.high)

    if layer.kind == "dense":
        return np.asarray(cut(values[at[:, 0]].reshape(len(at), -1)))
    options = operator.builtinOptions
    height, width = kernel_shape[1:3]
    dilation = (getattr(options, "dilationHFactor", 1) or 1, getattr(options, "dilationWFactor", 1) or 1)
    taps = []
    starts = []
    for axis, size, stride, reach in (
        (1, height, options.strideH, dilation[0]),
        (2, width, options.strideW, dilation[1]),
    ):
        span = (size - 1) * reach + 1
        out = -(-values.shape[axis] // stride)
        padding = max((out - 1) * stride + span - values.shape[axis], 0) // 2 if options.padding == 0 else 0
        starts.append(at[:, axis] * stride - padding)
    for row in range(height):
        for column in range(width):
            y, x = starts[0] + row * dilation[0], starts[1] + column * dilation[1]
            inside = (y >= 0) & (y < values.shape[1]) & (x >= 0) & (x < values.shape[2])
            tap = cut(values[at[:, 0], np.clip(y, 0, values.shape[1] - 1), np.clip(x, 0, values.shape[2] - 1)])
            tap[~inside] = 0
            taps.append(tap)
    if len(taps) == 1 and layer.kind != "depthwise":
        return np.ascontiguousarray(taps[0])
    stacked = np.stack(taps, axis=1)  # samples, taps, channels
    if layer.kind == "depthwise":
        return np.ascontiguousarray(stacked.transpose(2, 0, 1))
    return np.asarray(stacked.reshape(len(at), -1))


def outputs(weights: Array, inputs: Samples) -> Samples:
    """What `weights` (rows, weights) make of sampled `inputs`, (samples, rows), no bias."""
    single = weights.astype(np.float32)
    if inputs.ndim == 2:
        return np.asarray(inputs @ single.T)
    return np.asarray((inputs @ single[:, :, None])[..., 0].T)
