"""Statistics -> the range of every activation, each chosen for the error it causes where it is read."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from calib import graph, ranges, swish
from calib.calibration import Range
from calib.errors import CalibrationError
from calib.statistics import Activation, Statistics

MethodName = Literal["min/max", "percentile", "mse", "entropy", "moving average", "least error"]
METHODS: tuple[MethodName, ...] = ("min/max", "percentile", "mse", "entropy", "moving average", "least error")

# A sigmoid's 8-bit grid is fixed by the TensorFlow Lite specification.
_SIGMOID = Range(0.0, 255 / 256)
# Operators whose output keeps the grid of what they read.
_SAME_GRID = ("PAD", "PADV2", "RESHAPE", "MAX_POOL_2D")


def choose(model: Any, statistics: Statistics, method: MethodName) -> dict[str, Range]:
    """A range for every float activation of `model` (ModelT) by tensor name, softmax excepted.

    Tensors before a swish are judged by the error after it. "least error" tries every method on each
    tensor. Logits keep their highest value whatever the method: the ranking is decided there, and a
    clipped top ties. Raises CalibrationError for an unknown method.
    """
    if method not in METHODS:
        raise CalibrationError(f"unknown range method {method!r}; there are: {', '.join(METHODS)}")
    main = model.subgraphs[0]
    found: dict[str, Range] = {}
    for index in main.inputs:
        name = graph.tensor_name(main.tensors[index])
        seen = statistics.activations[name]
        found[name] = Range(min(seen.low, 0.0), max(seen.high, 0.0))
    logits, kept = _logits(model), same_grid(model)
    for operator in main.operators:
        output = int(operator.outputs[0])
        name, kind = graph.tensor_name(main.tensors[output]), graph.operator_name(model, operator)
        if kind == "SOFTMAX":
            continue
        if kind == "LOGISTIC":
            found[name] = _SIGMOID
        elif name in kept:
            found[name] = found[kept[name]]
        else:
            found[name] = of_activation(statistics.activations[name], method)
        if output == logits:
            found[name] = Range(found[name].low, max(statistics.activations[name].high, 0.0))
    return found


def same_grid(model: Any) -> dict[str, str]:
    """The tensors that keep the grid of one that is read, by name, each after the one whose grid it keeps."""
    main = model.subgraphs[0]
    return {
        graph.tensor_name(main.tensors[operator.outputs[0]]): graph.tensor_name(main.tensors[operator.inputs[0]])
        for operator in main.operators
        if graph.operator_name(model, operator) in _SAME_GRID
    }


def of_activation(seen: Activation, method: MethodName) -> Range:
    """The range `method` gives one activation, holding zero."""
    low, high = min(seen.low, 0.0), max(seen.high, 0.0)
    judged = seen.histogram if seen.weighted is None else seen.weighted
    if method == "min/max":
        return Range(low, high)
    if method == "moving average":
        return Range(min(seen.mean_low, 0.0), max(seen.mean_high, 0.0))
    if method == "percentile":
        return ranges.percentile(seen.histogram, low, high)
    if method == "mse":
        return ranges.mse(judged, low, high)
    if method == "entropy":
        return ranges.entropy(judged, low, high)
    every = [of_activation(seen, other) for other in METHODS if other != "least error"]
    errors = ranges.error(judged, np.array([one.low for one in every]), np.array([one.high for one in every]))
    return every[int(np.argmin(errors))]


def _logits(model: Any) -> int | None:
    """The tensor a final softmax reads, or else the output of a final dense layer."""
    main = model.subgraphs[0]
    last = main.operators[-1]
    kind = graph.operator_name(model, last)
    if kind == "SOFTMAX":
        return int(last.inputs[0])
    return int(last.outputs[0]) if kind == "FULLY_CONNECTED" else None


def judged_by_swish(model: Any) -> frozenset[str]:
    """Names of the tensors whose range is chosen by the error after a swish."""
    tensors = model.subgraphs[0].tensors
    return frozenset(graph.tensor_name(tensors[found.source]) for found in swish.swishes(model))
