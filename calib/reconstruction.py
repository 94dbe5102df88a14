"""Layer by layer: weights and biases that make the quantized network repeat the float one.

Both networks are walked side by side over the same images. At each layer, with the inputs the
quantized network really has there, three things are done, each on its own or together: the weights
are moved so as to undo upstream error (`calib.compensation`), rounded adaptively, and the bias is
set so that the mean output is right. Float targets are taken from inputs clipped to the range that
the grid holds: what a clipped tail loses is no bias.

Nagel et al. 2019 (arXiv:1906.04721) for the bias, Nagel et al. 2020 (arXiv:2004.10568) for layer-wise
reconstruction with the quantized network's own inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib import bias as biases
from calib import compensation, graph, moments, patches, rounding, saturation, simulation, swish, walk
from calib.bias import Activation
from calib.calibration import Range
from calib.graph import Array, Layer

# Samples per weight of a row below which their second moment is mostly noise.
ENOUGH = 4


@dataclass(frozen=True)
class Reconstruction:
    """What to do at each layer.

    At least `least` and up to `samples` outputs of it are looked at, more where its rows are longer.
    `per_tensor` rounds to one step per kernel, for NPUs without a scale per channel; `saturating` to steps
    at which pairs of products fit 16 bits (`calib.saturation`).
    """

    rounding: bool = True
    per_tensor: bool = False
    saturating: bool = False
    compensation: bool = True
    bias: bool = True
    least: int = 1024
    samples: int = 8192
    damping: float = 0.01


@dataclass(frozen=True)
class Change:
    """What a layer gained: its output's signal-to-noise before and after, in dB, on its samples.

    `step` (rows, 1) is that of the grid its weights lie on now.
    """

    layer: str
    before: float
    after: float
    step: NDArray[np.float64]


def reconstruct(
    model: Any,
    ranges: Mapping[str, Range],
    images: Array,
    how: Reconstruction,
    seed: int = 0,
    threads: int = 1,
    in_float: frozenset[str] = frozenset(),
) -> list[Change]:
    """Sets weights on their 8-bit grids and biases of `model` (float ModelT), in place.

    `ranges` are the activations' by tensor name; `images` float32 (n, h, w, 3). Layers that write a
    tensor named `in_float` keep their weights, and their inputs still bear upstream error, so their
    biases are set too. Deterministic for the same images in the same order.
    """
    import scipy.linalg  # noqa: F401 - its BLAS has to be there when it is held to one thread
    from threadpoolctl import threadpool_limits

    ranges = {name: found for name, found in ranges.items() if name not in in_float}
    main = model.subgraphs[0]
    layers = {layer.position: layer for layer in graph.layers(model)}
    ends = walk.last_uses(model)
    entry = int(main.inputs[0])
    exact: dict[int, Array] = {entry: images}
    rounded: dict[int, Array] = {entry: simulation.held(model, entry, images, ranges)}
    changes = []

    def in_the_float_network(position: int) -> tuple[Array, _Wanted | None]:
        operator = main.operators[position]
        reads = {int(i): exact[int(i)] for i in operator.inputs if int(i) in exact}
        made = walk.run_operator(model, operator, reads, threads)
        if position not in layers:
            return made, None
        layer = layers[position]
        return made, _wanted(model, layer, operator, exact[layer.source], made.shape, ranges, how, seed + position)

    # The float network is an operator ahead, on another core: a product's own threads would only be in its way, and
    # their number must not decide how a weight is rounded.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(1) as beside:
        ahead = beside.submit(in_the_float_network, 0)
        for position, operator in enumerate(main.operators):
            output = int(operator.outputs[0])
            exact[output], wanted = ahead.result()
            if position + 1 < len(main.operators):
                ahead = beside.submit(in_the_float_network, position + 1)
            reads = {int(index): rounded[int(index)] for index in operator.inputs if int(index) in rounded}
            if wanted is not None:
                changes.append(_settle(model, wanted, operator, reads, how, wanted.layer.name in in_float))
            rounded[output] = simulation.run(model, operator, reads, ranges, threads)
            for index in reads:
                if ends[index] == position:
                    del exact[index], rounded[index]
    return changes


@dataclass(frozen=True)
class _Wanted:
    """A layer as the float network has it, at its samples `at`: `outputs` (samples, channels), no activation."""

    layer: Layer
    activation: Activation
    kernel_shape: tuple[int, ...]
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    at: NDArray[np.int64]
    outputs: Array
    importance: Array


def _wanted(
    model: Any,
    layer: Layer,
    operator: Any,
    inputs: Array,
    output_shape: tuple[int, ...],
    ranges: Mapping[str, Range],
    how: Reconstruction,
    seed: int,
) -> _Wanted:
    kernel, bias = graph.constant(model, layer.kernel), graph.constant(model, layer.bias).astype(np.float64)
    weights = patches.rows(kernel, layer)
    at = patches.positions(output_shape, _samples(how, weights.shape[1]), seed)
    held = ranges.get(graph.tensor_name(model.subgraphs[0].tensors[layer.source]))
    sampled = patches.sample(inputs, layer, operator, kernel.shape, at, held)
    outputs = patches.outputs(weights, sampled) + bias.astype(np.float32)
    activation = _activation(model, layer, ranges)
    importance = moments.importance(activation.slopes(outputs))
    return _Wanted(layer, activation, kernel.shape, weights, bias, at, outputs, importance)


def _settle(
    model: Any, goal: _Wanted, operator: Any, rounded: Mapping[int, Array], how: Reconstruction, in_float: bool
) -> Change:
    layer, weights, bias, wanted, importance = goal.layer, goal.weights, goal.bias, goal.outputs, goal.importance
    inputs = patches.sample(rounded[layer.source], layer, operator, goal.kernel_shape, goal.at)
    step = _step(weights, goal.kernel_shape, layer, how)
    plain = rounding.nearest(weights, step) * step
    before = patches.outputs(plain, inputs) + bias.astype(np.float32)

    centred = inputs - inputs.mean(axis=-2, keepdims=True)
    target = wanted - wanted.mean(axis=0)
    second = moments.second(centred, importance)
    diagonal = np.einsum("...ii->...i", second)
    level = np.maximum(diagonal.mean(axis=-1)[..., None], 1e-12)
    size, enough = weights.shape[1], inputs.shape[-2] >= ENOUGH * weights.shape[1]
    shrink = how.damping if enough else min(1.0, 0.5 * size / inputs.shape[-2])
    moment = (1 - shrink) * second + shrink * moments.diagonal(diagonal + 1e-3 * level)
    if how.compensation and enough:
        residual = target - patches.outputs(weights, centred)
        weights = weights + compensation.correction(residual, centred, importance, goal.at[:, 0], second)
        step = _step(weights, goal.kernel_shape, layer, how)
    steps = rounding.adaptive(weights, step, moment) if how.rounding else rounding.nearest(weights, step)
    settled = weights if in_float else steps * step
    got = patches.outputs(settled, inputs)
    if how.bias:
        bias = bias + biases.correction(wanted, got + goal.bias.astype(np.float32), goal.activation)
    graph.set_constant(model, layer.kernel, patches.kernel_of(settled, layer, goal.kernel_shape))
    graph.set_constant(model, layer.bias, bias.astype(np.float32))
    after = got + bias.astype(np.float32)
    values = goal.activation.values
    before_db, after_db = (_decibels(values(wanted), values(x)) for x in (before, after))
    return Change(layer.name, before_db, after_db, step)


def row_steps(model: Any, *, per_tensor: bool) -> list[NDArray[np.float64]]:
    """The step of the grid that each layer's weights were settled on, (rows, 1), in the network's order."""
    how = Reconstruction(per_tensor=per_tensor)
    kernels = ((layer, graph.constant(model, layer.kernel)) for layer in graph.layers(model))
    return [_step(patches.rows(kernel, layer), kernel.shape, layer, how) for layer, kernel in kernels]


def _step(
    weights: NDArray[np.float64], kernel_shape: tuple[int, ...], layer: Layer, how: Reconstruction
) -> NDArray[np.float64]:
    """The grid's step of each row; with per-tensor weights the largest row's for all."""
    step = saturation.steps(weights, kernel_shape, layer) if how.saturating else rounding.scales(weights)
    return np.full_like(step, step[np.abs(weights).max(axis=1) > 0].max(initial=1e-12)) if how.per_tensor else step


def _samples(how: Reconstruction, size: int) -> int:
    """More weights to a row need more samples to tell them apart."""
    return min(how.samples, max(how.least, 8 * size))


def _activation(model: Any, layer: Layer, ranges: Mapping[str, Range]) -> Activation:
    """What follows `layer`: its fused bound or its swish, and the cut of its range."""
    made = Activation(*{"none": (-np.inf, np.inf), "relu": (0.0, np.inf), "relu6": (0.0, 6.0)}[layer.bound])
    for found in swish.swishes(model):
        if found.source == layer.output:
            made = Activation(restoring=swish.restoring_factors(model, found))
    return made.within(ranges[layer.name]) if layer.name in ranges else made


def _decibels(wanted: Array, got: Array) -> float:
    noise = float(((wanted - got) ** 2).sum())
    return float(10 * np.log10(max(float((wanted**2).sum()), 1e-30) / max(noise, 1e-30)))
