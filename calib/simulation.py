"""Int8 activations simulated in float: tensors put on their 8-bit grids as the network is walked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from calib import graph, walk
from calib.calibration import Range
from calib.graph import Array


def on_grid(values: Array, found: Range) -> Array:
    """`values` rounded to the asymmetric 8-bit grid over `found`, as TFLite does."""
    made = np.array(values, np.float32)
    _round(made, found)
    return made


def _round(values: Array, found: Range) -> None:
    """The same, in place."""
    low, high = min(found.low, 0.0), max(found.high, 0.0)
    if low == high:
        return
    step = (high - low) / 255
    zero = np.rint(-128 - low / step)
    # Image by image: one stays in the processor's cache.
    for image in np.atleast_2d(values):
        np.divide(image, np.float32(step), out=image)
        np.rint(image, out=image)
        image += np.float32(zero)
        np.clip(image, -128, 127, out=image)
        image -= np.float32(zero)
        image *= np.float32(step)


def held(model: Any, index: int, values: Array, ranges: Mapping[str, Range]) -> Array:
    """`values` of tensor `index` on the grid of its range; as they are where it has none."""
    name = graph.tensor_name(model.subgraphs[0].tensors[index])
    return on_grid(values, ranges[name]) if name in ranges else values


def run(model: Any, operator: Any, inputs: Mapping[int, Array], ranges: Mapping[str, Range], threads: int = 1) -> Array:
    """What `operator` gives for `inputs`, on the grid of its output's range where it has one."""
    made = walk.run_operator(model, operator, inputs, threads)
    name = graph.tensor_name(model.subgraphs[0].tensors[int(operator.outputs[0])])
    if name in ranges:
        _round(made, ranges[name])
    return made


def logits_position(model: Any) -> int:
    """The number of operators up to the logits: a final softmax is left out."""
    operators = model.subgraphs[0].operators
    return len(operators) - (graph.operator_name(model, operators[-1]) == "SOFTMAX")


def advance(model: Any, values: walk.Tensors, start: int, stop: int, ranges: Mapping[str, Range]) -> walk.Tensors:
    """`values` after operators [start, stop) of `model`, on the grid of `ranges` where it has one."""
    ends = walk.last_uses(model)
    for position in range(start, stop):
        operator = model.subgraphs[0].operators[position]
        reads = {int(index): values[int(index)] for index in operator.inputs if int(index) in values}
        output = int(operator.outputs[0])
        values[output] = run(model, operator, reads, ranges)
        for index in reads:
            if ends[index] == position:
                del values[index]
    return values


def logits(model: Any, values: walk.Tensors, start: int, ranges: Mapping[str, Range]) -> Array:
    """The logits, from `values` before operator `start`."""
    stop = logits_position(model)
    output = int(model.subgraphs[0].operators[stop - 1].outputs[0])
    return np.asarray(advance(model, values, start, stop, ranges)[output])
