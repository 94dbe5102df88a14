"""Ranges of swishes narrowed as far as the logits gain by it.

A range that minimises a tensor's squared error reaches for its few largest values. After a swish those
are rare pixels that pooling and gates average away, while the wide step they ask for falls on every
pixel. So each swish is rounded alone with its upper end at several heights, and the end is taken that
leaves the least noise in the logits, smoothed over its neighbours as few images make it noisy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from calib import choice, graph, simulation, swish, walk
from calib.calibration import Range
from calib.graph import Array
from calib.swish import Swish


def narrow(model: Any, ranges: Mapping[str, Range], images: Array, shares: Sequence[float]) -> dict[str, Range]:
    """`ranges` of `model` (float ModelT) with the upper ends of swishes and their inputs at one of `shares` each.

    Noise is simulated on `images` (n, h, w, 3). Swishes of a single pixel are left as they are.
    """
    main = model.subgraphs[0]
    made = dict(ranges)
    position = {int(operator.outputs[0]): number for number, operator in enumerate(main.operators)}
    values: walk.Tensors = {int(main.inputs[0]): images}
    wanted = simulation.logits(model, dict(values), 0, {})
    at = 0
    for entry in sorted(swish.swishes(model), key=lambda entry: position[entry.source]):
        if np.prod(main.tensors[entry.source].shape[1:3]) == 1:
            continue
        start, stop = position[entry.source], position[entry.output] + 1
        values = simulation.advance(model, values, at, start, {})
        at = start
        noise = []
        for share in shares:
            rounded = simulation.advance(model, dict(values), start, stop, _own(model, entry, ranges, share))
            noise.append(float(((simulation.logits(model, rounded, stop, {}) - wanted) ** 2).sum()))
        made.update(_own(model, entry, ranges, shares[_least(noise)]))
    choice.tie(model, made)
    return made


def _own(model: Any, entry: Swish, ranges: Mapping[str, Range], share: float) -> dict[str, Range]:
    """The ranges of a swish's tensors, with the upper ends of its input and output at `share` of theirs."""
    tensors = model.subgraphs[0].tensors
    moved = {graph.tensor_name(tensors[index]) for index in (entry.source, entry.output)}
    names = (*moved, *(graph.tensor_name(tensors[index]) for index in (entry.sigmoid_input, entry.sigmoid)))
    return {
        name: Range(ranges[name].low, ranges[name].high * share) if name in moved else ranges[name]
        for name in dict.fromkeys(names)
        if name in ranges
    }


def _least(noise: Sequence[float]) -> int:
    """The index of the least, after weighing each with its neighbours."""
    level = np.log(np.maximum(noise, 1e-30))
    padded = np.concatenate([level[:1], level, level[-1:]])
    return int(np.argmin(padded[:-2] + 2 * padded[1:-1] + padded[2:]))
