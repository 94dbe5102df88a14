"""Channel factors that give every channel of a tensor its share of the 8-bit grid.

Nagel et al. 2019 (arXiv:1906.04721) equalize pairs of layers; here all tensors tied together
(`calib.channels`) share a factor: the largest range any of them needs, to a power `strength` as in
SmoothQuant (arXiv:2211.10438), for factors also make some weights small beside others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from calib import channels, graph, swish
from calib.channels import Group
from calib.statistics import Statistics

# Where a swish is as good as zero: what lies below need not be told apart.
SWISH_ENDS = 6.0
# Factors of a restored swish are stored in 8 bits, so they lie on that grid from the start.
GRID = 127
_SMALLEST = 1 / 64


def equalize(model: Any, statistics: Statistics, strength: float) -> list[str]:
    """Rescales every group but those bounded by ReLU6, in place; returns their tensors' names.

    A ReLU6's bound cuts what is scaled up beyond it. On trained EfficientNet-Lite such channels
    exceed on new images what calibration saw, at more harm than their resolution is worth, so
    groups with a bound are left alone.
    """
    touched = []
    for group in channels.groups(model):
        if group.bounded:
            continue
        channels.rescale(model, group, factors(model, group, statistics, strength))
        touched += [graph.tensor_name(model.subgraphs[0].tensors[index]) for index in group.tensors]
    return touched


def factors(model: Any, group: Group, statistics: Statistics, strength: float) -> NDArray[np.float64]:
    """What to divide each channel of `group` by, in (0, 1]: the largest channel keeps its scale.

    For bounded groups no factor cuts a value seen: 6 times the factor is at least the channel's maximum.
    """
    tensors = model.subgraphs[0].tensors
    sources = {found.source for found in swish.swishes(model)}
    need = np.zeros(group.channels)
    for index in group.tensors:
        activation = statistics.activations.get(graph.tensor_name(tensors[index]))
        if activation is None:
            continue
        below = -activation.channel_low.astype(np.float64)
        if index in sources:
            below = np.minimum(below, SWISH_ENDS)
        need = np.maximum(need, np.maximum(below, activation.channel_high.astype(np.float64)))
    if need.max() <= 0:
        return np.ones(group.channels)
    whole = 6.0 if group.bounded else float(need.max())
    found = np.clip(need / whole, _SMALLEST, 1.0) ** strength
    if group.restored:
        found = np.ceil(found * GRID) / GRID
    return np.asarray(found)
