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

from calib import choice, graph, swish_noise
from calib.calibration import Range
from calib.graph import Array


def narrow(model: Any, ranges: Mapping[str, Range], images: Array, shares: Sequence[float]) -> dict[str, Range]:
    """`ranges` of `model` (float ModelT) with the upper ends of swishes and their inputs at one of `shares` each.

    Noise is simulated on `images` (n, h, w, 3). Swishes of a single pixel are left as they are.
    """
    tensors = model.subgraphs[0].tensors
    made = dict(ranges)
    moved: set[str] = set()
    for alone in swish_noise.each_alone(model, images):
        ends = [tensors[index] for index in (alone.entry.source, alone.entry.output)]
        if np.prod(ends[0].shape[1:3]) == 1:
            continue
        own = {graph.tensor_name(end): ranges[graph.tensor_name(end)] for end in ends}
        tried = [{name: Range(at.low, at.high * share) for name, at in own.items()} for share in shares]
        made.update(tried[_least([alone.noise({**ranges, **one}) for one in tried])])
        moved |= own.keys()
    for name, source in choice.same_grid(model).items():
        if source in moved:
            made[name] = made[source]
            moved.add(name)
    return made


def _least(noise: Sequence[float]) -> int:
    """The index of the least, after weighing each with its neighbours."""
    level = np.log(np.maximum(noise, 1e-30))
    padded = np.concatenate([level[:1], level, level[-1:]])
    return int(np.argmin(padded[:-2] + 2 * padded[1:-1] + padded[2:]))
