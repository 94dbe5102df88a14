"""Which swishes deserve factors: the noise they would take away for each element they make slower.

Rounding a tensor adds the same noise to all its channels; through the next layer's weights it
becomes a share of that layer's output. Factors shrink the noise of each channel to its own range.
Noise-to-signal ratios of layers add up along the network, so the best use of a budget takes the
largest gain per element first (a product's time goes with its elements).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from calib import channels, equalization, graph, ranges, swish
from calib.graph import Layer
from calib.ranges import STEPS
from calib.statistics import Statistics

# Elements in whose time an operator is started.
OVERHEAD = 4096


@dataclass(frozen=True)
class Candidate:
    """A swish, the noise-to-signal ratio its factors would remove, and the elements they touch."""

    name: str
    gain: float
    elements: int


def candidates(model: Any, statistics: Statistics, strength: float) -> list[Candidate]:
    """Every swish of `model` that factors could be carried around, best gain per element first."""
    trial = graph.read(graph.write(model))
    found = {entry.name: entry for entry in swish.swishes(trial)}
    swish.add_restoring(trial, frozenset(found))
    rows = []
    for group in channels.groups(trial):
        for entry in swish.swishes(trial):
            if entry.source not in group.tensors or not entry.rewritten:
                continue
            factors = equalization.factors(trial, group, statistics, strength)
            gain = _gain(trial, entry, factors, statistics)
            rows.append(Candidate(entry.name, gain, swish.elements(trial, entry) + OVERHEAD))
    return sorted(rows, key=lambda row: (-row.gain / row.elements, row.name))


def within(rows: list[Candidate], model: Any, share: float) -> frozenset[str]:
    """The best of `rows` whose elements stay within `share` of all that the model's operators write."""
    main = model.subgraphs[0]
    left = share * sum(int(np.prod(main.tensors[op.outputs[0]].shape)) for op in main.operators)
    chosen = []
    for row in rows:
        if row.elements <= left:
            chosen.append(row.name)
            left -= row.elements
    return frozenset(chosen)


def _gain(model: Any, entry: swish.Swish, factors: Any, statistics: Statistics) -> float:
    main = model.subgraphs[0]
    reader = _reader(model, entry.output)
    activation = statistics.activations[graph.tensor_name(main.tensors[entry.source])]
    found = ranges.mse(activation.weighted or activation.histogram, activation.low, activation.high)
    noise = ((found.high - found.low) / STEPS) ** 2 / 12
    if reader is None:
        return 0.0
    kernel = graph.constant(model, reader.kernel).astype(np.float64)
    axes = tuple(range(kernel.ndim - 1))
    passed = (kernel**2).sum(axis=axes)
    removed = noise * float((passed * (1 - (factors / factors.max()) ** 2)).sum())
    power = _power(statistics, graph.tensor_name(main.tensors[reader.output]))
    return removed / max(power * int(main.tensors[reader.output].shape[-1]), 1e-30)


def _reader(model: Any, index: int) -> Layer | None:
    """The layer that reads tensor `index`, directly or through padding and gates."""
    layers = {layer.source: layer for layer in graph.layers(model)}
    while index not in layers or layers[index].name.endswith("se_reduce"):
        followers = [
            operator
            for operator in graph.consumers(model, index)
            if graph.operator_name(model, operator) in ("MUL", "PAD", "MEAN", "RESHAPE")
        ]
        gated = [operator for operator in followers if graph.operator_name(model, operator) != "MEAN"]
        if not followers:
            return None
        index = int((gated or followers)[0].outputs[0])
    return layers[index]


def _power(statistics: Statistics, name: str) -> float:
    histogram = statistics.activations[name].histogram
    total = histogram.counts.sum() + histogram.zeros
    return float((histogram.counts * histogram.centres**2).sum() / max(total, 1))
